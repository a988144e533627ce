//! What imports are defined in: those that a module has, or all that there are.
//!
//! [`Definer`] stands where a linker would. To define all of a hundred takes a process that just began some tenths of a
//! millisecond, and modules import few of them. Of an isolate that a test has meet faults it defines each behind a gate, in its async form, since a fault may be a
//! delay.

use wasmtime::{Caller, Engine, Linker, Result, WasmRet, WasmTyList};

use super::State;
#[cfg(feature = "testing")]
use super::gate::Gate;

/// Defines imports.
pub(crate) struct Definer {
    linker: Linker<State>,
    /// Module and name of each import that is wanted, in order; none where all are.
    wanted: Option<Vec<(String, String)>>,
    #[cfg(feature = "testing")]
    gated: bool,
}

impl Definer {
    /// For all of them.
    pub(super) fn of_all(engine: &Engine) -> Definer {
        Definer {
            linker: Linker::new(engine),
            wanted: None,
            #[cfg(feature = "testing")]
            gated: false,
        }
    }

    /// For those that this module has.
    pub(super) fn of(module: &wasmtime::Module) -> Definer {
        let mut wanted: Vec<_> =
            module.imports().map(|import| (import.module().to_owned(), import.name().to_owned())).collect();
        wanted.sort_unstable();
        Definer { wanted: Some(wanted), ..Definer::of_all(module.engine()) }
    }

    /// For those that this module has, each behind a gate.
    #[cfg(feature = "testing")]
    pub(super) fn gated(module: &wasmtime::Module) -> Definer {
        Definer { gated: true, ..Definer::of(module) }
    }

    /// What was defined.
    pub(crate) fn linker(&self) -> &Linker<State> {
        &self.linker
    }

    fn wants(&self, module: &str, name: &str) -> bool {
        let compared = |(m, n): &(String, String)| (m.as_str(), n.as_str()).cmp(&(module, name));
        self.wanted.as_ref().is_none_or(|wanted| wanted.binary_search_by(compared).is_ok())
    }

    /// As [`Linker::func_wrap`].
    pub(crate) fn func_wrap<P, F: Plain<P>>(&mut self, module: &str, name: &str, function: F) -> Result<()> {
        if !self.wants(module, name) {
            return Ok(());
        }
        #[cfg(feature = "testing")]
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
        if !self.wants(module, name) {
            return Ok(());
        }
        #[cfg(feature = "testing")]
        if self.gated {
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
            return Ok(());
        }
        self.linker.func_wrap_async(module, name, function)?;
        Ok(())
    }
}

/// A result that may be a code.
pub(crate) trait Coded: Sized + Send + 'static {
    /// The result that this code is.
    #[cfg(feature = "testing")]
    fn coded(code: u32) -> Result<Self>;
}

impl Coded for u32 {
    #[cfg(feature = "testing")]
    fn coded(code: u32) -> Result<u32> {
        Ok(code)
    }
}

impl Coded for i32 {
    #[cfg(feature = "testing")]
    fn coded(code: u32) -> Result<i32> {
        Ok(code.cast_signed())
    }
}

impl Coded for u64 {
    #[cfg(feature = "testing")]
    fn coded(code: u32) -> Result<u64> {
        Ok(u64::from(code))
    }
}

impl Coded for () {
    #[cfg(feature = "testing")]
    fn coded(_: u32) -> Result<()> {
        Ok(())
    }
}

/// What an import comes back with: a value, or that and an error that ends the guest.
pub(crate) trait Outcome {
    type Value: Coded;

    #[cfg(feature = "testing")]
    fn result(self) -> Result<Self::Value>;
}

impl<V: Coded> Outcome for Result<V> {
    type Value = V;

    #[cfg(feature = "testing")]
    fn result(self) -> Result<V> {
        self
    }
}

impl Outcome for u32 {
    type Value = u32;

    #[cfg(feature = "testing")]
    fn result(self) -> Result<u32> {
        Ok(self)
    }
}

impl Outcome for u64 {
    type Value = u64;

    #[cfg(feature = "testing")]
    fn result(self) -> Result<u64> {
        Ok(self)
    }
}

/// An import that does not wait, of any number of parameters.
pub(crate) trait Plain<P> {
    fn define(self, linker: &mut Linker<State>, module: &str, name: &str) -> Result<()>;

    #[cfg(feature = "testing")]
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

            #[cfg(feature = "testing")]
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
