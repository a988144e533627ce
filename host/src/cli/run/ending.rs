//! How a run ends: whom it waits for, how long isolates have after a signal, and whether an error that nobody heard is
//! one of the run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::{Args, ValueEnum};
use insula::{HostBuilder, Uncaught, Wait};

use crate::cli::report::{Backtrace, Shown};
use crate::cli::units::duration;

/// The flags of a run's end.
#[derive(Args, Debug)]
#[command(next_help_heading = "How it ends")]
pub(in crate::cli) struct EndingFlags {
    /// What the run waits for when its main has returned
    #[arg(long, value_name = "WHOM", value_enum, default_value_t = WaitFor::default())]
    pub(super) wait: WaitFor,

    /// What isolates have to end by themselves after a signal
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "2s")]
    pub(super) grace: Duration,

    /// What an error that no isolate listens for means for the exit code of a main that returned
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = OnChildError::default())]
    pub(super) on_child_error: OnChildError,

    /// Which frames of an isolate that failed are shown; by default short, or full if RUST_BACKTRACE=full
    #[arg(long, value_name = "FRAMES", value_enum)]
    pub(super) backtrace: Option<Backtrace>,
}

impl Default for EndingFlags {
    fn default() -> EndingFlags {
        let (wait, on_child_error) = (WaitFor::default(), OnChildError::default());
        EndingFlags { wait, grace: Duration::from_secs(2), on_child_error, backtrace: None }
    }
}

/// Whom a run waits for.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum WaitFor {
    /// All isolates.
    #[default]
    All,
    /// Its main only; the others are ended then.
    Main,
}

/// What becomes of an error that no isolate listens for.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum OnChildError {
    /// It is printed, and the exit code is main's.
    #[default]
    Report,
    /// It is printed, and the exit code is 1 where main's is 0.
    Fail,
}

impl From<WaitFor> for Wait {
    fn from(wait: WaitFor) -> Wait {
        match wait {
            WaitFor::All => Wait::All,
            WaitFor::Main => Wait::Main,
        }
    }
}

/// Whether an error came that no isolate listened for.
#[derive(Clone, Debug, Default)]
pub(super) struct Unheard(Arc<AtomicBool>);

impl Unheard {
    /// Has a host tell of such errors, and notes that there was one.
    pub(super) fn noted_by(&self, builder: HostBuilder, shown: Shown) -> HostBuilder {
        let noted = Arc::clone(&self.0);
        builder.spawn_frames(true).on_uncaught(move |uncaught: &Uncaught| {
            noted.store(true, Ordering::SeqCst);
            shown.tell(uncaught);
        })
    }

    /// Whether there was one.
    pub(super) fn any(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
