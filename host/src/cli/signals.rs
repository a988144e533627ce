//! Ctrl-C and its like: the first asks the isolates to end and waits a little, the second ends the process at once.
//!
//! As long as nothing runs yet, the first one ends the process too. A run that is over has its exit code, and no signal
//! changes it: the first ends what the command still waits for.
//!
//! The thread that waits for them waits for who wants to look into the run as well, which seldom comes either.

use std::io;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use insula::{Host, Summons};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;
use signal_hook::{SigId, flag, low_level};

use super::live::{Door, Way};
use super::{alarm, code};

/// What the run has after them, to print what is left; a reader that stalls would make it wait for good.
const PRINTING: Duration = Duration::from_millis(500);

/// How old a run is before somebody may want to look into it. Most are over by then.
const YOUNG: Duration = Duration::from_millis(10);

/// How long until something is tried again for which the system has nothing now.
const AGAIN: Duration = Duration::from_millis(50);

/// The thread that will wait for signals, which has nothing to do until this is gone.
pub(super) struct Lookout(Sender<Job>);

type Job = Box<dyn FnOnce() + Send>;

impl Lookout {
    /// Has it do this meanwhile. As long as nothing runs, a signal needs nobody who waits for it.
    pub(super) fn meanwhile(self, job: Job) {
        // It waits for one.
        let _ = self.0.send(job);
    }
}

/// Watches for signals from its making until the process ends.
pub(super) struct Signals(Arc<Watched>);

struct Watched {
    state: Mutex<State>,
    /// What the thread that waits for signals needs, until it has begun.
    post: Mutex<Option<Post>>,
    has_lookout: AtomicBool,
}

/// What is done on the first signal, and what it arrives at.
struct Post {
    arrivals: Arrivals,
    grace: Duration,
    then: Job,
}

struct State {
    phase: Phase,
    /// Whose isolates the first one ends, and where it is looked into; none before it is made.
    run: Option<(Host, Option<Way>)>,
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
    /// From now on a signal ends the process; and from when a run begins, the first ends all isolates of its host, which have
    /// `grace` for it, and with them the run. Then it calls `then`. For that there has to be a [lookout](Signals::lookout).
    pub(super) fn watch(grace: Duration, then: impl FnOnce() + Send + 'static) -> Result<Signals> {
        let (second, arrivals) = arrivals().context("cannot watch for signals")?;
        let state = Mutex::new(State { phase: Phase::Running, run: None, second });
        let post = Mutex::new(Some(Post { arrivals, grace, then: Box::new(then) }));
        Ok(Signals(Arc::new(Watched { state, post, has_lookout: AtomicBool::new(false) })))
    }

    /// Starts the thread that waits for signals. One is enough.
    pub(super) fn lookout(&self) -> Result<Lookout> {
        let (sender, jobs) = channel();
        let theirs = Arc::clone(&self.0);
        let thread = std::thread::Builder::new().name("insula-signals".to_owned());
        thread.spawn(move || theirs.look_out(jobs)).context("cannot watch for signals")?;
        self.0.has_lookout.store(true, Ordering::SeqCst);
        Ok(Lookout(sender))
    }

    /// Where there is no lookout, has what needs one call for it: a signal; and time, since somebody may want to look into a
    /// run that lasts. A thread takes a fifteenth of the time of a run that does not.
    pub(super) fn call_by(&self, summons: &Summons) -> Result<()> {
        if self.0.has_lookout.load(Ordering::SeqCst) {
            return Ok(());
        }
        alarm::calls(&[SIGINT, SIGTERM], YOUNG, summons).context("cannot watch for signals")
    }

    /// Starts the lookout, if there is none. Where the system gives no thread now, the next call asks again.
    pub(super) fn attend(&self) {
        if !self.0.has_lookout.load(Ordering::SeqCst) && self.lookout().is_ok() {
            alarm::end();
        }
    }

    /// The first run begins.
    pub(super) fn begin(&self) {
        self.0.lock().second.came.store(false, Ordering::SeqCst);
    }

    /// From now on it ends this host's. Who comes this way finds the door opened.
    pub(super) fn end(&self, host: &Host, way: Option<&Way>) {
        self.0.lock().run = Some((host.clone(), way.cloned()));
    }

    /// The signal that ended the run, if one did.
    pub(super) fn caught(&self) -> Option<u8> {
        self.0.lock().caught()
    }

