//! Corners of Dart's suites: listeners that come late or are one's own, pings in order, pauses and kills of oneself,
//! handlers that close, functions of every shape as entries, and handles that are passed on.

use std::cell::Cell;
use std::error::Error;
use std::fmt::Display;
use std::ops::ControlFlow;
use std::rc::Rc;

use insula_guest::{Capability, Isolate, Listener, Priority, ReceivePort, RecvError, RemoteError, SendError, SendPort};
use serde::Serialize;
use serde::de::DeserializeOwned;

type Report = SendPort<String>;
type Outcome = Result<(), Box<dyn Error>>;

fn fails_when_told(to_main: SendPort<SendPort<String>>) {
    let texts = ReceivePort::<String>::new();
    to_main.send(texts.send_port()).ok();
    texts.listen(Err::<ControlFlow<()>, String>);
}

/// A listener hears what fails after it was added, and nothing of before.
fn error_listener_after_error(report: Report) -> Outcome {
    let (ports, early, late) =
        (ReceivePort::new(), ReceivePort::<RemoteError>::new(), ReceivePort::<RemoteError>::new());
    let isolate = Isolate::build().errors_are_fatal(false).on_error(&early.send_port());
    let isolate = isolate.spawn(fails_when_told, ports.send_port())?;
    let texts: SendPort<String> = ports.recv()?;
    texts.send("first".to_owned())?;
    report.send(early.recv()?.message)?;
    isolate.add_error_listener(&late.send_port())?;
    texts.send("second".to_owned())?;
    drop(texts);
    for port in [early, late] {
        report.send(port.map(|error| error.message).collect::<Vec<_>>().join(", "))?;
    }
    Ok(())
}

/// One's own exit listener tells others, and never oneself.
fn own_exit_listener(report: Report) -> Outcome {
    let told = ReceivePort::new();
    let listens = |told: SendPort<String>| {
        let own = ReceivePort::<String>::new();
        Isolate::current().add_exit_listener(&own.send_port(), "to myself".to_owned())?;
        Isolate::current().add_exit_listener(&told, "to another".to_owned())
    };
    Isolate::spawn(listens, told.send_port())?;
    report.send(told.collect::<Vec<String>>().join(", "))?;
    Ok(())
}

fn waits(to_main: SendPort<SendPort<()>>) {
    let port = ReceivePort::<()>::new();
    to_main.send(port.send_port()).ok();
    let _ = port.recv();
}

/// Pings of one priority are answered in the order in which they were asked for; the last one is of another response.
fn ping_order(report: Report) -> Outcome {
    let ports = ReceivePort::new();
    let isolate = Isolate::spawn(waits, ports.send_port())?;
    let _reachable = ports.recv()?;
    for priority in [Priority::Immediate, Priority::BeforeNextEvent] {
        let answers = ReceivePort::<Option<u32>>::new();
        for number in 0..10 {
            isolate.ping(&answers.send_port(), Some(number), priority)?;
        }
        isolate.ping(&answers.send_port(), None, priority)?;
        let answered: Vec<Option<u32>> = answers.take(11).collect();
        let expected = (0..10).map(Some).chain([None]);
        report.send(format!("{priority:?} in order: {}", answered.into_iter().eq(expected)))?;
    }
    isolate.kill(Priority::Immediate);
    Ok(())
}

/// An isolate that pauses itself finishes its turn; its next begins when somebody resumes it.
fn pauses_itself(report: Report) -> Outcome {
    let child = |(to_main, told): (SendPort<(Isolate, Capability)>, SendPort<String>)| {
        let port = ReceivePort::<u32>::new();
        for number in 0..2 {
            port.send_port().send(number).ok();
        }
        port.listen(move |number| {
            if number == 0 {
                let pause = Isolate::current().pause();
                told.send("the turn goes on".to_owned()).ok();
                to_main.send((Isolate::current().without_pause().without_terminate(), pause)).ok();
            } else {
                told.send("the next turn".to_owned()).ok();
            }
        });
    };
    let (handles, told) = (ReceivePort::new(), ReceivePort::new());
    Isolate::spawn(child, (handles.send_port(), told.send_port()))?;
    let (isolate, pause): (Isolate, Capability) = handles.recv()?;
    isolate.ping(&told.send_port(), "it is paused".to_owned(), Priority::BeforeNextEvent)?;
    for _ in 0..2 {
        report.send(told.recv()?)?;
    }
    isolate.resume(&pause);
    report.send(told.collect::<Vec<String>>().join(", "))?;
    Ok(())
}

