//! What the calls of [`sys`](crate::sys) take, where that is more than numbers and slices.

use insula_wire::GrantKind;
use insula_wire::layout::Limit;

/// An encoded message that an import reads.
#[derive(Clone, Copy, Default)]
pub(crate) struct Body<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) capabilities: &'a [u32],
}

/// Which import takes a message.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a> {
    Try(u32),
    Ready(u32),
    Port(u32, u64),
    Any(&'a [u32], u64),
    Birth,
}

/// How a text is asked for.
#[derive(Clone, Copy)]
pub(crate) enum Text<'a> {
    DebugName(u32),
    Config(&'a str),
    LastError,
    Frames(&'a str),
}

/// What is to be born.
#[derive(Clone, Copy)]
pub(crate) enum Newborn<'a> {
    Entry(u32),
    Export(&'a str),
    Module(&'a str, &'a [&'a str]),
}

/// What a spawn's options point to.
#[derive(Clone, Copy)]
pub(crate) struct Pointees<'a> {
    pub(crate) message: Body<'a>,
    pub(crate) debug_name: &'a str,
    pub(crate) on_exit_response: Body<'a>,
    pub(crate) limits: &'a [Limit],
    pub(crate) grants: &'a [(GrantKind, String)],
}

/// Which notice is asked for.
#[derive(Clone, Copy)]
pub(crate) enum Notice {
    Stop,
    Ping(u32, u32),
    Exit(u32),
}
