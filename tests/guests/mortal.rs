//! Every way to die that a guest has, an export each, and one that watches others die of it, each at a single port.
//!
//! All that is told has the type of an error notice, so that one typed port takes data, last words and both notices.

use std::error::Error;
use std::time::Duration;

use insula_guest::{Isolate, Kind, Limits, Priority, ReceivePort, RemoteError, SendError, SendPort, Spawn};

/// Isolates that die at the same time.
const AT_ONCE: u32 = 50;

type Observer = SendPort<RemoteError>;

fn note(text: &str) -> RemoteError {
    RemoteError { message: text.to_owned(), stack: String::new() }
}

fn says_two(port: &Observer) {
    port.send(note("one")).ok();
    port.send(note("two")).ok();
}

fn returned(port: Observer) {
    says_two(&port);
}

fn exited(port: Observer) -> Result<(), SendError> {
    says_two(&port);
    Err(Isolate::exit(&port, note("last words")))
}

fn failed(port: Observer) -> Result<(), &'static str> {
    says_two(&port);
    Err("an error came back")
}

fn panicked(port: Observer) {
    says_two(&port);
    panic!("it panicked on purpose");
}

fn trapped(port: Observer) {
    says_two(&port);
    std::process::abort();
}

fn not_fatal(port: Observer) {
    says_two(&port);
    insula_guest::report_error("it passes");
    port.send(note("three")).ok();
}

fn says_all(port: Observer) -> Result<(), SendError> {
    not_fatal(port.clone());
    Err(Isolate::exit(&port, note("last words")))
}

fn proc_exit_zero(port: Observer) {
    says_two(&port);
    std::process::exit(0);
}

fn proc_exit_code(port: Observer) {
    says_two(&port);
    std::process::exit(7);
}

fn killed(port: Observer) {
    says_two(&port);
    loop {
        std::hint::spin_loop();
    }
}

fn kills_itself(port: Observer) {
    says_two(&port);
    Isolate::current().kill(Priority::Immediate);
}

fn limit(port: Observer) {
    says_two(&port);
    std::hint::black_box(vec![0_u8; 256 << 20]);
}

fn deadline(port: Observer) {
    says_two(&port);
    insula_guest::sleep(Duration::from_secs(3600));
}

/// Sends where the wake-up of the receiver panics, which the host takes for a fault of its own.
fn host_fault(port: Observer) -> Result<(), Box<dyn Error>> {
    says_two(&port);
    let wire: SendPort<()> = insula_guest::names::lookup("wire")?;
    // Until somebody waits there: another may have tripped it just now, or it was not taken for a while.
    loop {
        match wire.send(()) {
            Err(SendError::Full) => std::thread::yield_now(),
            sent => sent?,
        }
    }
}

fn start_failed(_: (u64, Vec<String>)) {}

fn spins(_: ()) {
    loop {
        std::hint::spin_loop();
    }
}

/// How an isolate is born that is to die of this.
fn mortal(cause: &str, port: &Observer) -> Spawn {
    let limits = match cause {
        "limit" => Limits::default().memory(8 << 20),
        "deadline" => Limits::default().deadline(Duration::from_millis(10)),
        _ => Limits::default(),
    };
    let born = Isolate::build().errors_are_fatal(!matches!(cause, "not_fatal" | "says_all")).limits(limits);
    born.on_error(port).on_exit(port, note("gone"))
}

/// Has so many isolates die of a cause, and passes on what each of them told its own port.
fn watches((passed_on, cause, count): (SendPort<Vec<(String, String)>>, String, u32)) -> Result<(), Box<dyn Error>> {
    let mut left = count;
    while left > 0 {
        let mut dying = Vec::new();
        for _ in 0..left.min(AT_ONCE) {
            let port = ReceivePort::<RemoteError>::new();
            let isolate = mortal(&cause, &port.send_port()).spawn_export(&cause, port.send_port())?;
            dying.push((port, isolate));
            left -= 1;
        }
        for (port, isolate) in dying {
            let mut told = Vec::new();
            // Until nobody can tell it anything more.
            while let Ok(message) = port.recv_message() {
                if cause == "killed" && message.kind == Kind::Data && message.value.message == "two" {
                    isolate.kill(Priority::Immediate);
                }
                told.push((format!("{:?}", message.kind), message.value.message));
            }
            passed_on.send(told)?;
        }
    }
    Ok(())
}

insula_guest::export!(returned as "returned");
insula_guest::export!(exited as "exited");
insula_guest::export!(failed as "failed");
insula_guest::export!(panicked as "panicked");
insula_guest::export!(trapped as "trapped");
insula_guest::export!(not_fatal as "not_fatal");
insula_guest::export!(says_all as "says_all");
insula_guest::export!(proc_exit_zero as "proc_exit_zero");
insula_guest::export!(proc_exit_code as "proc_exit_code");
insula_guest::export!(killed as "killed");
insula_guest::export!(kills_itself as "kills_itself");
insula_guest::export!(limit as "limit");
insula_guest::export!(deadline as "deadline");
insula_guest::export!(host_fault as "host_fault");
insula_guest::export!(start_failed as "start_failed");
insula_guest::export!(spins as "spins");
insula_guest::export!(watches as "watches");

fn main() {}
