//! Through the host: a port of the embedder's, messages between isolates, and births.
//!
//! The guests are written by hand, so that the steps are the host's and not an SDK's, and nothing has to be built first.

use insula::{Exit, Host, Isolate, Module, ReceivePort, SendPort, Spawn};

use crate::codec::Record;

/// Address space for a guest's memory, which is a page.
const MEMORY_BYTES: u64 = 1 << 16;

/// A small host, whose isolates run on one thread: they take turns, in the same order every time.
///
/// It sets little address space aside, since valgrind has 128 GiB for all of the program.
///
/// # Errors
/// Where the machine has no room for it.
pub fn host() -> anyhow::Result<Host> {
    let builder = Host::builder().isolates(8).memory_max(MEMORY_BYTES).memory_reservation(MEMORY_BYTES);
    Ok(builder.threads(1).build()?)
}

/// A step: the embedder sends a record to itself and receives it.
pub fn port(host: Host) -> impl FnMut() -> anyhow::Result<()> {
    let port: ReceivePort<Record> = host.receive_port();
    let to_port = port.send_port();
    let record = Record::example();
    move || {
        let _lives_as_long = &host;
        to_port.send_ref(&record)?;
        anyhow::ensure!(port.recv()? == record);
        Ok(())
    }
}

/// A host, and the guests in it.
pub struct Guests {
    host: Host,
    module: Module,
}

impl Guests {
    /// Loads them.
    ///
    /// # Errors
    /// Where they are no module.
    pub fn new(host: Host) -> anyhow::Result<Guests> {
        let module = host.load("guests.wat", include_bytes!("guests.wat"))?;
        Ok(Guests { host, module })
    }

    /// A step: an isolate is spawned, returns, and its exit is seen.
    ///
    /// # Errors
    /// Where it did not return.
    pub fn spawn(&self) -> anyhow::Result<()> {
        returned(&self.host.spawn(&self.module, Spawn::entry("returns"))?)
    }

    /// Two isolates, and so many messages from one to the other and back, each taken by who waits for it.
    ///
    /// # Errors
    /// Where one of them did not return.
    pub fn round_trips(&self, times: u32) -> anyhow::Result<()> {
        let ports: ReceivePort<SendPort<Vec<u8>>> = self.host.receive_port();
        let answers = self.host.spawn(&self.module, Spawn::entry("answers").message(&ports.send_port()))?;
        let message = (times.to_le_bytes(), ports.recv()?);
        let asks = self.host.spawn(&self.module, Spawn::entry("asks").message(&message))?;
        // The last right but the asking isolate's: when that ends, the other one learns it.
        drop(message);
        returned(&asks).and_then(|()| returned(&answers))
    }
}

fn returned(isolate: &Isolate) -> anyhow::Result<()> {
    match isolate.join() {
        Exit::Returned => Ok(()),
        other => anyhow::bail!("an isolate ended: {other}"),
    }
}
