//! The side of the run: who asks over the socket is answered, by threads that are there from the first of them on.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use insula::{Capability, Doing, Host, Isolate, Priority};

use super::super::report;
use super::news::Heard;
use super::protocol::{ASK_BYTES_MAX, Answer, Ask, Row, Run};
use super::{socket, stack};

/// Who may ask at one time.
const ASKERS_MAX: usize = 8;

/// How long an isolate has for the end of its turn.
const PING: Duration = Duration::from_secs(5);

/// How long an answer waits for news that it is to tell, and how long until it looks again.
const NEWS: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(50);

/// How long an answer waits for who asked.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long somebody may say nothing who has one of the places of those who ask.
const SILENCE: Duration = Duration::from_secs(60);

/// How long one that cannot be let in waits, where the process has no descriptor left.
const AGAIN: Duration = Duration::from_millis(50);

/// A run that can be asked. Dropped, its socket is gone, and nobody here holds its host any more.
pub(in crate::cli) struct Answering {
    socket: PathBuf,
    shared: Arc<Shared>,
    door: Arc<Door>,
}

/// Where those who ask knock. Whoever waits for that has them answered by [`Door::open`].
pub(in crate::cli) struct Door {
    listener: UnixListener,
    shared: Arc<Shared>,
    is_open: AtomicBool,
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        // Who waits for news is told the last of them.
        drop(self.shared.looks.lock());
        self.shared.bell.notify_all();
        // What was asked may be what ended the run: whoever asked it is told that it was done.
        drop(self.shared.answers.write());
        drop(self.shared.host.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.shared.paused().clear();
        if self.door.is_open.swap(true, Ordering::SeqCst) {
            // Its thread waits for who comes next.
            self.door.shut(&self.socket);
        }
        // Who asks finds nobody in any case.
        let _ = std::fs::remove_file(&self.socket);
    }
}

/// What those who ask share.
struct Shared {
    /// Until the run is over.
    host: Mutex<Option<Host>>,
    over: AtomicBool,
    /// Rung when it is over.
    bell: Condvar,
    looks: Mutex<()>,
    /// Held by who answers, but for what may take a while.
    answers: RwLock<()>,
    program: String,
    began: Instant,
    /// Who is paused from here. As long as it is, somebody can wake it: so its handle is kept.
    paused: Mutex<HashMap<u64, (Isolate, Capability)>>,
    asking: AtomicUsize,
}

impl Answering {
    /// Listens at this path, or where `insula ps` looks for the runs of this user.
    pub(in crate::cli) fn listen(host: &Host, program: &str, path: Option<PathBuf>) -> Result<Answering> {
        let socket = path.map_or_else(|| socket::of(std::process::id()), Ok)?;
        let cannot = || format!("cannot listen at {}", report::path(&socket));
        let listener = bind(&socket).with_context(cannot)?;
        let shared = Arc::new(Shared {
            host: Mutex::new(Some(host.clone())),
            over: AtomicBool::new(false),
            bell: Condvar::new(),
            looks: Mutex::default(),
            answers: RwLock::default(),
            program: program.to_owned(),
            began: Instant::now(),
            paused: Mutex::default(),
            asking: AtomicUsize::new(0),
        });
        let door = Arc::new(Door { listener, shared: Arc::clone(&shared), is_open: AtomicBool::new(false) });
        // From here on the socket goes with it.
        let answering = Answering { socket: socket.clone(), shared, door };
        let only_owner = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&socket, only_owner).with_context(cannot)?;
        Ok(answering)
    }

    /// Where those who ask knock.
    pub(in crate::cli) fn door(&self) -> &Arc<Door> {
        &self.door
    }
}

impl AsFd for Door {
    /// Can be read when somebody knocks.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

impl Door {
    /// Has the thread look whether the run is over.
    fn shut(&self, socket: &Path) {
        let listener = self.listener.try_clone().map(|listener| UnixStream::from(OwnedFd::from(listener)));
        if listener.and_then(|listener| listener.shutdown(Shutdown::Both)).is_err() {
            // Where one that listens cannot be shut down.
            drop(UnixStream::connect(socket));
        }
    }

