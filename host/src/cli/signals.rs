//! SIGINT and SIGTERM: the first asks all isolates to end and gives them two seconds, the second ends at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use anyhow::Context;
use insula::Host;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals as Incoming;

/// How long isolates that were asked to end may take.
const GRACE: Duration = Duration::from_secs(2);

/// What came from outside.
pub(super) struct Signals(Arc<AtomicI32>);

impl Signals {
    /// Takes signals from here on, on behalf of this host.
    pub(super) fn forward_to(host: &Host) -> anyhow::Result<Signals> {
        let mut incoming = Incoming::new([SIGINT, SIGTERM]).context("signals cannot be taken")?;
        let first = Arc::new(AtomicI32::new(0));
        let (host, seen) = (host.clone(), Arc::clone(&first));
        std::thread::Builder::new().name("insula-signals".to_owned()).spawn(move || {
            for signal in incoming.forever() {
                if seen.swap(signal, Ordering::SeqCst) != 0 {
                    std::process::exit(code(signal).into());
                }
                let host = host.clone();
                std::thread::spawn(move || host.shutdown(GRACE));
            }
        })?;
        Ok(Signals(first))
    }

    /// The exit code, if a signal came.
    pub(super) fn code(&self) -> Option<u8> {
        match self.0.load(Ordering::SeqCst) {
            0 => None,
            signal => Some(code(signal)),
        }
    }
}

/// 128 and the signal's number, as a shell has it.
fn code(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(super::FAILED)
}
