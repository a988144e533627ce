//! Every error listener is told every error, once each; a removed one nothing, and a closed one harms nobody.

use std::error::Error;

use insula_guest::{Isolate, ReceivePort, RemoteError, SendPort};

fn fails_twice(_: ()) -> Result<(), &'static str> {
    insula_guest::report_error("first");
    Err("second")
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let ports = [(); 4].map(|()| ReceivePort::<RemoteError>::new());
    let isolate = Isolate::build().paused().errors_are_fatal(false).on_error(&ports[0].send_port());
    let isolate = isolate.spawn(fails_twice, ())?;
    for port in &ports {
        isolate.add_error_listener(&port.send_port())?;
        isolate.add_error_listener(&port.send_port())?;
    }
    isolate.remove_error_listener(&ports[2].send_port());
    ports[3].close();
    isolate.resume_birth();
    for port in &ports {
        let told: Vec<String> = port.messages().map(|error| error.message).collect();
        report.send(format!("{told:?}"))?;
    }
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