    /// From now on there is a thread for those who ask.
    ///
    /// # Errors
    /// When the system gives none.
    pub(in crate::cli) fn open(self: &Arc<Door>) -> std::io::Result<()> {
        if self.is_open.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        let door = Arc::clone(self);
        let thread = std::thread::Builder::new().name("insula-socket".to_owned());
        let accepts = thread.spawn(move || accept(&door.listener, &door.shared));
        accepts.map(drop).inspect_err(|_| self.is_open.store(false, Ordering::SeqCst))
    }
}

/// Binds the socket, in the place of one that nobody listens at any more.
fn bind(socket: &Path) -> std::io::Result<UnixListener> {
    let refused =
        |socket: &Path| UnixStream::connect(socket).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused);
    match UnixListener::bind(socket) {
        Err(error) if error.kind() == ErrorKind::AddrInUse && is_socket(socket) && refused(socket) => {
            std::fs::remove_file(socket)?;
            UnixListener::bind(socket)
        }
        bound => bound,
    }
}

fn is_socket(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
}

fn accept(listener: &UnixListener, shared: &Arc<Shared>) {
    for asker in listener.incoming() {
        if shared.over.load(Ordering::SeqCst) {
            return;
        }
        let Ok(asker) = asker else {
            // As long as the process has no descriptor left there is nothing to wait for but time.
            std::thread::sleep(AGAIN);
            continue;
        };
        let asking = Asking(Arc::clone(shared));
        if shared.asking.fetch_add(1, Ordering::SeqCst) >= ASKERS_MAX {
            continue;
        }
        let thread = std::thread::Builder::new().name("insula-asker".to_owned());
        let serve = move || {
            // Who goes away in the middle of an answer, or says nothing for long, asks no more.
            let _ = asking.0.serve(&asker);
        };
        // Without a thread nobody is answered, and the place is given back here.
        let _ = thread.spawn(serve);
    }
}

/// One who asks, counted among those who do, whatever comes of it.
struct Asking(Arc<Shared>);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.asking.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Shared {
    fn serve(&self, asker: &UnixStream) -> std::io::Result<()> {
        // Nobody waits long for who does not read.
        asker.set_write_timeout(Some(PATIENCE))?;
        asker.set_read_timeout(Some(SILENCE))?;
        let (mut lines, mut heard) = (BufReader::new(asker), Heard::default());
        loop {
            let mut line = String::new();
            if lines.by_ref().take(ASK_BYTES_MAX).read_line(&mut line)? == 0 {
                return Ok(());
            }
            let ask = serde_json::from_str::<Ask>(&line);
            let takes_a_while = matches!(ask, Ok(Ask::Ping { .. } | Ask::Stack { .. }));
            let _answers = (!takes_a_while).then(|| self.answers.read());
            let answer = match ask {
                Ok(Ask::Logs { isolate, wait }) => self.news(&mut heard, isolate, wait),
                Ok(ask) => self.answer(&ask),
                Err(error) => Answer::Refused { why: format!("this is nothing that can be asked: {error}") },
            };
            let mut text = serde_json::to_string(&answer)?;
            text.push('\n');
            (&mut &*asker).write_all(text.as_bytes())?;
        }
    }

