//! Ctrl-C and its like: the first asks the isolates to end and waits a little, the second ends the process at once.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use insula::Host;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals as Arrivals;

use super::code;

/// What the run has after them, to print what is left; a reader that stalls would make it wait for good.
const PRINTING: Duration = Duration::from_millis(500);

/// Watches for signals from its making until the process ends.
pub(super) struct Signals {
    /// The first one that came; 0 is none.
    caught: Arc<AtomicU8>,
    /// Whose isolates it ends.
    host: Arc<Mutex<Host>>,
}

impl Signals {
    /// From now on the first signal ends all isolates of `host`, which have `grace` for it, and with them its run. Then
    /// it calls `then`.
    pub(super) fn watch(host: &Host, grace: Duration, then: impl FnOnce() + Send + 'static) -> Result<Signals> {
        let arrivals = arrivals().context("cannot watch for signals")?;
        let signals = Signals { caught: Arc::new(AtomicU8::new(0)), host: Arc::new(Mutex::new(host.clone())) };
        let (caught, host) = (Arc::clone(&signals.caught), Arc::clone(&signals.host));
        let thread = std::thread::Builder::new().name("insula-signals".to_owned());
        let on_first = move || on_first(arrivals, &caught, &host, grace, then);
        thread.spawn(on_first).context("cannot watch for signals")?;
        Ok(signals)
    }

    /// From now on it ends this host's.
    pub(super) fn end(&self, host: &Host) {
        *self.host.lock().unwrap_or_else(PoisonError::into_inner) = host.clone();
    }

    /// The signal that ended the run, if one did.
    pub(super) fn caught(&self) -> Option<u8> {
        Some(self.caught.load(Ordering::SeqCst)).filter(|signal| *signal != 0)
    }
}

fn arrivals() -> std::io::Result<Arrivals> {
    let again = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first of them only sets the flag, and a later one finds it set.
        flag::register_conditional_shutdown(signal, i32::from(exit_code(signal)), Arc::clone(&again))?;
        flag::register(signal, Arc::clone(&again))?;
    }
    Arrivals::new([SIGINT, SIGTERM])
}

fn on_first(
    mut arrivals: Arrivals,
    caught: &AtomicU8,
    host: &Mutex<Host>,
    grace: Duration,
    then: impl FnOnce() + Send + 'static,
) {
    let Some(signal) = arrivals.forever().next() else { return };
    caught.store(u8::try_from(signal).unwrap_or(0), Ordering::SeqCst);
    let host = host.lock().unwrap_or_else(PoisonError::into_inner).clone();
    std::thread::spawn(move || {
        host.shutdown(grace);
        then();
    });
    // The run ends now, and the process with it, unless somebody stalls us.
    std::thread::sleep(grace.saturating_add(PRINTING));
    std::process::exit(i32::from(exit_code(signal)));
}

fn exit_code(signal: i32) -> u8 {
    code::of_signal(u8::try_from(signal).unwrap_or(0))
}
