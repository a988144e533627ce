//! What the shell is told: the one place where exit codes are decided.
//!
//! | code | when |
//! |---|---|
//! | the guest's | main called `proc_exit`, as Rust's `std::process::exit` does, and a Rust `main` that returned `Err` (1) |
//! | 0 | main returned or exited, and all others ended |
//! | 1 | a failure of ours; main reported a failure, or exceeded a limit; all are asleep; `--on-child-error fail` |
//! | 2 | the command line makes no sense |
//! | 101 | a test failed, as cargo has it |
//! | 134 | main trapped or panicked, in its start function too, as after `SIGABRT` |
//! | 137 | main was killed, as after `SIGKILL` |
//! | 130, 143 | `SIGINT`, `SIGTERM` |

use std::process::ExitCode;

use insula::{Ended, Exit};

/// A failure that is not the guest's.
pub(crate) const FAILURE: u8 = 1;
/// A command line that makes no sense.
pub(crate) const USAGE: u8 = 2;
const ABORTED: u8 = 134;
const KILLED: u8 = 137;
/// What libtest ends with, and cargo.
const TEST_FAILED: u8 = 101;
/// A shell adds the number of the signal.
const SIGNALLED: u8 = 128;

/// How a command ended that did what it was asked for.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The program ended, and perhaps a child of it failed in a way that counts.
    Ended { ended: Ended, child_failed: bool },
    /// It did what it was asked for.
    Done,
    /// The program was ended on behalf of this signal.
    Signalled(u8),
    /// Tests ran.
    Tested {
        /// No test failed.
        all_passed: bool,
    },
    /// What was handed on made no sense as a command line, and that is said.
    Misused,
    /// An answer was given, to the user or to a host; this is how such a process ends.
    Answered(ExitCode),
}

impl Outcome {
    /// The exit code of the process.
    pub(crate) fn code(&self) -> ExitCode {
        match self {
            Outcome::Signalled(signal) => of_signal(*signal).into(),
            Outcome::Ended { ended, child_failed } => of_run(ended, *child_failed).into(),
            Outcome::Tested { all_passed: true } => 0.into(),
            Outcome::Tested { all_passed: false } => TEST_FAILED.into(),
            Outcome::Misused => USAGE.into(),
            Outcome::Answered(code) => *code,
            Outcome::Done => ExitCode::SUCCESS,
        }
    }
}

/// As a program of these isolates ends.
pub(crate) fn of_run(ended: &Ended, child_failed: bool) -> u8 {
    match (&ended.asleep, of_main(&ended.main)) {
        (Some(_), _) => FAILURE,
        (None, 0) if child_failed => FAILURE,
        (None, code) => code,
    }
}

/// As a shell reports a program that a signal ended.
pub(crate) fn of_signal(signal: u8) -> u8 {
    SIGNALLED + signal
}

fn of_main(exit: &Exit) -> u8 {
    match exit {
        Exit::Returned | Exit::Exited => 0,
        // The system keeps the low byte, for native programs too.
        Exit::ProcExit { code } => (code & 0xff) as u8,
        Exit::Panicked { .. } | Exit::Trapped { .. } | Exit::StartFailed { .. } => ABORTED,
        Exit::Killed { .. } => KILLED,
        // Failed, Limit, Deadline, HostFault, HostClosed, and what a later library may add.
        _ => FAILURE,
    }
}

#[cfg(test)]
mod tests {
    use insula::Killer;

    use super::*;

    #[test]
    fn every_end_has_its_code() {
        let (kind, frames) = ("unreachable".to_owned(), Vec::new());
        for (exit, code) in [
            (Exit::Returned, 0),
            (Exit::Exited, 0),
            (Exit::ProcExit { code: 0 }, 0),
            (Exit::ProcExit { code: 7 }, 7),
            (Exit::ProcExit { code: 0x1ff }, 255),
            (Exit::Trapped { kind, frames }, 134),
            (Exit::Killed { by: Killer::Embedder }, 137),
            (Exit::HostClosed, 1),
            (Exit::HostFault { message: String::new() }, 1),
        ] {
            assert_eq!(of_main(&exit), code, "{exit:?}");
        }
        assert_eq!((of_signal(2), of_signal(15)), (130, 143));
    }
}
