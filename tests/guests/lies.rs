//! Takes part in calls, and keeps to none of their rules.

use std::thread::park;

use insula_guest::{HostFunction, MailboxPolicy, ReceivePort, SendPort, ServiceEnd, host_function, names};

type Whoami = HostFunction<(), String>;

/// What a request is, whoever makes it.
type Request = (Option<SendPort<String>>, ());

fn wait_for_good() -> ! {
    let port = ReceivePort::<()>::new();
    let _reaches = port.send_port();
    port.recv().ok();
    loop {
        park();
    }
}

/// Gives a function of the embedder's as what it serves by.
fn stands_behind(end: SendPort<Whoami>) {
    end.send(host_function("whoami").expect("it was given")).ok();
    drop(end);
    wait_for_good();
}

/// Asks a plugin who it is.
fn asks((plugin, end): (Whoami, ServiceEnd<(), Result<String, String>>)) {
    end.serve(|()| plugin.call(&()).map_err(|error| error.to_string()));
}

/// Has answers sent to a port whose senders wait for room, and takes none of them.
fn takes_nothing((): ()) {
    let whoami: SendPort<Request> = names::lookup("function:whoami").expect("it was given");
    let answers = ReceivePort::with_policy(MailboxPolicy::Wait);
    (0..20).for_each(|_| whoami.send((Some(answers.send_port()), ())).expect("there is room"));
    wait_for_good();
}

/// Calls without end, and wants no answers.
fn floods((): ()) {
    let whoami: SendPort<Request> = names::lookup("function:whoami").expect("it was given");
    while whoami.send((None, ())).is_ok() {}
}

insula_guest::export!(stands_behind as "behind");
insula_guest::export!(asks as "asks");
insula_guest::export!(takes_nothing as "nothing");
insula_guest::export!(floods as "floods");

fn main() {}
