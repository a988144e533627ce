//! The imports of a guest: one file per interface of `isolate.wit`, in its order.
//!
//! - [`State`]: what a Store holds. Mailbox and handle table are in [`Control`], which outlives the Store.
//! - [`link`]: defines every import. Each one decodes, acts, and encodes; none of them is longer than its act.
//! - [`wait()`]: the one blocking wait. `memory`: the only code that turns a pointer and a length into bytes.
//! - [`frames()`]: where a guest is in its code.
//!
//! An import has two ways to fail. A status is for what the guest can handle. An error ends the guest: it is broken
//! (a pointer outside of its memory), or its isolate is to end.

mod blobs;
mod buffers;
mod clock;
mod control;
mod definer;
mod frames;
#[cfg(feature = "testing")]
mod gate;
mod handles;
mod imports;
mod isolates;
mod memory;
mod names;
mod ports;
mod recent;
mod report;
mod state;
mod wait;

pub(crate) use definer::Definer;
pub(crate) use frames::{answer_after, answer_in_code, frames};
#[cfg(feature = "testing")]
pub(crate) use gate::check_faults;
pub(crate) use imports::defined;
pub use imports::{Import, imports};
pub(crate) use memory::view;
pub(crate) use recent::Recent;
pub(crate) use state::{Fetching, Place, State, TakeDump, Within};
pub(crate) use wait::{Attempt, Ended, Until, in_call, wait};

use insula_wire::Status;
use wasmtime::{Engine, Result};

/// The version that the names of our interfaces carry.
const VERSION: &str = "0.1.0";

/// The full name of an interface of ours, as modules import it.
macro_rules! interface {
    ($name:literal) => {
        concat!("insula:isolate/", $name, "@0.1.0")
    };
}
use interface;

/// Defines every import of ours.
///
/// # Errors
/// Only where two imports have one name, which a test would find.
pub(crate) fn link_every(engine: &Engine) -> Result<Definer> {
    let mut linker = Definer::of_all(engine);
    link_all(&mut linker)?;
    Ok(linker)
}

/// Defines those that this module has.
///
/// # Errors
/// As [`link_every`].
pub(crate) fn link(module: &wasmtime::Module) -> Result<Definer> {
    let mut linker = Definer::of(module);
    link_all(&mut linker)?;
    Ok(linker)
}

/// As [`link`], each behind a gate where an isolate meets its faults.
#[cfg(feature = "testing")]
pub(crate) fn link_gated(module: &wasmtime::Module) -> Result<Definer> {
    let mut linker = Definer::gated(module);
    link_all(&mut linker)?;
    Ok(linker)
}

fn link_all(linker: &mut Definer) -> Result<()> {
    ports::link(linker)?;
    handles::link(linker)?;
    blobs::link(linker)?;
    names::link(linker)?;
    isolates::link(linker)?;
    control::link(linker)?;
    clock::link(linker)?;
    report::link(linker)
}

/// Whether an import's module is one of ours of a version that this host does not have.
pub(crate) fn is_newer(module: &str) -> bool {
    let ours = module.strip_prefix(insula_wire::PACKAGE).is_some_and(|rest| rest.starts_with('/'));
    ours && module.rsplit_once('@').is_some_and(|(_, version)| parse(version) > parse(VERSION))
}

/// The ABI of this host, as a message names it.
pub(crate) fn version() -> String {
    format!("{}@{VERSION}", insula_wire::PACKAGE)
}

fn parse(version: &str) -> Vec<u32> {
    version.split('.').map(|part| part.parse().unwrap_or(u32::MAX)).collect()
}

/// A status as it crosses the boundary; 0 is ok.
fn answer(outcome: Result<(), Status>) -> Result<u32> {
    Ok(outcome.map_or_else(Status::code, |()| 0))
}
