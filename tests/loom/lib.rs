//! The host's second layer over loom: every interleaving of a few threads at its mailboxes and controls.
//!
//! The files of layer 2 name only each other, `crate::sync`, and plain types of layer 1. So they are compiled here once
//! more, from where they are, in a crate whose [`sync`] is loom's; wasmtime need not be built a second time under a
//! flag. [`models`] holds the questions; the test binary calls each as a test of its own.
//!
//! This is a library, not a part of the test binary, so that the unit tests inside those files, which need no loom,
//! stay out; where Cargo builds it for tests of its own all the same, it is empty.

#![allow(missing_docs)] // A crate for one test binary.
#![allow(clippy::all)] // The files are looked at where they belong.
#![allow(dead_code, unreachable_pub, unused_imports)] // Only a part of the host is here to use the rest.
#![allow(unexpected_cfgs)] // The features are those of the host.

#[cfg(not(test))]
#[path = "../../host/src/account.rs"]
mod account;
#[cfg(not(test))]
#[path = "../../host/src/control/mod.rs"]
mod control;
#[cfg(not(test))]
#[path = "../../host/src/event.rs"]
mod event;
#[cfg(not(test))]
#[path = "../../host/src/exit.rs"]
mod exit;
#[cfg(not(test))]
#[path = "../../host/src/hash.rs"]
mod hash;
#[cfg(not(test))]
#[path = "../../host/src/limits.rs"]
mod limits;
#[cfg(not(test))]
#[path = "../../host/src/names.rs"]
mod names;
#[cfg(not(test))]
#[path = "../../host/src/port/mod.rs"]
mod port;
#[cfg(not(test))]
#[path = "../../host/src/printable.rs"]
mod printable;
#[cfg(not(test))]
mod sync;
#[cfg(not(test))]
#[path = "../../host/src/trace_context.rs"]
mod trace_context;
#[cfg(not(test))]
#[path = "../../host/src/usage.rs"]
mod usage;
#[cfg(not(test))]
#[path = "../../host/src/warning.rs"]
mod warning;
#[cfg(not(test))]
#[path = "../../host/src/world.rs"]
mod world;

#[cfg(not(test))]
pub mod models;
