//! The table of deaths, row for row: what one observer hears of each cause at one port, a thousand times, beside
//! isolates that never stop working. The observer is a guest once, and the embedder once.

use std::time::Duration;

use insula::{Exit, Grant, Host, Isolate, Limits, Module, Output, Priority, ReceivePort, RemoteError, Spawn};

use super::ledger::{Entry, Told, judge};
use super::wire;
use crate::harness;

/// Deaths of each cause, for each observer.
const DEATHS: u32 = 1_000;

/// Deaths at the same time.
const AT_ONCE: u32 = 50;

/// A cause, by the guest's export, and what it must tell.
struct Row {
    cause: &'static str,
    told: &'static [Told],
    ends_so: fn(&Exit) -> bool,
}

const ONE: Told = Told::Data("one");
const TWO: Told = Told::Data("two");
const GONE: Told = Told::Exit("gone");

fn host() -> (Host, Module, [Isolate; 2]) {
    let builder = Host::builder().isolates(AT_ONCE * 2 + 8).threads(2).cache_folder(harness::cache());
    // Every error here has a listener: one that reaches the host is one too many.
    let host = builder.on_uncaught(|uncaught| panic!("an error came past its listener: {uncaught}"));
    let host = host.build().expect("there is room for a small host");
    let module = host.load_file(harness::guest("mortal")).expect("the guest is a module");
    let spinners = [(); 2].map(|()| host.spawn(&module, Spawn::entry("spins")).expect("it has an entry"));
    (host, module, spinners)
}

fn note(text: &str) -> RemoteError {
    RemoteError { message: text.to_owned(), stack: String::new() }
}

/// An isolate that is to die, and the port that is told of it.
fn mortal(host: &Host, module: &Module, cause: &str) -> (Isolate, ReceivePort<RemoteError>) {
    let port = host.receive_port::<RemoteError>();
    let limits = match cause {
        "limit" => Limits::default().memory(8 << 20),
        "deadline" => Limits::default().deadline(Duration::from_millis(10)),
        _ => Limits::default(),
    };
    let spawn = Spawn::entry(cause).message(&port.send_port()).limits(limits).stderr(Output::Null);
    let spawn = spawn.grant(Grant::names("deaths"));
    let spawn = spawn.errors_are_fatal(!matches!(cause, "not_fatal" | "says_all"));
    let spawn = spawn.on_error(&port.send_port()).on_exit(&port.send_port(), note("gone"));
    (host.spawn(module, spawn).expect("there is room"), port)
}

/// The embedder's port hears it.
fn told_to_the_embedder(row: &Row) {
    let (host, module, spinners) = host();
    let _wire = (row.cause == "host_fault").then(|| wire::lay(&host));
    for _ in 0..DEATHS / AT_ONCE {
        let dying: Vec<_> = (0..AT_ONCE).map(|_| mortal(&host, &module, row.cause)).collect();
        for (isolate, port) in dying {
            let mut told = Vec::new();
            while let Ok(received) = port.recv_message() {
                let entry = Entry::of(received);
                if row.cause == "killed" && entry == Entry::Data("two".to_owned()) {
                    isolate.kill(Priority::Immediate);
                }
                told.push(entry);
            }
            assert_eq!(judge(row.told, &told), Ok(()), "{}: {told:?}", row.cause);
            let exit = isolate.join();
            assert!((row.ends_so)(&exit), "{}: {exit:?}", row.cause);
        }
    }
    assert!(spinners.iter().all(|spinner| spinner.exit().is_none()), "a death ended somebody else");
}

/// A guest's port hears it.
fn told_to_a_guest(row: &Row) {
    let (host, module, spinners) = host();
    let _wire = (row.cause == "host_fault").then(|| wire::lay(&host));
    let passed_on = host.receive_port::<Vec<(String, String)>>();
    let watches = Spawn::entry("watches").message(&(passed_on.send_port(), row.cause, DEATHS)).stderr(Output::Null);
    let watches = watches.grant(Grant::names("deaths"));
    let watcher = host.spawn(&module, watches).expect("it has an entry");
    let mut deaths = 0;
    while let Ok(told) = passed_on.recv() {
        let told: Vec<_> = told.into_iter().map(Entry::passed_on).collect();
        assert_eq!(judge(row.told, &told), Ok(()), "{}: {told:?}", row.cause);
        deaths += 1;
    }
    assert_eq!((watcher.join(), deaths), (Exit::Returned, DEATHS), "{}", row.cause);
    assert!(spinners.iter().all(|spinner| spinner.exit().is_none()), "a death ended somebody else");
}

/// Both observers, one after the other.
fn told(cause: &'static str, told: &'static [Told], ends_so: fn(&Exit) -> bool) {
    let row = Row { cause, told, ends_so };
    told_to_the_embedder(&row);
    told_to_a_guest(&row);
}