    /// The run is over, and the process ends with this code, whatever signals come from now on; unless one ended the run,
    /// which is answered.
    pub(super) fn over(&self, code: u8) -> Option<u8> {
        let mut state = self.0.lock();
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
        match &mut self.0.lock().phase {
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

impl Drop for Second {
    fn drop(&mut self) {
        self.unregister();
    }
}

impl Second {
    /// Ends the process with this code from now on. The next signal is the first.
    fn ends_with(&mut self, code: impl Fn(i32) -> u8) {
        self.unregister();
        self.came = Arc::default();
        // They could be registered before; if one cannot be now, that signal does not end the process at once.
        let _ = self.register(code);
    }

    fn register(&mut self, code: impl Fn(i32) -> u8) -> io::Result<()> {
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first of them only sets the flag, and a later one finds it set.
            let status = i32::from(code(signal));
            self.handlers.push(flag::register_conditional_shutdown(signal, status, Arc::clone(&self.came))?);
            self.handlers.push(flag::register(signal, Arc::clone(&self.came))?);
        }
        Ok(())
    }

    fn unregister(&mut self) {
        for id in self.handlers.drain(..) {
            low_level::unregister(id);
        }
    }
}

/// Signals as they arrive, at a pipe of their own.
type Arrivals = SignalDelivery<UnixStream, SignalOnly>;

fn arrivals() -> io::Result<(Second, Arrivals)> {
    let mut second = Second { handlers: Vec::new(), came: Arc::new(AtomicBool::new(true)) };
    second.register(exit_code)?;
    let (read, write) = UnixStream::pair()?;
    Ok((second, Arrivals::with_pipe(read, write, SignalOnly, [SIGINT, SIGTERM])?))
}

/// Where those knock who want to look into the run, as the lookout knows it.
enum Knocks {
    /// Nobody is expected yet.
    Young,
    At(Arc<Door>),
    /// Somebody else waits for them, or there is no such place.
    Elsewhere,
}

impl Knocks {
    fn door(&self) -> Option<&Arc<Door>> {
        match self {
            Knocks::At(door) => Some(door),
            Knocks::Young | Knocks::Elsewhere => None,
        }
    }

    /// Opens the door, for good. Where there is no thread for it now, whoever knocks waits.
    fn open(&mut self) {
        match self.door().map(Door::open) {
            Some(Err(_)) => std::thread::sleep(AGAIN),
            Some(Ok(())) | None => *self = Knocks::Elsewhere,
        }
    }
}

impl Watched {
    /// Does these jobs, as long as some may come, and waits for signals.
    fn look_out(&self, jobs: Receiver<Job>) {
        // One that panics has said so.
        jobs.into_iter().for_each(|job| drop(catch_unwind(AssertUnwindSafe(job))));
        let post = self.post.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(post) = post {
            self.on_first(post);
        }
    }

    fn on_first(&self, Post { mut arrivals, grace, then }: Post) {
        let mut knocks = Knocks::Young;
        let signal = self.first_signal(&mut arrivals, &mut knocks);
        let code = first(&mut self.lock(), signal, grace, then);
        // Nobody waits here any more for who wants to see why it does not end.
        if let Knocks::Young = knocks {
            knocks = self.knocks();
        }
        knocks.open();
        // The run ends now, and the process with it, unless somebody stalls us.
        std::thread::sleep(grace.saturating_add(PRINTING));
        std::process::exit(i32::from(code));
    }

    /// Waits for the first signal. Who knocks meanwhile finds the door opened.
    fn first_signal(&self, arrivals: &mut Arrivals, knocks: &mut Knocks) -> i32 {
        loop {
            let signals = PollFd::new(arrivals.get_read(), PollFlags::IN);
            let mut waited: Vec<PollFd<'_>> =
                knocks.door().map(|door| PollFd::new(door, PollFlags::IN)).into_iter().chain([signals]).collect();
            // Longer than that it waits only where it knows where they knock.
            let young = Timespec { tv_sec: 0, tv_nsec: YOUNG.subsec_nanos().into() };
            let polled = poll(&mut waited, matches!(knocks, Knocks::Young).then_some(&young));
            let is_knocked = waited.len() > 1 && !waited[0].revents().is_empty();
            match polled {
                Ok(0) => *knocks = self.knocks(),
                Ok(_) if is_knocked => knocks.open(),
                Ok(_) | Err(Errno::INTR) => {}
                // The system has no memory for it now.
                Err(_) => std::thread::sleep(AGAIN),
            }
            if let Some(signal) = arrivals.pending().next() {
                return signal;
            }
        }
    }

    /// Where the run is looked into from now on.
    fn knocks(&self) -> Knocks {
        let way = match &self.lock().run {
            None => return Knocks::Young,
            Some((_, way)) => way.clone(),
        };
        way.and_then(|way| way.door()).map_or(Knocks::Elsewhere, Knocks::At)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does what the first signal does, and answers the code that the process ends with.
fn first(state: &mut State, signal: i32, grace: Duration, then: Job) -> u8 {
    if let Phase::Over { code, wait } = &mut state.phase {
        if let Wait::For(give_up) = std::mem::replace(wait, Wait::GivenUp) {
            give_up();
        }
        return *code;
    }
    state.phase = Phase::Caught(u8::try_from(signal).unwrap_or(0));
    let host = state.run.as_ref().map(|(host, _)| host.clone());
    let ends = move || {
        if let Some(host) = host {
            host.shutdown(grace);
        }
        then();
    };
    // Where the system gives no thread the process ends after the same time, whoever is still at what.
    drop(std::thread::Builder::new().spawn(ends));
    exit_code(signal)
}

fn exit_code(signal: i32) -> u8 {
    code::of_signal(u8::try_from(signal).unwrap_or(0))
}
