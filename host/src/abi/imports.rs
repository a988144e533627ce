//! What the linker has, as data, for the test that compares it with the WIT.

use wasmtime::{Engine, ExternType, FuncType, Linker, Store, ValType};

use super::{Place, Recent, State, Within, link_every};
use crate::control::{Accounts, Census, Control, Cradle, Lineage, Links, Registry};
use crate::error::SpawnError;
use crate::exit::IsolateId;
use crate::limits::Limits;
use crate::outfit::{Outfit, Wasi};
use crate::port::{CapabilityId, Mailbox, Room};
use crate::spawn::{Birth, Spawner};
use crate::stdio::Tail;
use crate::sync::Arc;
use crate::world::{NEVER, World};

/// One import of ours.
#[doc(hidden)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// The interface.
    pub module: String,
    /// The function.
    pub field: String,
    /// `i32` or `i64`, each.
    pub params: Vec<&'static str>,
    /// `i32` or `i64`, each.
    pub results: Vec<&'static str>,
}

/// Every import of ours that the linker has.
///
/// # Panics
/// Where no engine can be made.
#[doc(hidden)]
#[must_use]
pub fn imports() -> Vec<Import> {
    let engine = Engine::default();
    let linker = link_every(&engine).expect("no two imports have one name");
    let all = defined(&engine, linker.linker()).into_iter();
    let ours = all.filter(|(module, ..)| module.starts_with(insula_wire::PACKAGE));
    ours.map(|(module, field, function)| {
        let (params, results) = (names(function.params()), names(function.results()));
        Import { module, field, params, results }
    })
    .collect()
}

/// The functions that a linker of this engine has: module, name, type.
pub(crate) fn defined(engine: &Engine, linker: &Linker<State>) -> Vec<(String, String, FuncType)> {
    let mut store = Store::new(engine, nobody());
    let externs: Vec<_> =
        linker.iter(&mut store).map(|(module, field, it)| (module.to_owned(), field.to_owned(), it)).collect();
    let functions = externs.into_iter().filter_map(|(module, field, it)| match it.ty(&store) {
        ExternType::Func(function) => Some((module, field, function)),
        _ => None,
    });
    functions.collect()
}

fn names(types: impl Iterator<Item = ValType>) -> Vec<&'static str> {
    types.map(|ty| if matches!(ty, ValType::I64) { "i64" } else { "i32" }).collect()
}

/// The state of a Store in which nothing ever runs.
fn nobody() -> State {
    struct Barren;
    impl Spawner for Barren {
        fn spawn(&self, _: &Arc<Control>, _: Birth) -> Result<Arc<Control>, SpawnError> {
            Err(SpawnError::HostClosed)
        }
    }
    let id = IsolateId(0);
    let room = Room { messages_max: 0, bytes_max: 0, message_bytes_max: 0, ports_max: 0 };
    let control = Control::new(Cradle {
        id,
        lineage: Lineage::new(id, None),
        mailbox: Mailbox::new(room),
        handles_max: 0,
        blob_bytes_max: 0,
        accounts: Accounts::default(),
        alarm: None,
        pause_capability: CapabilityId(0),
        terminate_capability: CapabilityId(0),
        census: Arc::new(Census::default()),
        name: String::new(),
        paused: false,
        errors_fatal: true,
    });
    let world = World::new();
    let place = Place {
        links: Links::new(0, Registry::new(0, 0), &world, Box::new(|_| ())),
        module: Arc::new(()),
        namespace: None,
        functions: None,
        world: Arc::clone(&world),
        spawner: Box::new(Barren),
        uncaught: Box::new(|_, _, _| {}),
        resolve: Box::new(|stack| Box::pin(async { stack })),
        fetch: Box::new(|_| Box::pin(async { Ok(()) })),
        fine_clock: false,
        dump: None,
        spawn_frames: false,
    };
    State {
        control,
        place: Arc::new(place),
        limits: Limits::default(),
        says_entered: false,
        admitted: 0,
        ends: NEVER,
        memory: None,
        wasi: Wasi::new(Arc::new(Outfit::bare(&world)), Arc::new(Tail::new(0))),
        panic: None,
        panicking: std::cell::Cell::new(false),
        refused: None,
        last_error: String::new(),
        within: Within::default(),
        #[cfg(feature = "testing")]
        script: None,
        receives: Recent::default(),
        sends: Recent::default(),
    }
}
