//! One word per isolate that says what is asked of it and what it is doing.
//!
//! Anyone may set a request; the isolate looks at the word where a turn ends, and in its epoch callback.

use super::Call;
use crate::sync::atomic::{AtomicU32, Ordering};

const CALL_SHIFT: u32 = 24;

/// The word. Every operation is sequentially consistent: the scheduler's park and a kill meet here.
#[derive(Debug, Default)]
pub(crate) struct Flags(AtomicU32);

impl Flags {
    /// It is to end at once: a kill, a deadline, a limit, the host's end.
    pub(crate) const END: u32 = 1;
    /// It is to end at the end of its turn.
    pub(crate) const END_OF_TURN: u32 = 1 << 1;
    /// Pings wait for the end of its turn.
    pub(crate) const PINGED: u32 = 1 << 2;
    /// Its set of pauses is not empty.
    pub(crate) const PAUSED: u32 = 1 << 3;
    /// It is inside a wait of ours.
    pub(crate) const WAITING: u32 = 1 << 4;
    /// It waits for ports only: no timer and no deadline will wake it.
    pub(crate) const ASLEEP: u32 = 1 << 5;
    /// Somebody asked it to end by itself.
    pub(crate) const STOP: u32 = 1 << 6;
    /// Its entry was called.
    pub(crate) const ENTERED: u32 = 1 << 7;
    /// Whoever spawned it hands its exit code on: a code is no news then.
    pub(crate) const MAIN: u32 = 1 << 8;
    /// It registered a name at some time.
    pub(crate) const NAMED: u32 = 1 << 9;
    /// Its module is trusted: nothing interrupts it between its waits.
    pub(crate) const TRUSTED: u32 = 1 << 10;
    /// It was declared dead in the middle of its code, which may still run.
    pub(crate) const LEFT_BEHIND: u32 = 1 << 11;
    /// Somebody asks where in its code it is.
    pub(crate) const ASKED: u32 = 1 << 12;
    /// The bits that say which call its guest is in, if it is in one that can wait.
    pub(crate) const CALL: u32 = 0xff << CALL_SHIFT;
    /// What a wait must look at before it takes a message.
    pub(crate) const TURN: u32 = Flags::END | Flags::END_OF_TURN | Flags::PINGED | Flags::PAUSED;

    /// The bits of a call, to be set where it begins; [`Flags::CALL`] is cleared where it is over.
    pub(crate) const fn of_call(call: Call) -> u32 {
        call.bits(CALL_SHIFT)
    }

    /// The call that these bits are of.
    pub(crate) fn call_of(flags: u32) -> Option<Call> {
        Call::of_bits(flags, CALL_SHIFT)
    }

    /// The call that its guest is in.
    pub(crate) fn call(&self) -> Option<Call> {
        Flags::call_of(self.0.load(Ordering::SeqCst))
    }

    /// The number of that call, by which events know it.
    pub(crate) fn call_number(&self) -> Option<u8> {
        Call::number_of_bits(self.0.load(Ordering::SeqCst), CALL_SHIFT)
    }

    /// Sets these.
    pub(crate) fn set(&self, flags: u32) {
        self.0.fetch_or(flags, Ordering::SeqCst);
    }

    /// Takes these back.
    pub(crate) fn clear(&self, flags: u32) {
        self.0.fetch_and(!flags, Ordering::SeqCst);
    }

    /// Whether any of these is set.
    pub(crate) fn any(&self, flags: u32) -> bool {
        self.0.load(Ordering::SeqCst) & flags != 0
    }
}
