//! The host's `sync`, with loom's mutex and atomics instead of std's.
//!
//! `Arc` stays std's: loom's has no unsized values, no `Weak`, and is no receiver of methods. What it could find, a use
//! after free, safe code cannot have.

#[path = "../../host/src/sync/doorbell.rs"]
mod doorbell;

pub(crate) use doorbell::Doorbell;
pub(crate) use std::sync::{Arc, Weak};

pub(crate) use loom::sync::{MutexGuard, atomic};

/// A mutex without poisoning.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Mutex<T> {
        Mutex(loom::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
