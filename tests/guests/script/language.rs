//! What a random program is made of, and what its isolates say of themselves: the same for the guest and for the test.

use insula_wire::codec;
use serde::{Deserialize, Serialize};

/// A port: whose it is, and which of its owner's, in the order of opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Name {
    pub(crate) owner: u32,
    pub(crate) at: u32,
}

/// A script for each isolate that may be born. The embedder spawns isolate 0, and each other is spawned by one script
/// at most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Program {
    pub(crate) scripts: Vec<Vec<Op>>,
}

/// Which of the things that an isolate holds, modulo how many it holds; without any the operation is skipped.
pub(crate) type Pick = u8;

/// One operation of a script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Op {
    Open {
        waits: bool,
    },
    Close {
        port: Pick,
    },
    Send {
        to: Pick,
        port: Option<Pick>,
        handle: Option<(Pick, Authority)>,
    },
    TryReceive {
        port: Pick,
    },
    Receive {
        port: Pick,
    },
    ReceiveFor1Ms {
        port: Pick,
    },
    ReceiveAny,
    /// Receives until the port has nothing more to give, or so many.
    Drain {
        port: Pick,
        messages_max: u8,
    },
    Discard {
        port: Pick,
    },
    DropPort {
        port: Pick,
    },
    Spawn(Birth),
    Pause {
        whom: Pick,
        token: bool,
    },
    Resume {
        whom: Pick,
        token: bool,
    },
    ResumeBirth {
        whom: Pick,
    },
    Kill {
        whom: Pick,
        at_once: bool,
    },
    KillTree {
        whom: Pick,
    },
    KillSelf {
        at_once: bool,
    },
    Ping {
        whom: Pick,
        at_once: bool,
    },
    /// Exit notices to one's own log, to one of one's own ports.
    ListenExit {
        whom: Pick,
    },
    ForgetExit {
        whom: Pick,
    },
    Watch {
        whom: Pick,
        port: Pick,
    },
    ListenErrors {
        whom: Pick,
    },
    ForgetErrors {
        whom: Pick,
    },
    SetFatal {
        whom: Pick,
        fatal: bool,
    },
    /// An error that is reported rather than returned.
    Report,
    Sleep1Ms,
    Spin,
    Fail,
    Panic,
    Trap,
    ProcExit {
        code: u8,
    },
    Exit {
        to: Pick,
    },
    ExitSilently,
    /// Leaves all ports to the event loop, which ends each after so many messages, and fails at one of them.
    Serve {
        messages_max: u8,
        fails_at: Option<u8>,
    },
}

/// What of a handle's authority is passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Authority {
    pub(crate) pause: bool,
    pub(crate) terminate: bool,
}

/// How a child is born.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Birth {
    pub(crate) child: u32,
    pub(crate) paused: bool,
    pub(crate) fatal: bool,
    pub(crate) scoped: bool,
    /// Messages that fit its mailbox, if few.
    pub(crate) room: Option<u8>,
    /// Ports that it is given.
    pub(crate) ports: Vec<Pick>,
    /// Whether it is given a handle of its parent.
    pub(crate) knows_parent: bool,
}

/// What is in the log of an isolate, which is a port of the embedder's: data if it is said by the isolate itself, or of
/// a pause by whoever pauses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Record {
    /// What the isolate does next.
    Will(Act),
    /// What came of it.
    Did(Outcome),
    /// Somebody has paused the isolate.
    Paused { by: u32, token: bool },
    /// Somebody is about to resume it.
    Resuming { by: u32, token: bool },
    /// The response of an exit listener.
    Gone { who: u32, number: u32 },
    /// The response of a ping.
    Pong { by: u32, number: u32 },
}

/// An operation, with what was picked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Act {
    Open { port: Name, waits: bool },
    Close { port: Name },
    Send { to: Name, number: u32, port: Option<Name>, handle: Option<u32> },
    TryReceive { port: Name },
    Receive { port: Name },
    ReceiveFor1Ms { port: Name },
    ReceiveAny,
    Discard { port: Name },
    DropPort { port: Name },
    Spawn { child: u32, paused: bool, fatal: bool, scoped: bool, ports: Vec<Name> },
    Pause { whom: u32, token: bool, allowed: bool },
    Resume { whom: u32, token: bool },
    ResumeBirth { whom: u32, allowed: bool },
    Kill { whom: u32, at_once: bool, allowed: bool },
    KillTree { whom: u32, allowed: bool },
    Ping { whom: u32, number: u32, at_once: bool },
    ListenExit { whom: u32, number: u32 },
    ForgetExit { whom: u32 },
    Watch { whom: u32, port: Name, number: u32 },
    ListenErrors { whom: u32 },
    ForgetErrors { whom: u32 },
    SetFatal { whom: u32, fatal: bool, allowed: bool },
    Report { number: u32 },
    Sleep,
    Spin,
    Fail { number: u32 },
    Panic { number: u32 },
    Trap,
    ProcExit { code: u32 },
    Exit { to: Option<Name>, number: u32 },
    Serve { ports: Vec<Name> },
    Return,
}

/// What came of an act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Outcome {
    Done,
    Got(Got),
    Empty,
    Closed,
    Full,
    Unreachable,
    Refused(String),
    /// Something that must never be.
    Broken(String),
}

/// A message as it was received.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Got {
    pub(crate) at: Name,
    pub(crate) from: u32,
    pub(crate) number: u32,
    /// Whether it is an exit notice.
    pub(crate) notice: bool,
    pub(crate) port: Option<Name>,
    pub(crate) handle: Option<u32>,
    /// Whether this ends the port.
    pub(crate) closes: bool,
}

impl Record {
    /// As bytes, since a log takes notices of all kinds.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        codec::encode_into(self, &mut bytes).expect("a record is plain data");
        bytes
    }
}

/// The text of an error that says whose it is and which.
pub(crate) fn error_text(who: u32, number: u32) -> String {
    format!("isolate {who} fails {number}.")
}
