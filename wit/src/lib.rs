//! What insula's host and its guests agree on.
//!
//! The contract itself is [`WIT`] (`isolate.wit`); this crate gives its enums their numbers ([`abi`]), its records
//! their C layout ([`layout`]), messages their encoding ([`codec`]), and errors, answers and untyped messages their shape
//! ([`RemoteError`], [`Answer`], `value_type!`).
//! It is `no_std` + `alloc`, knows neither wasmtime nor an allocator of its own, and holds no state.

#![no_std]

extern crate alloc;

pub mod abi;
mod call;
pub mod codec;
mod error;
pub mod layout;
#[doc(hidden)]
pub mod value;

pub use abi::{GrantKind, HandleKind, Kind, LimitKind, MailboxPolicy, Priority, Status};
pub use call::Answer;
pub use error::RemoteError;

/// The text of `isolate.wit`.
pub const WIT: &str = include_str!("../isolate.wit");

/// The WIT package that an import of ours belongs to.
pub const PACKAGE: &str = "insula:isolate";

/// The ABI that this crate describes, as (major, minor, patch).
pub const VERSION: (u32, u32, u32) = (0, 1, 0);

/// What the name of a host function begins with, where `names.lookup` is asked for it.
pub const FUNCTION_PREFIX: &str = "function:";

/// The largest number of capabilities and blobs in one message (semantics 6.7).
pub const CAPABILITIES_MAX: usize = 255;
