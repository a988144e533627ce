//! The C layout of the WIT's records, the same on both sides.
//!
//! A list is two u32, pointer and count. The host reads and writes these field by field in little-endian order, so
//! no padding byte of the host's ever reaches a guest.

/// A pointer into guest memory and a count of elements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct List {
    /// Where the elements begin.
    pub pointer: u32,
    /// How many there are.
    pub count: u32,
}

/// `types.payload`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Payload {
    /// The bytes of the message.
    pub bytes: List,
    /// The handles that the bytes refer to by position.
    pub capabilities: List,
}

/// `types.received`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Received {
    /// A code of [`Kind`](crate::Kind).
    pub kind: u32,
    /// The receive port that the message came to.
    pub port: u32,
    /// Bytes.
    pub length: u32,
    /// Capabilities and blobs.
    pub capabilities: u32,
}

/// `types.isolate`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Isolate {
    /// The control port.
    pub control: u32,
    /// The pause capability, or 0.
    pub pause: u32,
    /// The terminate capability, or 0.
    pub terminate: u32,
}

/// `types.limit`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Limit {
    /// A code of [`LimitKind`](crate::LimitKind).
    pub which: u32,
    /// Its value, in the unit of the kind.
    pub value: u64,
}

/// `types.grant`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Grant {
    /// A code of [`GrantKind`](crate::GrantKind).
    pub kind: u32,
    /// What it is about.
    pub argument: List,
}

/// `types.spawn-options`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct SpawnOptions {
    /// The initial message.
    pub message: Payload,
    /// The debug name; empty for the entry's own.
    pub debug_name: List,
    /// A bool.
    pub paused: u32,
    /// A bool.
    pub errors_are_fatal: u32,
    /// A bool.
    pub scoped: u32,
    /// A bool.
    pub inherit_grants: u32,
    /// A SendPort, or 0.
    pub on_exit: u32,
    /// The schema of the response.
    pub on_exit_schema: u64,
    /// What the exit notice carries.
    pub on_exit_response: Payload,
    /// A SendPort, or 0.
    pub on_error: u32,
    /// The schema of [`RemoteError`](crate::RemoteError), or 0.
    pub on_error_schema: u64,
    /// A list of [`Limit`].
    pub limits: List,
    /// A list of [`Grant`].
    pub grants: List,
}
