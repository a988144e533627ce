//! Follows a script, for `tests/random`: does one operation after another, says before what it will do and after what
//! came of it, and is otherwise no different from any other program.

#[path = "script/control.rs"]
mod control;
#[path = "script/language.rs"]
mod language;

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::Duration;

use insula_guest::{
    Capability, Isolate, Kind, Limits, MailboxPolicy, Message, ReceivePort, RecvError, RecvTimeoutError, RemoteError,
    SendError, SendPort, TryRecvError, recv_any,
};
use serde::{Deserialize, Serialize};

use language::{Act, Authority, Birth, Got, Name, Op, Outcome, Pick, Program, Record, error_text};

/// What isolates send each other.
#[derive(Clone, Serialize, Deserialize)]
struct Parcel {
    from: u32,
    number: u32,
    /// Whether it is the response of an exit listener.
    notice: bool,
    port: Option<(Name, SendPort<Parcel>)>,
    handle: Option<(u32, Isolate)>,
}

/// What an isolate is born with.
#[derive(Serialize, Deserialize)]
struct Inheritance {
    program: Program,
    logs: Vec<SendPort<Vec<u8>>>,
    /// The same ports, for error notices.
    errors: Vec<SendPort<RemoteError>>,
    me: u32,
    ports: Vec<(Name, SendPort<Parcel>)>,
    parent: Option<(u32, Isolate)>,
}

/// How a script ends.
type End = Result<(), String>;

struct Player {
    program: Program,
    logs: Vec<SendPort<Vec<u8>>>,
    errors: Vec<SendPort<RemoteError>>,
    me: u32,
    own: Vec<ReceivePort<Parcel>>,
    /// Other isolates' ports, and its own.
    held: Vec<(Name, SendPort<Parcel>)>,
    /// Itself first.
    handles: Vec<(u32, Isolate)>,
    tokens: [Capability; 2],
    numbers: u32,
}

fn run(inheritance: Inheritance) -> End {
    let Inheritance { program, logs, errors, me, ports, parent } = inheritance;
    let script = program.scripts.get(me as usize).cloned().unwrap_or_default();
    let itself = (me, Isolate::current());
    let mut player = Player {
        program,
        logs,
        errors,
        me,
        own: Vec::new(),
        held: ports,
        handles: std::iter::once(itself).chain(parent).collect(),
        tokens: [Capability::new(), Capability::new()],
        numbers: 0,
    };
    if me == 0 {
        // Whoever spawned the others has done this for them.
        player.handles[0].1.add_error_listener(&player.errors[0]).map_err(|error| error.to_string())?;
    }
    player.open(false);
    for op in &script {
        match op {
            Op::Serve { messages_max, fails_at } => {
                player.serve(*messages_max, *fails_at);
                return Ok(());
            }
            op => {
                if let ControlFlow::Break(end) = player.play(op) {
                    return end;
                }
            }
        }
    }
    player.will(Act::Return);
    Ok(())
}

fn picked<T>(list: &[T], pick: Pick) -> Option<&T> {
    list.get(usize::from(pick) % list.len().max(1))
}

fn of_send(sent: Result<(), SendError>) -> Outcome {
    match sent {
        Ok(()) => Outcome::Done,
        Err(SendError::Closed) => Outcome::Closed,
        Err(SendError::Full) => Outcome::Full,
        Err(error) => Outcome::Refused(error.to_string()),
    }
}

fn of_no_message(error: RecvError) -> Outcome {
    match error {
        RecvError::Closed => Outcome::Closed,
        RecvError::Unreachable => Outcome::Unreachable,
        error => Outcome::Broken(error.to_string()),
    }
}

/// What it says, and what it plays.
impl Player {
    fn tell(&self, log: u32, record: &Record) {
        self.logs[log as usize].send(record.encode()).expect("the embedder keeps its ports open");
    }

    fn will(&self, act: Act) {
        self.tell(self.me, &Record::Will(act));
    }

    fn did(&self, outcome: Outcome) {
        self.tell(self.me, &Record::Did(outcome));
    }

    fn number(&mut self) -> u32 {
        self.numbers += 1;
        self.numbers
    }

