//! Locks and atomics, in one place, so that loom can stand in for std.
//!
//! The mutex here ignores poisoning: a panic is caught at the edge of a poll and ends one isolate, and what it left
//! behind a lock is whole at every statement, or the code says why not. The tests include layer 2 a second time with a
//! module of this name over loom.

mod doorbell;

pub(crate) use doorbell::Doorbell;
pub(crate) use std::sync::{Arc, MutexGuard, Weak, atomic};

/// A mutex without poisoning.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(std::sync::Mutex<T>);

impl<T> Mutex<T> {
    /// A mutex around `value`.
    pub(crate) const fn new(value: T) -> Mutex<T> {
        Mutex(std::sync::Mutex::new(value))
    }

    /// Waits for the lock.
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
