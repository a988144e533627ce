//! Ctrl-C and its like: the first asks the isolates to end and waits a little, the second ends the process at once.
//!
//! A run that is over has its exit code, and no signal changes it: the first ends what the command still waits for.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use insula::Host;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals as Arrivals;
use signal_hook::{SigId, flag, low_level};

use super::code;

/// What the run has after them, to print what is left; a reader that stalls would make it wait for good.
const PRINTING: Duration = Duration::from_millis(500);

/// Watches for signals from its making until the process ends.
pub(super) struct Signals(Arc<Mutex<State>>);

struct State {
    phase: Phase,
    /// Whose isolates the first one ends.
    host: Host,
    /// What the second one does.
    second: Second,
}

/// Where the run is, as a signal finds it.
enum Phase {
    Running,
    /// This signal came while it ran, and ends it.
    Caught(u8),
    /// It is over, and the process ends with this code.
    Over {
        code: u8,
        wait: Wait,
    },
}

/// What a run that is over waits for.
enum Wait {
    Nothing,
    /// What can be given up: this does so.
    #[cfg_attr(not(feature = "otlp"), allow(dead_code, reason = "only an export is waited for"))]
    For(Box<dyn FnOnce() + Send>),
    /// A signal came, and nothing is waited for any more.
    GivenUp,
}

impl Signals {
    /// From now on the first signal ends all isolates of `host`, which have `grace` for it, and with them its run. Then
    /// it calls `then`.
    pub(super) fn watch(host: &Host, grace: Duration, then: impl FnOnce() + Send + 'static) -> Result<Signals> {
        let (second, arrivals) = arrivals().context("cannot watch for signals")?;
        let state = Arc::new(Mutex::new(State { phase: Phase::Running, host: host.clone(), second }));
        let theirs = Arc::clone(&state);
        let thread = std::thread::Builder::new().name("insula-signals".to_owned());
        let on_first = move || on_first(arrivals, &theirs, grace, then);
        thread.spawn(on_first).context("cannot watch for signals")?;
        Ok(Signals(state))
    }

    /// From now on it ends this host's.
    pub(super) fn end(&self, host: &Host) {
        lock(&self.0).host = host.clone();
    }

    /// The signal that ended the run, if one did.
    pub(super) fn caught(&self) -> Option<u8> {
        lock(&self.0).caught()
    }

    /// The run is over, and the process ends with this code, whatever signals come from now on; unless one ended the run,
    /// which is answered.
    pub(super) fn over(&self, code: u8) -> Option<u8> {
        let mut state = lock(&self.0);
        let caught = state.caught();
        if caught.is_none() {
            state.second.ends_with(|_| code);
            state.phase = Phase::Over { code, wait: Wait::Nothing };
        }
        caught
    }

    /// A run that is over waits for something that it can do without: a signal calls `give_up`, and so does one that came
    /// since it was over.
    #[cfg_attr(not(feature = "otlp"), expect(dead_code, reason = "only an export is waited for"))]
    pub(super) fn may_end_a_wait(&self, give_up: impl FnOnce() + Send + 'static) {
        match &mut lock(&self.0).phase {
            Phase::Running | Phase::Caught(_) => {}
            Phase::Over { wait: Wait::GivenUp, .. } => give_up(),
            Phase::Over { wait, .. } => *wait = Wait::For(Box::new(give_up)),
        }
    }
}

impl State {
    fn caught(&self) -> Option<u8> {
        match self.phase {
            Phase::Caught(signal) => Some(signal),
            Phase::Running | Phase::Over { .. } => None,
        }
    }
}

/// What a signal does that is not the first: it ends the process, without help of any thread's.
struct Second(Vec<SigId>);

impl Second {
    /// Ends the process with this code from now on. The next signal is the first.
    fn ends_with(&mut self, code: impl Fn(i32) -> u8) {
        for id in self.0.drain(..) {
            low_level::unregister(id);
        }
        // They could be registered before; if one cannot be now, that signal does not end the process at once.
        let _ = self.register(code);
    }

    fn register(&mut self, code: impl Fn(i32) -> u8) -> std::io::Result<()> {
        let again = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first of them only sets the flag, and a later one finds it set.
            let status = i32::from(code(signal));
            self.0.push(flag::register_conditional_shutdown(signal, status, Arc::clone(&again))?);
            self.0.push(flag::register(signal, Arc::clone(&again))?);
        }
        Ok(())
    }
}

fn arrivals() -> std::io::Result<(Second, Arrivals)> {
    let mut second = Second(Vec::new());
    second.register(exit_code)?;
    Ok((second, Arrivals::new([SIGINT, SIGTERM])?))
}

fn on_first(mut arrivals: Arrivals, state: &Mutex<State>, grace: Duration, then: impl FnOnce() + Send + 'static) {
    let Some(signal) = arrivals.forever().next() else { return };
    let code = first(&mut lock(state), signal, grace, then);
    // The run ends now, and the process with it, unless somebody stalls us.
    std::thread::sleep(grace.saturating_add(PRINTING));
    std::process::exit(i32::from(code));
}

/// Does what the first signal does, and answers the code that the process ends with.
fn first(state: &mut State, signal: i32, grace: Duration, then: impl FnOnce() + Send + 'static) -> u8 {
    if let Phase::Over { code, wait } = &mut state.phase {
        if let Wait::For(give_up) = std::mem::replace(wait, Wait::GivenUp) {
            give_up();
        }
        return *code;
    }
    state.phase = Phase::Caught(u8::try_from(signal).unwrap_or(0));
    let host = state.host.clone();
    std::thread::spawn(move || {
        host.shutdown(grace);
        then();
    });
    exit_code(signal)
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn exit_code(signal: i32) -> u8 {
    code::of_signal(u8::try_from(signal).unwrap_or(0))
}
