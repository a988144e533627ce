//! A linker whose imports look for a fault first that a test has the isolate meet.
//!
//! [`Definer`] stands where a linker would: of an isolate without faults it defines the very same functions, and of one
//! with faults each behind a gate, in its async form, since a fault may be a delay.

use std::future::pending;
use std::ops::{Deref, DerefMut};
use std::sync::OnceLock;

use wasmtime::{Caller, Engine, Error, Linker, Result, WasmRet, WasmTyList};

use super::{Ended, State, imports, in_call};
use crate::control::{Call, Control};
use crate::exit::{Exit, Killer};
use crate::faults::{Action, Faults};
use crate::sync::Arc;
use crate::until;

/// Defines imports, behind gates or not.
pub(crate) struct Definer {
    linker: Linker<State>,
    gated: bool,
}

impl Definer {
    pub(super) fn new(engine: &Engine) -> Definer {
        Definer { linker: Linker::new(engine), gated: false }
    }

    pub(super) fn gated(engine: &Engine) -> Definer {
        Definer { linker: Linker::new(engine), gated: true }
    }

    /// As [`Linker::func_wrap`].
    pub(crate) fn func_wrap<P, F: Plain<P>>(&mut self, module: &str, name: &str, function: F) -> Result<()> {
        if self.gated {
            return function.define_gated(&mut self.linker, module, name, Gate::new(module, name));
        }
        function.define(&mut self.linker, module, name)
    }

    /// As [`Linker::func_wrap_async`].
    pub(crate) fn func_wrap_async<F, P, R>(&mut self, module: &str, name: &str, function: F) -> Result<()>
    where
        F: for<'a> Fn(Caller<'a, State>, P) -> Box<dyn Future<Output = Result<R>> + Send + 'a>
            + Copy
            + Send
            + Sync
            + 'static,
        P: WasmTyList + Send + 'static,
        R: Coded,
        Result<R>: WasmRet,
    {
        if !self.gated {
            self.linker.func_wrap_async(module, name, function)?;
            return Ok(());
        }
        let gate = Gate::new(module, name);
        self.linker.func_wrap_async(module, name, move |mut caller: Caller<'_, State>, params: P| {
            let gate = gate.clone();
            Box::new(async move {
                match gate.pass(&mut caller).await? {
                    Some(code) => R::coded(code),
                    None => Box::into_pin(function(caller, params)).await,
                }
            })
        })?;
        Ok(())
    }
}

impl Deref for Definer {
    type Target = Linker<State>;

    fn deref(&self) -> &Linker<State> {
        &self.linker
    }
}

impl DerefMut for Definer {
    fn deref_mut(&mut self) -> &mut Linker<State> {
        &mut self.linker
    }
}

/// What a fault looks at before an import acts.
#[derive(Clone)]
pub(crate) struct Gate(Arc<str>);

impl Gate {
    fn new(module: &str, name: &str) -> Gate {
        Gate(shown(module, name).into())
    }

    /// Has the isolate meet what is to happen at this call. Comes back with what the import answers, if it is not to act.
    async fn pass(&self, caller: &mut Caller<'_, State>) -> Result<Option<u32>> {
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

/// A result that may be a code.
pub(crate) trait Coded: Sized + Send + 'static {
    /// The result that this code is.
    fn coded(code: u32) -> Result<Self>;
}

impl Coded for u32 {
    fn coded(code: u32) -> Result<u32> {
        Ok(code)
    }
}

impl Coded for i32 {
    fn coded(code: u32) -> Result<i32> {
        Ok(code.cast_signed())
    }
}

impl Coded for u64 {
    fn coded(code: u32) -> Result<u64> {
        Ok(u64::from(code))
    }
}

impl Coded for () {
    fn coded(_: u32) -> Result<()> {
        Ok(())
    }
}

/// What an import comes back with: a value, or that and an error that ends the guest.
pub(crate) trait Outcome {
    type Value: Coded;

    fn result(self) -> Result<Self::Value>;
}

impl<V: Coded> Outcome for Result<V> {
    type Value = V;

    fn result(self) -> Result<V> {
        self
    }
}

impl Outcome for u32 {
    type Value = u32;

    fn result(self) -> Result<u32> {
        Ok(self)
    }
}

impl Outcome for u64 {
    type Value = u64;

    fn result(self) -> Result<u64> {
        Ok(self)
    }
}

/// An import that does not wait, of any number of parameters.
pub(crate) trait Plain<P> {
    fn define(self, linker: &mut Linker<State>, module: &str, name: &str) -> Result<()>;

    fn define_gated(self, linker: &mut Linker<State>, module: &str, name: &str, gate: Gate) -> Result<()>;
}

macro_rules! plain {
    ($($parameter:ident)*) => {
        #[allow(non_snake_case, reason = "a parameter is named as its type")]
        impl<F, R, $($parameter),*> Plain<(R, $($parameter,)*)> for F
        where
            F: Fn(Caller<'_, State>, $($parameter),*) -> R + Copy + Send + Sync + 'static,
            R: Outcome + WasmRet,
            Result<R::Value>: WasmRet,
            $($parameter: wasmtime::WasmTy + 'static,)*
        {
            fn define(self, linker: &mut Linker<State>, module: &str, name: &str) -> Result<()> {
                linker.func_wrap(module, name, self)?;
                Ok(())
            }

            fn define_gated(self, linker: &mut Linker<State>, module: &str, name: &str, gate: Gate) -> Result<()> {
                linker.func_wrap_async(
                    module,
                    name,
                    move |mut caller: Caller<'_, State>, ($($parameter,)*): ($($parameter,)*)| {
                        let gate = gate.clone();
                        Box::new(async move {
                            match gate.pass(&mut caller).await? {
                                Some(code) => R::Value::coded(code),
                                None => self(caller, $($parameter),*).result(),
                            }
                        })
                    },
                )?;
                Ok(())
            }
        }
    };
}

plain!();
plain!(A);
plain!(A B);
plain!(A B C);
plain!(A B C D);
plain!(A B C D E);
plain!(A B C D E G);
plain!(A B C D E G H);
plain!(A B C D E G H I);
