//! One program, run by a real host; what comes back is all that was recorded.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use insula::{Ended, Exit, Host, Module, ReceivePort, Received, RecvError, Spawn, Uncaught};
use insula_wire::codec;

use super::language::{Program, Record};
use crate::harness;

/// How long a run may take before it counts as hung. The longest take a tenth of a second.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long the last holders of a log may take to let it go after the end.
const LEAVING_PATIENCE: Duration = Duration::from_secs(10);

/// What an observer hears in an isolate's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Said(Record),
    Exit(Record),
    Ping(Record),
    Error(String),
}

/// All that was recorded of a run.
#[derive(Clone, Debug)]
pub(super) struct Run {
    /// By isolate.
    pub(super) logs: Vec<Vec<Heard>>,
    /// Errors that no listener was told: whose, and the text.
    pub(super) uncaught: Vec<(u32, String)>,
    pub(super) program: Program,
    pub(super) main: Exit,
    /// Who waited for ever, if that is how the run ended, and who of them was paused.
    pub(super) asleep: Option<Vec<(u32, bool)>>,
    /// What the host still counts, in words.
    pub(super) leaks: Vec<String>,
}

/// A host, with the guest program that follows scripts.
pub(super) struct House {
    host: Host,
    module: Module,
    uncaught: Arc<Mutex<Vec<Uncaught>>>,
}

impl House {
    /// One with two threads, or one with a seed.
    pub(super) fn new(seed: Option<u64>) -> House {
        let uncaught = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&uncaught);
        let builder = Host::builder().isolates(32).cache_folder(harness::cache());
        let builder = builder.on_uncaught(move |error| told.lock().expect("nobody panics").push(error.clone()));
        let builder = match seed {
            Some(seed) => builder.seed(seed),
            None => builder.threads(2),
        };
        let host = builder.build().expect("there is room for a small host");
        let module = host.load_file(harness::guest("script")).expect("the guest is a module");
        House { host, module, uncaught }
    }

    /// Runs the program to its end, or says that it has none.
    pub(super) fn run(&self, program: &Program) -> Result<Run, String> {
        let logs: Vec<ReceivePort<Vec<u8>>> = program.scripts.iter().map(|_| self.host.receive_port()).collect();
        let ended = self.play(program, &logs)?;
        let (mut heard, mut leaks) = (Vec::new(), Vec::new());
        for (label, log) in logs.iter().enumerate() {
            heard.push(drain(label, log, &mut leaks));
        }
        if self.host.live() != 0 {
            leaks.push(format!("{} isolates live after the end", self.host.live()));
        }
        let uncaught = std::mem::take(&mut *self.uncaught.lock().expect("nobody panics"));
        let label = |name: &str| name.parse().unwrap_or(0);
        Ok(Run {
            logs: heard,
            uncaught: uncaught.into_iter().map(|told| (label(&told.name), told.error.message)).collect(),
            program: program.clone(),
            main: ended.main,
            asleep: ended.asleep.map(|asleep| asleep.iter().map(|who| (label(&who.name), who.paused)).collect()),
            leaks,
        })
    }

    fn play(&self, program: &Program, logs: &[ReceivePort<Vec<u8>>]) -> Result<Ended, String> {
        let ports: Vec<_> = logs.iter().map(ReceivePort::send_port).collect();
        // As the guest's `Inheritance`: no ports of anybody else's, and no parent.
        let none: (Vec<()>, Option<()>) = (Vec::new(), None);
        let gone = Record::Gone { who: 0, number: 0 }.encode();
        let spawn = Spawn::entry("run")
            .debug_name("0")
            .message(&(program, &ports, &ports, 0_u32, none.0, none.1))
            .on_exit(&ports[0], gone);
        drop(ports); // or nobody would ever count as asleep
        let (done, is_done) = mpsc::channel();
        let (host, module) = (self.host.clone(), self.module.clone());
        std::thread::spawn(move || done.send(host.run(&module, spawn)));
        let ended = is_done.recv_timeout(PATIENCE).map_err(|_| "the run has no end".to_owned())?;
        ended.map_err(|error| format!("main was not born: {error}"))
    }
}

/// All that is in a log, and then nobody may be able to write there any more.
fn drain(label: usize, log: &ReceivePort<Vec<u8>>, leaks: &mut Vec<String>) -> Vec<Heard> {
    let mut heard = Vec::new();
    loop {
        // The Store of a dead isolate, and a message in it that was never looked at, may go after the run's end.
        match log.recv_message_timeout(LEAVING_PATIENCE) {
            Ok(Received::Data(bytes)) => heard.push(Heard::Said(record(&bytes))),
            Ok(Received::Exit(bytes)) => heard.push(Heard::Exit(record(&bytes))),
            Ok(Received::Ping(bytes)) => heard.push(Heard::Ping(record(&bytes))),
            Ok(Received::Error(error)) => heard.push(Heard::Error(error.message)),
            Ok(other) => leaks.push(format!("log {label} has a message of another kind: {other:?}")),
            Err(RecvError::Unreachable) => break,
            Err(error) => {
                leaks.push(format!("log {label} is still held after the end: {error}"));
                break;
            }
        }
    }
    if log.load() != (0, 0) {
        leaks.push(format!("log {label} is empty and its load is {:?}", log.load()));
    }
    heard
}

fn record(bytes: &[u8]) -> Record {
    codec::decode(bytes).expect("a log has records only")
}
