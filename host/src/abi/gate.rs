//! Where an import looks first for a fault that a test has the isolate meet.

use std::future::pending;
use std::sync::OnceLock;

use wasmtime::{Caller, Error, Result};

use super::{Ended, State, imports, in_call};
use crate::control::{Call, Control};
use crate::exit::{Exit, Killer};
use crate::faults::{Action, Faults};
use crate::sync::Arc;
use crate::until;

/// What a fault looks at before an import acts.
#[derive(Clone)]
pub(crate) struct Gate(Arc<str>);

impl Gate {
    pub(super) fn new(module: &str, name: &str) -> Gate {
        Gate(shown(module, name).into())
    }

    /// Has the isolate meet what is to happen at this call. Comes back with what the import answers, if it is not to act.
    pub(super) async fn pass(&self, caller: &mut Caller<'_, State>) -> Result<Option<u32>> {
        let Some(script) = &mut caller.data_mut().script else { return Ok(None) };
        let (call, actions) = script.meet(&self.0);
        for action in actions {
            let control = Arc::clone(&caller.data().control);
            let world = Arc::clone(&caller.data().place.world);
            world.note(|| format!("{} meets {action} at call {call} of {}", control.label(), self.0));
            match action {
                Action::Trap => return Err(Error::msg(format!("a fault of the test's: call {call} of {}", self.0))),
                Action::Kill => return Err(Ended::error(Exit::Killed { by: Killer::Embedder })),
                Action::Delay(delay) => {
                    let over = until::within(&world, world.after(delay), pending::<()>());
                    self.wait(&control, over).await;
                }
                Action::Status(status) => return Ok(Some(status.code())),
                Action::Errno(errno) => return Ok(Some(u32::from(errno))),
            }
        }
        Ok(None)
    }

    /// Whoever looks finds the isolate waiting in this call, if it is one that can wait.
    async fn wait(&self, control: &Control, over: impl Future<Output = Option<()>>) {
        match Call::of_name(&self.0) {
            Some(call) => in_call(control, call, over).await,
            None => over.await,
        };
    }
}

/// The name of an import as [`Phase::Waiting`](crate::Phase) has it.
fn shown(module: &str, name: &str) -> String {
    match module.strip_prefix(insula_wire::PACKAGE).and_then(|rest| rest.strip_prefix('/')) {
        Some(interface) => format!("{}.{name}", interface.split('@').next().unwrap_or(interface)),
        None => format!("wasi.{name}"),
    }
}

/// What is wrong with faults that are asked for.
pub(crate) fn check_faults(faults: &Faults) -> Result<(), String> {
    static IMPORTS: OnceLock<Vec<(String, bool)>> = OnceLock::new();
    faults.check(IMPORTS.get_or_init(|| {
        let ours = imports().into_iter().map(|import| {
            let has_status = import.results == ["i32"] && import.field != "stop-requested";
            (shown(&import.module, &import.field), has_status)
        });
        let of_wasi = Call::names().filter(|name| name.starts_with("wasi."));
        let of_wasi = of_wasi.map(|name| (name.to_owned(), true));
        let mut known: Vec<_> = ours.chain(of_wasi).chain([("wasi.proc_exit".to_owned(), false)]).collect();
        known.sort();
        known
    }))
}