/// What was sent before a kill is not handled by a target that is paused, whatever the priority of the kill.
fn killed_while_paused(report: Report) -> Outcome {
    for priority in [Priority::Immediate, Priority::BeforeNextEvent] {
        let (ports, told) = (ReceivePort::new(), ReceivePort::new());
        let echo = |(to_main, told): (SendPort<SendPort<String>>, SendPort<String>)| {
            let port = ReceivePort::<String>::new();
            to_main.send(port.send_port()).ok();
            port.listen(move |text| told.send(text));
        };
        let born = Isolate::build().on_exit(&told.send_port(), format!("killed {priority:?}"));
        let isolate = born.spawn(echo, (ports.send_port(), told.send_port()))?;
        let texts: SendPort<String> = ports.recv()?;
        let _paused = isolate.pause();
        texts.send("never handled".to_owned())?;
        isolate.kill(priority);
        report.send(told.collect::<Vec<String>>().join(", "))?;
    }
    Ok(())
}

/// A handler closes the port of another: what is queued there is never handled.
fn closes_another(report: Report) -> Outcome {
    let child = |told: SendPort<String>| {
        let (one, other) = (ReceivePort::<u32>::new(), ReceivePort::<u32>::new());
        one.send_port().send(1).ok();
        other.send_port().send(2).ok();
        one.send_port().send(3).ok();
        let listener: Rc<Cell<Option<Listener>>> = Rc::default();
        let (victim, heard) = (Rc::clone(&listener), told.clone());
        listener.set(Some(other.listen(move |number| told.send(format!("other {number}")))));
        one.listen(move |number| {
            victim.take().into_iter().for_each(Listener::close);
            heard.send(format!("one {number}")).ok();
        });
    };
    let told = ReceivePort::new();
    Isolate::spawn(child, told.send_port())?;
    report.send(told.collect::<Vec<String>>().join(", "))?;
    Ok(())
}

fn generic<T: Display + Serialize + DeserializeOwned>((value, reply): (T, SendPort<String>)) {
    reply.send(format!("generic {value}")).ok();
}

struct Type;

impl Type {
    fn associated(reply: SendPort<String>) {
        reply.send("associated".to_owned()).ok();
    }
}

/// Functions of every shape that needs no state are entries.
fn entries(report: Report) -> Outcome {
    let told = ReceivePort::new();
    Isolate::spawn(generic, (7_u8, told.send_port()))?;
    report.send(told.recv()?)?;
    Isolate::spawn(generic, ("text".to_owned(), told.send_port()))?;
    report.send(told.recv()?)?;
    Isolate::spawn(Type::associated, told.send_port())?;
    report.send(told.recv()?)?;
    Isolate::spawn(|reply: SendPort<String>| reply.send("closure".to_owned()), told.send_port())?;
    report.send(told.recv()?)?;
    Ok(())
}

/// A grandchild's handle, passed on by its parent that is gone: listeners and kills work.
fn passed_on(report: Report) -> Outcome {
    let child = |to_main: SendPort<Isolate>| -> Result<(), Box<dyn Error>> {
        let sleeps = |_: ()| insula_guest::sleep(std::time::Duration::from_secs(3600));
        to_main.send(Isolate::build().debug_name("grandchild").spawn(sleeps, ())?)?;
        Ok(())
    };
    let (handles, told) = (ReceivePort::new(), ReceivePort::new());
    let born = Isolate::build().on_exit(&told.send_port(), "the child ended".to_owned());
    born.spawn(child, handles.send_port())?;
    let grandchild: Isolate = handles.recv()?;
    report.send(told.recv()?)?;
    grandchild.add_exit_listener(&told.send_port(), format!("{} ended", grandchild.debug_name()))?;
    grandchild.kill(Priority::Immediate);
    report.send(told.collect::<Vec<String>>().join(", "))?;
    Ok(())
}

/// Messages to an isolate that is over are refused, and its ports are still equal to themselves.
fn to_the_dead(report: Report) -> Outcome {
    let (ports, gone) = (ReceivePort::new(), ReceivePort::new());
    let child = |to_main: SendPort<SendPort<u32>>| to_main.send(ReceivePort::<u32>::new().send_port());
    Isolate::build().on_exit(&gone.send_port(), ()).spawn(child, ports.send_port())?;
    let port: SendPort<u32> = ports.recv()?;
    gone.recv()?;
    let refused = port.send(1) == Err(SendError::Closed);
    report.send(format!("refused: {refused}, equal: {}", port == port.clone()))?;
    report.send(format!("nobody is left: {}", gone.recv() == Err(RecvError::Unreachable)))?;
    Ok(())
}

insula_guest::export!(error_listener_after_error as "error_listener_after_error");
insula_guest::export!(own_exit_listener as "own_exit_listener");
insula_guest::export!(ping_order as "ping_order");
insula_guest::export!(pauses_itself as "pauses_itself");
insula_guest::export!(killed_while_paused as "killed_while_paused");
insula_guest::export!(closes_another as "closes_another");
insula_guest::export!(entries as "entries");
insula_guest::export!(passed_on as "passed_on");
insula_guest::export!(to_the_dead as "to_the_dead");

fn main() {}