    fn host(&self) -> Option<Host> {
        self.host.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is new; the host is not held while there is nothing.
    fn news(&self, heard: &mut Heard, isolate: Option<u64>, wait: bool) -> Answer {
        let began = Instant::now();
        loop {
            let over = self.over.load(Ordering::SeqCst);
            let Some(host) = self.host() else { return Answer::Refused { why: "the run is over".to_owned() } };
            let answer = heard.news(&host, isolate, over);
            drop(host);
            let nothing = matches!(&answer, Answer::Logs { texts, over: false, .. } if texts.is_empty());
            if !nothing || !wait || began.elapsed() >= NEWS {
                return answer;
            }
            let looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
            // What it says is looked at above.
            drop(self.bell.wait_timeout_while(looks, LOOK, |()| !self.over.load(Ordering::SeqCst)));
        }
    }

    fn answer(&self, ask: &Ask) -> Answer {
        let Some(host) = self.host() else { return Answer::Refused { why: "the run is over".to_owned() } };
        match *ask {
            Ask::Run {} => Answer::Run(Run {
                pid: std::process::id(),
                program: self.program.clone(),
                isolates: host.live() as u64,
                seconds: self.began.elapsed().as_secs_f64(),
            }),
            Ask::List {} => Answer::List { isolates: host.isolates().iter().map(row).collect() },
            Ask::Kill { isolate } => with(&host, isolate, |isolate| {
                isolate.kill(Priority::Immediate);
                Answer::Done
            }),
            Ask::Pause { isolate } => with(&host, isolate, |isolate| self.pause(isolate)),
            Ask::Resume { isolate } => self.resume(isolate),
            Ask::Ping { isolate } => with(&host, isolate, |isolate| ping(&host, isolate)),
            Ask::Stack { isolate } => with(&host, isolate, stack::answer),
            Ask::Logs { isolate, .. } => Heard::default().news(&host, isolate, true),
        }
    }

    fn paused(&self) -> std::sync::MutexGuard<'_, HashMap<u64, (Isolate, Capability)>> {
        self.paused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pause(&self, isolate: &Isolate) -> Answer {
        let mut paused = self.paused();
        paused.retain(|_, (isolate, _)| isolate.exit().is_none());
        paused.entry(isolate.id().number()).or_insert_with(|| (isolate.clone(), isolate.pause()));
        Answer::Done
    }

    fn resume(&self, number: u64) -> Answer {
        match self.paused().remove(&number) {
            Some((isolate, pause)) => {
                isolate.resume(&pause);
                Answer::Done
            }
            None => Answer::Refused { why: format!("isolate #{number} was not paused by `insula pause`") },
        }
    }
}

fn with(host: &Host, number: u64, act: impl FnOnce(&Isolate) -> Answer) -> Answer {
    let isolates = host.isolates();
    match isolates.iter().find(|isolate| isolate.id().number() == number) {
        Some(isolate) => act(isolate),
        None => Answer::Refused { why: format!("there is no isolate #{number}, or it has ended") },
    }
}

fn ping(host: &Host, isolate: &Isolate) -> Answer {
    let port = host.receive_port::<()>();
    let began = Instant::now();
    let asked = isolate.ping(&port.send_port(), (), Priority::BeforeNextEvent);
    match asked.map(|()| port.recv_timeout(PING)) {
        Ok(Ok(())) => Answer::Pong { micros: began.elapsed().as_secs_f64() * 1e6 },
        _ if isolate.exit().is_some() => Answer::Refused { why: format!("isolate {} has ended", isolate.id()) },
        _ => Answer::Refused { why: format!("isolate {} did not end its turn within 5 s", isolate.id()) },
    }
}

fn row(isolate: &Isolate) -> Row {
    let usage = isolate.usage();
    Row {
        isolate: isolate.id().number(),
        name: isolate.debug_name(),
        parent: isolate.parent().map_or(0, insula::IsolateId::number),
        state: state(isolate.doing()),
        cpu_seconds: usage.cpu_time.as_secs_f64(),
        memory_bytes: usage.memory_bytes,
        queued_messages: usage.queued_messages,
        queued_bytes: usage.queued_bytes,
        received_messages: usage.received_messages,
        sent_messages: usage.sent_messages,
        children: usage.children,
        restarts: isolate.restarts(),
    }
}

pub(super) fn state(doing: Doing) -> String {
    match doing {
        Doing::Runs => "running".to_owned(),
        Doing::Ready => "ready".to_owned(),
        Doing::Waits { call: Some(call) } => format!("waiting: {call}"),
        Doing::Waits { call: None } => "waiting".to_owned(),
        Doing::Paused => "paused".to_owned(),
        _ => "ended".to_owned(),
    }
}
