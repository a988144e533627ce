//! Ctrl-C and its like: the first asks the isolates to end and waits a little, the second ends the process at once.
//!
//! As long as nothing runs yet, the first one ends the process too. A run that is over has its exit code, and no signal
//! changes it: the first ends what the command still waits for.
//!
//! The thread that waits for them waits for who wants to look into the run as well, which seldom comes either.

use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use insula::Host;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;
use signal_hook::{SigId, flag, low_level};

use super::code;
use super::live::Door;

/// What the run has after them, to print what is left; a reader that stalls would make it wait for good.
const PRINTING: Duration = Duration::from_millis(500);

/// How long until something is tried again for which the system has nothing now.
const AGAIN: Duration = Duration::from_millis(50);

/// The thread that will wait for signals. It begins before there is anything to wait for: the beginning of a thread takes
/// memory from the system, and the loading of a program, which does so too, would wait for it.
pub(super) struct Lookout(Sender<Box<dyn FnOnce() + Send>>);

impl Lookout {
    /// Starts the thread.
    pub(super) fn begin() -> Result<Lookout> {
        let (sender, receiver) = channel::<Box<dyn FnOnce() + Send>>();
        let thread = std::thread::Builder::new().name("insula-signals".to_owned());
        // Whoever is gone without a run has nothing for it to do; after a job that panics comes the next one.
        let watch = move || receiver.iter().for_each(|job| drop(catch_unwind(AssertUnwindSafe(job))));
        thread.spawn(watch).context("cannot watch for signals")?;
        Ok(Lookout(sender))
    }

    /// Has it do this next. As long as nothing runs, a signal needs nobody who waits for it.
    pub(super) fn next(&self, job: impl FnOnce() + Send + 'static) {
        // It waits for one.
        let _ = self.0.send(Box::new(job));
    }
}

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
    /// From now on a signal ends the process; and from when a run begins, the first ends all isolates of `host`, which have
    /// `grace` for it, and with them its run. Then it calls `then`. Who knocks at the door finds it opened.
    pub(super) fn watch(
        lookout: &Lookout,
        host: &Host,
        grace: Duration,
        door: Option<Arc<Door>>,
        then: impl FnOnce() + Send + 'static,
    ) -> Result<Signals> {
        let (second, arrivals) = arrivals().context("cannot watch for signals")?;
        let state = Arc::new(Mutex::new(State { phase: Phase::Running, host: host.clone(), second }));
        let theirs = Arc::clone(&state);
        let on_first = move || on_first(arrivals, door, &theirs, grace, then);
        lookout.next(on_first);
        Ok(Signals(state))
    }

    /// The first run begins.
    pub(super) fn begin(&self) {
        lock(&self.0).second.came.store(false, Ordering::SeqCst);
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
struct Second {
    handlers: Vec<SigId>,
    /// Whether the first one came; before a run begins, as if it had.
    came: Arc<AtomicBool>,
}

impl Second {
    /// Ends the process with this code from now on. The next signal is the first.
    fn ends_with(&mut self, code: impl Fn(i32) -> u8) {
        for id in self.handlers.drain(..) {
            low_level::unregister(id);
        }
        self.came = Arc::default();
        // They could be registered before; if one cannot be now, that signal does not end the process at once.
        let _ = self.register(code);
    }

    fn register(&mut self, code: impl Fn(i32) -> u8) -> std::io::Result<()> {
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first of them only sets the flag, and a later one finds it set.
            let status = i32::from(code(signal));
            self.handlers.push(flag::register_conditional_shutdown(signal, status, Arc::clone(&self.came))?);
            self.handlers.push(flag::register(signal, Arc::clone(&self.came))?);
        }
        Ok(())
    }
}

/// Signals as they arrive, at a pipe of their own.
type Arrivals = SignalDelivery<UnixStream, SignalOnly>;

fn arrivals() -> std::io::Result<(Second, Arrivals)> {
    let mut second = Second { handlers: Vec::new(), came: Arc::new(AtomicBool::new(true)) };
    second.register(exit_code)?;
    let (read, write) = UnixStream::pair()?;
    Ok((second, Arrivals::with_pipe(read, write, SignalOnly, [SIGINT, SIGTERM])?))
}

/// Waits for the first signal. Who knocks meanwhile finds the door opened.
fn first_signal(arrivals: &mut Arrivals, door: &mut Option<Arc<Door>>) -> i32 {
    loop {
        let signals = PollFd::new(arrivals.get_read(), PollFlags::IN);
        let mut waited: Vec<PollFd<'_>> =
            door.iter().map(|door| PollFd::new(door, PollFlags::IN)).chain([signals]).collect();
        let polled = poll(&mut waited, None);
        let knocks = waited.len() > 1 && !waited[0].revents().is_empty();
        match polled {
            Ok(_) if knocks => open(door),
            Ok(_) | Err(Errno::INTR) => {}
            // The system has no memory for it now.
            Err(_) => std::thread::sleep(AGAIN),
        }
        if let Some(signal) = arrivals.pending().next() {
            return signal;
        }
    }
}

/// Opens the door, for good. Where there is no thread for it now, whoever knocks waits.
fn open(door: &mut Option<Arc<Door>>) {
    match door.as_ref().map(Door::open) {
        Some(Err(_)) => std::thread::sleep(AGAIN),
        Some(Ok(())) | None => *door = None,
    }
}

fn on_first(
    mut arrivals: Arrivals,
    mut door: Option<Arc<Door>>,
    state: &Mutex<State>,
    grace: Duration,
    then: impl FnOnce() + Send + 'static,
) {
    let signal = first_signal(&mut arrivals, &mut door);
    // Nobody waits here any more for who wants to see why it does not end.
    open(&mut door);
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
    let ends = move || {
        host.shutdown(grace);
        then();
    };
    // Where the system gives no thread the process ends after the same time, whoever is still at what.
    drop(std::thread::Builder::new().spawn(ends));
    exit_code(signal)
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn exit_code(signal: i32) -> u8 {
    code::of_signal(u8::try_from(signal).unwrap_or(0))
}
