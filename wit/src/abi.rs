//! The numbers of the WIT's enums, in its order.
//!
//! A [`Status`] is its position plus one, since 0 is ok; every other enum is its position.

macro_rules! wire_enum {
    ($(#[$doc:meta])* $name:ident from $first:literal { $($(#[$case_doc:meta])* $case:ident = $wit:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        #[repr(u32)]
        pub enum $name { $($(#[$case_doc])* $case,)* }

        impl $name {
            /// Every case with its name in the WIT, in order.
            pub const ALL: &'static [($name, &'static str)] = &[$(($name::$case, $wit)),*];

            /// The number that crosses the boundary.
            #[must_use]
            pub const fn code(self) -> u32 {
                self as u32 + $first
            }

            /// The case of a number, if there is one.
            #[must_use]
            pub fn from_code(code: u32) -> Option<$name> {
                Self::ALL.get(code.checked_sub($first)? as usize).map(|(case, _)| *case)
            }
        }
    };
}

wire_enum! {
    /// Why a call did not do what it was asked.
    ///
    /// ```
    /// assert_eq!(insula_wire::Status::Full.to_string(), "the mailbox is full");
    /// ```
    #[non_exhaustive]
    Status from 1 {
        /// The port is closed, or its isolate is dead.
        Closed = "closed",
        /// The mailbox, or the room that a notice needs, is full.
        Full = "full",
        /// The message is larger than the limit.
        TooLarge = "too-large",
        /// Something in the message cannot be sent.
        Unsendable = "unsendable",
        /// The number is not in the table.
        BadHandle = "bad-handle",
        /// The handle names something of another kind.
        WrongKind = "wrong-kind",
        /// The buffer is too small; the message is kept.
        BufferTooSmall = "buffer-too-small",
        /// The table has no room for the capabilities; the message is kept.
        TooMany = "too-many",
        /// The deadline came first.
        TimedOut = "timed-out",
        /// Nobody but its owner holds a SendPort to the port.
        Unreachable = "unreachable",
        /// There is nothing to take now.
        WouldWait = "would-wait",
        /// No such name, entry, module or message.
        NotFound = "not-found",
        /// The name is in use.
        Taken = "taken",
        /// A limit is reached.
        Limit = "limit",
        /// A grant is missing.
        Denied = "denied",
        /// An argument contradicts another or has no meaning.
        Invalid = "invalid",
        /// This host does not do this.
        Unsupported = "unsupported",
    }
}

impl core::fmt::Display for Status {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Status::Closed => "the port is closed",
            Status::Full => "the mailbox is full",
            Status::TooLarge => "the message is larger than the limit",
            Status::Unsendable => "the message holds something that cannot be sent",
            Status::BadHandle => "the handle names nothing",
            Status::WrongKind => "the handle names something of another kind",
            Status::BufferTooSmall => "the buffer is too small",
            Status::TooMany => "the handle table has no room",
            Status::TimedOut => "the deadline has passed",
            Status::Unreachable => "nobody can send to the port",
            Status::WouldWait => "there is nothing to take now",
            Status::NotFound => "there is no such thing",
            Status::Taken => "the name is in use",
            Status::Limit => "a limit is reached",
            Status::Denied => "a grant is missing",
            Status::Invalid => "an argument has no meaning",
            Status::Unsupported => "this host does not do this",
        })
    }
}

impl core::error::Error for Status {}

wire_enum! {
    /// What a message is.
    ///
    /// ```
    /// use insula_wire::Kind;
    /// let is_notice = |kind| kind != Kind::Data;
    /// assert!(is_notice(Kind::Exit));
    /// ```
    Kind from 0 {
        /// Sent by somebody.
        Data = "data",
        /// An exit notice.
        Exit = "exit",
        /// An error notice; the bytes are a [`RemoteError`](crate::RemoteError).
        Error = "error",
        /// An answered ping.
        Ping = "ping",
    }
}

wire_enum! {
    /// What a handle names.
    HandleKind from 0 {
        /// The receiving end of a port.
        ReceivePort = "receive-port",
        /// The right to send to a port.
        SendPort = "send-port",
        /// A token that is equal to itself only.
        Capability = "capability",
        /// The control port of an isolate.
        Control = "control",
        /// Bytes that move.
        Blob = "blob",
    }
}

wire_enum! {
    /// What a send to a full mailbox does.
    ///
    /// ```
    /// use insula_wire::MailboxPolicy;
    /// assert_eq!(MailboxPolicy::from_code(2), Some(MailboxPolicy::DropOldest));
    /// ```
    MailboxPolicy from 0 {
        /// It answers `Full`.
        Error = "error",
        /// It waits for room.
        Wait = "wait",
        /// The oldest message of the port makes room.
        DropOldest = "drop-oldest",
    }
}

wire_enum! {
    /// When a kill or a ping acts.
    ///
    /// ```
    /// use insula_wire::Priority;
    /// assert_eq!(Priority::from_code(0), Some(Priority::Immediate));
    /// ```
    Priority from 0 {
        /// In the middle of a busy loop too.
        Immediate = "immediate",
        /// At the end of the turn.
        BeforeNextEvent = "before-next-event",
    }
}

wire_enum! {
    /// What can be bounded at spawn.
    LimitKind from 0 {
        /// Linear memory in bytes.
        Memory = "memory",
        /// Table elements.
        TableElements = "table-elements",
        /// Wall time inside polls, in nanoseconds.
        CpuTime = "cpu-time",
        /// Wall time from admission to the end, in nanoseconds.
        Deadline = "deadline",
        /// As `Deadline`, without the time queued or paused.
        RunDeadline = "run-deadline",
        /// Messages queued in the mailbox.
        MailboxMessages = "mailbox-messages",
        /// Bytes queued in the mailbox.
        MailboxBytes = "mailbox-bytes",
        /// Bytes of one message.
        MessageBytes = "message-bytes",
        /// Handles in the table.
        Handles = "handles",
        /// Open receive ports.
        Ports = "ports",
        /// Bytes held in blobs.
        BlobBytes = "blob-bytes",
        /// The part of the mailbox that one sender may fill, in percent.
        SenderPercent = "sender-percent",
        /// Live descendants.
        Descendants = "descendants",
        /// Linear memory and blobs of all descendants together, in bytes.
        TreeMemory = "tree-memory",
        /// Bytes queued at all descendants together.
        TreeQueuedBytes = "tree-queued-bytes",
    }
}

wire_enum! {
    /// Authority handed to a child.
    GrantKind from 0 {
        /// `HOST::GUEST`, read only.
        ReadOnlyFolder = "read-only-folder",
        /// `HOST::GUEST`.
        ReadWriteFolder = "read-write-folder",
        /// `NAME=VALUE`.
        Environment = "environment",
        /// A namespace of the name server.
        Names = "names",
        /// A clock finer than 1 ms.
        FineClock = "fine-clock",
        /// Another module that may be spawned.
        Modules = "modules",
        /// An address that may be connected to.
        Network = "network",
        /// `NAME=VALUE`, which `isolates.config` tells.
        Config = "config",
    }
}
