//! Why there is no code: without the name of the module, since several may wait for one compile under several names.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::{ChildFailure, LoadError};

/// Why a module was not compiled.
#[derive(Clone, Debug)]
pub(crate) enum Refusal {
    /// The bytes are no module.
    NotWasm(String),
    /// It is beyond the shape that the host has room for.
    Shape(String),
    /// The compiler does not take it.
    Compile(String),
    /// The system has no room for what it would run in.
    NoRoom(String),
    /// It exceeds one of the limits.
    Limit { which: &'static str, limit: u64, found: u64 },
    /// It takes longer than it may.
    TimedOut(Duration),
    /// No place became free.
    Busy { at_once: u32, left_behind: u32 },
    /// Something is wrong with the child.
    Child { program: PathBuf, failure: ChildFailure },
}

impl Refusal {
    /// The error of whoever loads the module under this name.
    pub(crate) fn of(self, name: &str) -> LoadError {
        let name = name.to_owned();
        match self {
            Refusal::NotWasm(reason) => LoadError::NotWasm { name, reason },
            Refusal::Shape(reason) => LoadError::Shape { name, reason },
            Refusal::Compile(reason) => LoadError::Compile { name, reason },
            Refusal::NoRoom(reason) => LoadError::NoRoom { name, reason },
            Refusal::Limit { which, limit, found } => LoadError::Limit { name, which, limit, found },
            Refusal::TimedOut(limit) => LoadError::TimedOut { name, limit },
            Refusal::Busy { at_once, left_behind } => LoadError::Busy { name, at_once, left_behind },
            Refusal::Child { program, failure } => LoadError::Child { name, program, failure },
        }
    }

    /// Why wasmtime does not take a module that is valid: mostly the pool's shape.
    pub(crate) fn by_wasmtime(error: &wasmtime::Error) -> Refusal {
        let reason = format!("{error:#}");
        let shape = [
            ("memory index", "HostBuilder::memory_max"),
            ("minimum byte size", "HostBuilder::memory_max"),
            ("memories", "a module has one memory here"),
            ("tables", "a module has one table here"),
            ("table index", "HostBuilder::table_elements_max"),
            ("instance allocation", "the module's globals and functions need too much room"),
        ];
        match shape.iter().find(|(part, _)| reason.contains(part)) {
            Some((_, knob)) => Refusal::Shape(format!("{reason} ({knob})")),
            None => Refusal::Compile(reason),
        }
    }
}
