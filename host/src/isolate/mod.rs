//! An isolate: its module, its life, and the handle that an embedder has of it.
//!
//! - [`Module`]: code that is compiled and linked, ready to be instantiated.
//! - [`run`]: instantiate, call the entry, find out how it ended, die. The only place that enters guest code.
//! - [`Unmet`]: an import that keeps a module from being loaded.
//! - [`Isolate`]: the embedder's handle, plain data; `joining`: how it waits for the end; [`Doing`]: what it does now;
//!   [`Stack`]: where.

mod ending;
mod handle;
mod joining;
mod looked_at;
mod module;
mod run;
mod stack;
mod unmet;

pub use handle::{Capability, Isolate};
pub(crate) use joining::ended;
pub use looked_at::Doing;
pub(crate) use module::EntryPoint;
pub use module::Module;
pub(crate) use run::{Life, Undertaker, live, live_trusted};
pub use stack::{Stack, StackError};
pub use unmet::{Unmet, UnmetReason};