#[test]
fn s5_row_returned() {
    told("returned", &[ONE, TWO, GONE], |exit| matches!(exit, Exit::Returned));
}

#[test]
fn s5_row_exited() {
    told("exited", &[ONE, TWO, Told::Data("last words"), GONE], |exit| matches!(exit, Exit::Exited));
}

#[test]
fn s5_row_failed() {
    told("failed", &[ONE, TWO, Told::Error("an error came back"), GONE], |exit| matches!(exit, Exit::Failed { .. }));
}

#[test]
fn s5_row_panicked() {
    told("panicked", &[ONE, TWO, Told::Error("it panicked on purpose, at "), GONE], |exit| {
        matches!(exit, Exit::Panicked { .. })
    });
}

#[test]
fn s5_row_trapped() {
    told("trapped", &[ONE, TWO, Told::Error("unreachable"), GONE], |exit| matches!(exit, Exit::Trapped { .. }));
}

#[test]
fn s5_row_not_fatal() {
    told("not_fatal", &[ONE, TWO, Told::Error("it passes"), Told::Data("three"), GONE], |exit| {
        matches!(exit, Exit::Returned)
    });
}

#[test]
fn s5_row_proc_exit_0() {
    told("proc_exit_zero", &[ONE, TWO, GONE], |exit| matches!(exit, Exit::ProcExit { code: 0 }));
}

#[test]
fn s5_row_proc_exit_n() {
    told("proc_exit_code", &[ONE, TWO, Told::Error("exit code 7"), GONE], |exit| {
        matches!(exit, Exit::ProcExit { code: 7 })
    });
}

#[test]
fn s5_row_killed() {
    told("killed", &[ONE, TWO, GONE], |exit| matches!(exit, Exit::Killed { .. }));
}

#[test]
fn s5_row_killed_by_itself() {
    told("kills_itself", &[ONE, TWO, GONE], |exit| matches!(exit, Exit::Killed { .. }));
}

#[test]
fn s5_row_limit() {
    told(
        "limit",
        &[ONE, TWO, Told::Error("memory 8388608"), GONE],
        |exit| matches!(exit, Exit::Limit { which, .. } if which == "memory"),
    );
}

#[test]
fn s5_row_deadline() {
    told("deadline", &[Told::DataIfSent("one"), Told::DataIfSent("two"), Told::Error("deadline"), GONE], |exit| {
        matches!(exit, Exit::Deadline { .. })
    });
}

/// A panic below a poll: here of whoever is woken by what the guest sends.
#[test]
fn s5_row_host_fault() {
    told(
        "host_fault",
        &[ONE, TWO, Told::Error(wire::TEXT), GONE],
        |exit| matches!(exit, Exit::HostFault { message } if message == wire::TEXT),
    );
}

/// An embedder sees a start function that traps, a guest an initial message that does not decode.
#[test]
fn s5_row_start_failed() {
    let (host, _, _) = host();
    let text = "(module (func $start unreachable) (start $start) (func (export \"run\")))";
    let module = host.load("start.wat", text.as_bytes()).expect("the text is a module");
    for _ in 0..DEATHS {
        let (isolate, port) = mortal(&host, &module, "run");
        let told: Vec<_> = std::iter::from_fn(|| port.recv_message().ok().map(Entry::of)).collect();
        assert_eq!(judge(&[Told::Error("unreachable"), GONE], &told), Ok(()), "{told:?}");
        assert!(matches!(isolate.join(), Exit::StartFailed { .. }));
    }
    let told = &[Told::Error("initial message"), GONE];
    told_to_a_guest(&Row { cause: "start_failed", told, ends_so: |_| true });
}

/// All that an observer can hear of one isolate, in one order at one port.
#[test]
fn beyond_death_order() {
    const ALL: [Told; 6] = [ONE, TWO, Told::Error("it passes"), Told::Data("three"), Told::Data("last words"), GONE];
    told("says_all", &ALL, |exit| matches!(exit, Exit::Exited));
}

#[test]
fn s5_row_host_closed() {
    let (mut closed, due) = (0, [ONE, TWO, GONE]);
    while closed < DEATHS {
        let (host, module, _) = host();
        let living: Vec<_> = (0..AT_ONCE * 2).map(|_| mortal(&host, &module, "killed")).collect();
        let heard = |port: &ReceivePort<RemoteError>| Entry::of(port.recv_message().expect("the host is open"));
        let mut told: Vec<_> = living.iter().map(|(_, port)| vec![heard(port), heard(port)]).collect();
        host.shutdown(Duration::ZERO);
        for ((isolate, port), told) in living.into_iter().zip(&mut told) {
            while let Ok(received) = port.recv_message() {
                told.push(Entry::of(received));
            }
            assert_eq!(judge(&due, told), Ok(()), "{told:?}");
            assert_eq!(isolate.join(), Exit::HostClosed);
            closed += 1;
        }
    }
}
