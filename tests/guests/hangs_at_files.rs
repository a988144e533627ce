//! Children that are ended while they open a pipe that nobody writes to, one after another, until the next is refused.

use std::error::Error;
use std::time::Duration;

use insula_guest::{Isolate, Limits, ReceivePort, SendPort};

/// Children that may be ended before they hang, beside those that do.
const TRIES: u32 = 1_000;

fn opens((path, told): (String, SendPort<String>)) {
    told.send(said(&path)).ok();
}

fn said(path: &str) -> String {
    std::fs::File::open(path).map_or_else(|refused| refused.to_string(), |_| "opened".to_owned())
}

/// What a child said that opened the pipe, if it was not ended before.
fn child() -> Result<Option<String>, Box<dyn Error>> {
    let (told, ended) = (ReceivePort::new(), ReceivePort::new());
    Isolate::build()
        .limits(Limits::default().deadline(Duration::from_millis(20)))
        .on_exit(&ended.send_port(), ())
        .spawn(opens, ("/data/never".to_owned(), told.send_port()))?;
    ended.recv()?;
    Ok(told.try_recv().ok())
}

/// Says what the first child was told that did not hang, and what it is told itself; and once it was asked, when it is told
/// something else.
fn hangs((say, asked): (SendPort<String>, SendPort<SendPort<()>>)) -> Result<(), Box<dyn Error>> {
    let mut refused = None;
    for _ in 0..TRIES {
        refused = child()?;
        if refused.is_some() {
            break;
        }
    }
    say.send(refused.ok_or("every child hung")?)?;
    let refused = said("/data/file.txt");
    say.send(refused.clone())?;
    let freed = ReceivePort::new();
    asked.send(freed.send_port())?;
    freed.recv()?;
    let other = std::iter::repeat_with(|| said("/data/file.txt")).find(|said| *said != refused);
    say.send(other.ok_or("always refused")?)?;
    Ok(())
}

insula_guest::export!(opens as "opens");
insula_guest::export!(hangs as "hangs");

fn main() {}