    fn play(&mut self, op: &Op) -> ControlFlow<End> {
        match op {
            Op::Fail | Op::Panic | Op::Trap | Op::ProcExit { .. } | Op::Exit { .. } | Op::ExitSilently => {
                return self.end(op);
            }
            Op::Report => {
                let number = self.number();
                self.will(Act::Report { number });
                insula_guest::report_error(error_text(self.me, number));
                self.did(Outcome::Done);
            }
            Op::Sleep1Ms => {
                self.will(Act::Sleep);
                insula_guest::sleep(Duration::from_millis(1));
                self.did(Outcome::Done);
            }
            Op::Spin => {
                self.will(Act::Spin);
                (0..200_000).for_each(|turn| {
                    std::hint::black_box(turn);
                });
                self.did(Outcome::Done);
            }
            Op::Spawn(birth) => self.spawn(birth),
            Op::Open { waits } => self.open(*waits),
            Op::Send { to, port, handle } => self.send(*to, *port, *handle),
            Op::Close { .. } | Op::Discard { .. } | Op::DropPort { .. } => self.lose(op),
            Op::TryReceive { port } => self.receive(*port, |port| Act::TryReceive { port }, try_receive),
            Op::Receive { port } => self.receive(*port, |port| Act::Receive { port }, receive),
            Op::ReceiveFor1Ms { port } => self.receive(*port, |port| Act::ReceiveFor1Ms { port }, receive_for_1_ms),
            Op::ReceiveAny => self.receive_any(),
            Op::Drain { port, messages_max } => {
                for _ in 0..*messages_max {
                    self.receive(*port, |port| Act::Receive { port }, receive);
                }
            }
            op => self.control(op),
        }
        ControlFlow::Continue(())
    }

    fn end(&mut self, op: &Op) -> ControlFlow<End> {
        let number = self.number();
        match op {
            Op::Panic => {
                self.will(Act::Panic { number });
                panic!("{}", error_text(self.me, number));
            }
            Op::Trap => {
                self.will(Act::Trap);
                trap();
            }
            Op::ProcExit { code } => {
                self.will(Act::ProcExit { code: (*code).into() });
                std::process::exit((*code).into());
            }
            Op::ExitSilently => {
                self.will(Act::Exit { to: None, number });
                Isolate::exit_silently();
            }
            Op::Exit { to } => {
                let Some((name, port)) = picked(&self.held, *to) else { return ControlFlow::Continue(()) };
                self.will(Act::Exit { to: Some(*name), number });
                let words = Parcel { from: self.me, number, notice: false, port: None, handle: None };
                self.did(of_send(Err(Isolate::exit(port, words))));
                ControlFlow::Continue(())
            }
            _ => {
                self.will(Act::Fail { number });
                ControlFlow::Break(Err(error_text(self.me, number)))
            }
        }
    }

    fn spawn(&mut self, birth: &Birth) {
        let child = birth.child;
        let ports: Vec<_> = birth.ports.iter().filter_map(|pick| picked(&self.held, *pick).cloned()).collect();
        self.will(Act::Spawn {
            child,
            paused: birth.paused,
            fatal: birth.fatal,
            scoped: birth.scoped,
            ports: ports.iter().map(|(name, _)| *name).collect(),
        });
        let gone = Record::Gone { who: child, number: 0 }.encode();
        let mut options = Isolate::build()
            .debug_name(child.to_string())
            .errors_are_fatal(birth.fatal)
            .on_exit(&self.logs[child as usize], gone)
            .on_error(&self.errors[child as usize]);
        if birth.paused {
            options = options.paused();
        }
        if birth.scoped {
            options = options.scoped();
        }
        if let Some(room) = birth.room {
            options = options.limits(Limits::default().mailbox_messages(room.into()));
        }
        let inheritance = Inheritance {
            program: self.program.clone(),
            logs: self.logs.clone(),
            errors: self.errors.clone(),
            me: child,
            ports,
            parent: birth.knows_parent.then(|| self.handles[0].clone()),
        };
        match options.spawn(run, inheritance) {
            Ok(handle) => {
                self.handles.push((child, handle));
                self.did(Outcome::Done);
            }
            Err(error) => self.did(Outcome::Refused(error.to_string())),
        }
    }
}

/// Not `unreachable!`, which panics.
fn trap() -> ! {
    #[cfg(target_family = "wasm")]
    core::arch::wasm32::unreachable();
    #[cfg(not(target_family = "wasm"))]
    unreachable!("only wasm traps");
}

/// A message with its kind, where that is told.
type Received = Result<(Option<Kind>, Parcel), Outcome>;

fn with_kind(received: Result<Message<Parcel>, RecvError>) -> Received {
    received.map(|message| (Some(message.kind), message.value)).map_err(of_no_message)
}

fn try_receive(port: &ReceivePort<Parcel>) -> Received {
    port.try_recv().map(|parcel| (None, parcel)).map_err(|error| match error {
        TryRecvError::Failed(error) => of_no_message(error),
        TryRecvError::Empty => Outcome::Empty,
        error => Outcome::Broken(error.to_string()),
    })
}

fn receive(port: &ReceivePort<Parcel>) -> Received {
    with_kind(port.recv_message())
}

fn receive_for_1_ms(port: &ReceivePort<Parcel>) -> Received {
    port.recv_timeout(Duration::from_millis(1)).map(|parcel| (None, parcel)).map_err(|error| match error {
        RecvTimeoutError::Failed(error) => of_no_message(error),
        RecvTimeoutError::TimedOut => Outcome::Empty,
        error => Outcome::Broken(error.to_string()),
    })
}

