//! A child gets at most what its parent has, and a refusal says which grant is missing.

use std::error::Error;

use insula_guest::{Grant, Isolate, ReceivePort, SendPort, SpawnError};

fn tells_its_environment(told: SendPort<String>) {
    let names: Vec<String> = std::env::vars().map(|(name, value)| format!("{name}={value}")).collect();
    let four = insula_guest::config("four").map(|value| format!(" four={value}"));
    told.send(names.join(" ") + &four.unwrap_or_default()).ok();
}

fn variable(name: &str, value: &str) -> Grant {
    Grant::Environment { name: name.to_owned(), value: value.to_owned() }
}

fn run(report: SendPort<String>) -> Result<(), Box<dyn Error>> {
    let told = ReceivePort::new();
    let all = Isolate::build();
    all.clone().spawn(tells_its_environment, told.send_port())?;
    report.send(format!("inherits: {}", told.recv()?))?;
    let one = all.clone().inherit_grants(false).grant(variable("ONE", "1"));
    one.spawn(tells_its_environment, told.send_port())?;
    report.send(format!("is given one: {}", told.recv()?))?;
    let four = Grant::Config { name: "four".to_owned(), value: "4".to_owned() };
    all.clone().inherit_grants(false).grant(four).spawn(tells_its_environment, told.send_port())?;
    report.send(format!("is given a value:{}", told.recv()?))?;
    all.clone().inherit_grants(false).spawn(tells_its_environment, told.send_port())?;
    report.send(format!("is given none: {}", told.recv()?))?;
    let more = [
        variable("ONE", "another value"),
        variable("THREE", "3"),
        Grant::Config { name: "four".to_owned(), value: "another value".to_owned() },
        Grant::Names("elsewhere".to_owned()),
        Grant::Module("other_module".to_owned()),
        Grant::FineClock,
        Grant::ReadOnlyFolder { host: ".".to_owned(), guest: "/".to_owned() },
        Grant::ReadWriteFolder { host: ".".to_owned(), guest: "/".to_owned() },
    ];
    for grant in more {
        match all.clone().grant(grant).spawn(tells_its_environment, told.send_port()) {
            Err(SpawnError::Refused(refused)) => report.send(refused.to_string())?,
            other => report.send(format!("{other:?}"))?,
        }
    }
    let network = all.grant(Grant::Network("example.org:80".to_owned())).spawn(tells_its_environment, told.send_port());
    report.send(network.map_or_else(|refused| refused.to_string(), |_| "born".to_owned()))?;
    Ok(())
}

insula_guest::export!(run as "run");

fn main() {}
