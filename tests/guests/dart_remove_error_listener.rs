//! An error while there is a listener, and one when it is removed, which is for the host to tell.

use std::error::Error;
use std::ops::ControlFlow;

use insula_guest::{Isolate, ReceivePort, RemoteError, SendPort};

fn child(to_main: SendPort<SendPort<String>>) {
    let texts = ReceivePort::<String>::new();
    to_main.send(texts.send_port()).ok();
    texts.listen(|text| if text.is_empty() { Ok(ControlFlow::Break(())) } else { Err(text) });
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let (ports, gone) = (ReceivePort::new(), ReceivePort::new());
    let errors = ReceivePort::<RemoteError>::new();
    let isolate =
        Isolate::build().errors_are_fatal(false).on_exit(&gone.send_port(), ()).spawn(child, ports.send_port())?;
    let texts: SendPort<String> = ports.recv()?;
    isolate.add_error_listener(&errors.send_port())?;
    texts.send("heard by the listener".to_owned())?;
    report.send(errors.recv()?.message)?;
    isolate.remove_error_listener(&errors.send_port());
    texts.send("heard by the host".to_owned())?;
    texts.send(String::new())?;
    gone.recv()?;
    report.send(format!("heard by the listener too: {}", errors.try_recv().is_ok()))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {
    let report = ReceivePort::new();
    if run(report.send_port()).is_ok() {
        println!("{}", report.recv().unwrap_or_default());
    }
}
