//! Isolates that stop when they are asked to, some that do not, and families of both.

use std::error::Error;

use insula_guest::{Isolate, ReceivePort, SendPort, notify_stop};

type Failed = Box<dyn Error>;

fn heeds(told: SendPort<String>) -> Result<(), Failed> {
    let asked = ReceivePort::new();
    notify_stop(&asked.send_port(), ())?;
    told.send("ready".to_owned())?;
    asked.recv()?;
    told.send("asked to stop".to_owned())?;
    Ok(())
}

fn ignores(told: SendPort<String>) {
    told.send("ready".to_owned()).ok();
    loop {
        std::hint::spin_loop();
    }
}

fn family_heeds(told: SendPort<String>) -> Result<(), Failed> {
    Isolate::spawn(heeds, told.clone())?;
    Isolate::spawn(heeds, told.clone())?;
    heeds(told)
}

fn family_mixed(told: SendPort<String>) -> Result<(), Failed> {
    Isolate::spawn(heeds, told.clone())?;
    Isolate::spawn(ignores, told.clone())?;
    heeds(told)
}

fn family_left(told: SendPort<String>) -> Result<(), Failed> {
    Isolate::spawn(ignores, told.clone())?;
    Isolate::spawn(ignores, told.clone())?;
    Ok(told.send("ready".to_owned())?)
}

insula_guest::export!(heeds as "heeds");
insula_guest::export!(ignores as "ignores");
insula_guest::export!(family_heeds as "family_heeds");
insula_guest::export!(family_mixed as "family_mixed");
insula_guest::export!(family_left as "family_left");

fn main() {}