/// Ports.
impl Player {
    fn name_of(&self, at: usize) -> Name {
        Name { owner: self.me, at: u32::try_from(at).expect("few are opened") }
    }

    fn own(&self, pick: Pick) -> usize {
        usize::from(pick) % self.own.len()
    }

    fn open(&mut self, waits: bool) {
        let name = self.name_of(self.own.len());
        self.will(Act::Open { port: name, waits });
        let policy = if waits { MailboxPolicy::Wait } else { MailboxPolicy::Error };
        let port = ReceivePort::with_policy(policy);
        self.held.push((name, port.send_port()));
        self.own.push(port);
        self.did(Outcome::Done);
    }

    fn send(&mut self, to: Pick, port: Option<Pick>, handle: Option<(Pick, Authority)>) {
        let number = self.number();
        let Some((name, target)) = picked(&self.held, to) else { return };
        let port = port.and_then(|pick| picked(&self.held, pick).cloned());
        let handle = handle.and_then(|(pick, authority)| {
            let (label, mut handle) = picked(&self.handles, pick).cloned()?;
            if !authority.pause {
                handle = handle.without_pause();
            }
            if !authority.terminate {
                handle = handle.without_terminate();
            }
            Some((label, handle))
        });
        let (carried, whose) = (port.as_ref().map(|(name, _)| *name), handle.as_ref().map(|(label, _)| *label));
        self.will(Act::Send { to: *name, number, port: carried, handle: whose });
        self.did(of_send(target.send(Parcel { from: self.me, number, notice: false, port, handle })));
    }

    fn lose(&mut self, op: &Op) {
        match op {
            Op::Close { port } => {
                let at = self.own(*port);
                self.will(Act::Close { port: self.name_of(at) });
                self.own[at].close();
            }
            Op::Discard { port } => {
                let at = self.own(*port);
                self.will(Act::Discard { port: self.name_of(at) });
                let outcome = if self.own[at].discard() { Outcome::Done } else { Outcome::Empty };
                return self.did(outcome);
            }
            Op::DropPort { port } => {
                let Some(at) = usize::from(*port).checked_rem(self.held.len()) else { return };
                let (name, port) = self.held.swap_remove(at);
                self.will(Act::DropPort { port: name });
                drop(port);
            }
            _ => return,
        }
        self.did(Outcome::Done);
    }

    fn receive(
        &mut self,
        pick: Pick,
        act: impl FnOnce(Name) -> Act,
        receive: impl FnOnce(&ReceivePort<Parcel>) -> Received,
    ) {
        let at = self.own(pick);
        self.will(act(self.name_of(at)));
        let outcome = receive(&self.own[at]).map(|(kind, parcel)| self.got(at, kind, parcel, false));
        self.did(outcome.unwrap_or_else(|outcome| outcome));
    }

    fn receive_any(&mut self) {
        self.will(Act::ReceiveAny);
        let ports: Vec<_> = self.own.iter().collect();
        let outcome = match recv_any(&ports) {
            Ok((at, parcel)) => self.got(at, None, parcel, false),
            Err(error) => of_no_message(error),
        };
        self.did(outcome);
    }

    /// Takes in what came.
    fn got(&mut self, at: usize, kind: Option<Kind>, parcel: Parcel, closes: bool) -> Outcome {
        let Parcel { from, number, notice, port, handle } = parcel;
        if kind.is_some_and(|kind| (kind == Kind::Exit) != notice) {
            return Outcome::Broken(format!("{from}'s message {number} came as {kind:?}"));
        }
        let got = Got {
            at: self.name_of(at),
            from,
            number,
            notice,
            port: port.as_ref().map(|(name, _)| *name),
            handle: handle.as_ref().map(|(label, _)| *label),
            closes,
        };
        if let Some((name, port)) = port {
            if self.held.iter().any(|(other, known)| (*other == name) != (*known == port)) {
                return Outcome::Broken(format!("{name:?} is equal to another port, or unequal to itself"));
            }
            self.held.push((name, port));
        }
        self.handles.extend(handle);
        Outcome::Got(got)
    }

    fn serve(mut self, messages_max: u8, fails_at: Option<u8>) {
        let own = std::mem::take(&mut self.own);
        let ports = (0..own.len()).map(|at| self.name_of(at)).collect();
        self.will(Act::Serve { ports });
        let player = Rc::new(RefCell::new(self));
        for (at, port) in own.into_iter().enumerate() {
            let (player, mut count) = (Rc::clone(&player), 0);
            port.listen(move |parcel| {
                count += 1;
                let mut player = player.borrow_mut();
                let closes = count >= messages_max;
                let outcome = player.got(at, None, parcel, closes);
                player.did(outcome);
                if fails_at == Some(count) {
                    let number = player.number();
                    player.will(Act::Fail { number });
                    return Err(error_text(player.me, number));
                }
                Ok(if closes { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            });
        }
    }
}

insula_guest::export!(run as "run");

fn main() {}
