//! What is measured: each job's walk is short, so that a slow machine is done soon as well.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use insula::{Exit, Host, Isolate, Module, Priority, ReceivePort, SendPort, Spawn};

/// Something that is measured.
pub(super) struct Job {
    /// What it is called in the JSON, for good.
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    pub(super) unit: Unit,
    pub(super) walk: fn(&Stage) -> Result<Walked>,
}

/// What a job's number is of.
#[derive(Clone, Copy)]
pub(super) enum Unit {
    /// For one of what was done.
    Microseconds,
    /// Of what was done.
    PerSecond,
    /// Of messages.
    MebibytesPerSecond,
}

/// A walk that was made.
pub(super) struct Walked {
    pub(super) took: Duration,
    /// How often what is measured was done in it.
    pub(super) times: u32,
    /// Bytes of messages in it.
    pub(super) bytes: u64,
}

/// All of them.
pub(super) const JOBS: [Job; 7] = [
    Job { name: "spawn", what: "one isolate, until it is over", unit: Unit::Microseconds, walk: spawn },
    Job { name: "spawn-many", what: "isolates, 500 at once", unit: Unit::PerSecond, walk: spawn_many },
    Job { name: "ping-pong", what: "a message and its answer", unit: Unit::Microseconds, walk: ping_pong },
    Job { name: "messages", what: "messages of 24 bytes, one way", unit: Unit::PerSecond, walk: messages },
    Job { name: "throughput", what: "messages of 64 KiB, one way", unit: Unit::MebibytesPerSecond, walk: throughput },
    Job { name: "kill-waiting", what: "an isolate that waits", unit: Unit::Microseconds, walk: kill_waiting },
    Job { name: "kill-running", what: "an isolate that loops", unit: Unit::Microseconds, walk: kill_running },
];

impl Unit {
    pub(super) fn name(self) -> &'static str {
        match self {
            Unit::Microseconds => "us",
            Unit::PerSecond => "per second",
            Unit::MebibytesPerSecond => "MiB per second",
        }
    }

    pub(super) fn of(self, walked: &Walked) -> f64 {
        let seconds = walked.took.as_secs_f64();
        match self {
            Unit::Microseconds => seconds * 1e6 / f64::from(walked.times),
            Unit::PerSecond => f64::from(walked.times) / seconds,
            Unit::MebibytesPerSecond => walked.bytes as f64 / f64::from(1 << 20) / seconds,
        }
    }
}

/// The host that all jobs are measured in, and their guest.
pub(super) struct Stage {
    host: Host,
    guest: Module,
}

impl Stage {
    pub(super) fn new() -> Result<Stage> {
        let host = Host::builder().build()?;
        let guest = host.load("bench", include_bytes!("guest.wat"))?;
        Ok(Stage { host, guest })
    }

    fn spawn(&self, entry: &str) -> Result<Isolate> {
        Ok(self.host.spawn(&self.guest, Spawn::entry(entry))?)
    }

    /// An isolate that tells its port.
    fn with_port(&self, entry: &str) -> Result<(Isolate, SendPort<Vec<u8>>)> {
        let ports: ReceivePort<SendPort<Vec<u8>>> = self.host.receive_port();
        let isolate = self.host.spawn(&self.guest, Spawn::entry(entry).message(&ports.send_port()))?;
        Ok((isolate, ports.recv()?))
    }
}

fn returned(isolate: &Isolate) -> Result<()> {
    match isolate.join() {
        Exit::Returned => Ok(()),
        exit => bail!("an isolate that was to return ended: {exit}"),
    }
}

fn killed(isolate: &Isolate) -> Result<()> {
    match isolate.join() {
        Exit::Killed { .. } => Ok(()),
        exit => bail!("an isolate that was killed ended: {exit}"),
    }
}

/// So many times something that is timed by itself.
fn walked(times: u32, bytes: u64, mut once: impl FnMut() -> Result<Duration>) -> Result<Walked> {
    let mut took = Duration::ZERO;
    for _ in 0..times {
        took += once()?;
    }
    Ok(Walked { took, times, bytes })
}

fn spawn(stage: &Stage) -> Result<Walked> {
    walked(200, 0, || {
        let begun = Instant::now();
        returned(&stage.spawn("returns")?)?;
        Ok(begun.elapsed())
    })
}

fn spawn_many(stage: &Stage) -> Result<Walked> {
    const TIMES: u32 = 500;
    let begun = Instant::now();
    let isolates = (0..TIMES).map(|_| stage.spawn("returns")).collect::<Result<Vec<_>>>()?;
    isolates.iter().try_for_each(returned)?;
    Ok(Walked { took: begun.elapsed(), times: TIMES, bytes: 0 })
}

fn ping_pong(stage: &Stage) -> Result<Walked> {
    const TIMES: u32 = 20_000;
    let (answers, port) = stage.with_port("answers")?;
    let message = (TIMES.to_le_bytes(), port);
    let begun = Instant::now();
    let asks = stage.host.spawn(&stage.guest, Spawn::entry("asks").message(&message))?;
    // The last right but the asking isolate's: when that ends, the other one learns it.
    drop(message);
    returned(&asks)?;
    let took = begun.elapsed();
    returned(&answers)?;
    Ok(Walked { took, times: TIMES, bytes: 0 })
}

fn messages(stage: &Stage) -> Result<Walked> {
    flood(stage, 20_000, 24)
}

fn throughput(stage: &Stage) -> Result<Walked> {
    flood(stage, 1_000, 64 << 10)
}

/// One isolate sends, another takes, until the last message is taken.
fn flood(stage: &Stage, times: u32, bytes: u32) -> Result<Walked> {
    let (takes, port) = stage.with_port("takes")?;
    let message = (times.to_le_bytes(), bytes.to_le_bytes(), port);
    let begun = Instant::now();
    let floods = stage.host.spawn(&stage.guest, Spawn::entry("floods").message(&message))?;
    drop(message);
    returned(&floods)?;
    returned(&takes)?;
    Ok(Walked { took: begun.elapsed(), times, bytes: u64::from(times) * u64::from(bytes) })
}

fn kill_waiting(stage: &Stage) -> Result<Walked> {
    // Its port is held until it is dead, or it would learn that nobody can reach it, and return.
    walked(100, 0, || kill(&stage.with_port("takes")?))
}

fn kill_running(stage: &Stage) -> Result<Walked> {
    // Few, since on a busy machine it is not known how long it is until we have the port, and a CPU.
    walked(20, 0, || kill(&stage.with_port("spins")?))
}

fn kill((isolate, _reaches_it): &(Isolate, SendPort<Vec<u8>>)) -> Result<Duration> {
    let begun = Instant::now();
    isolate.kill(Priority::Immediate);
    killed(isolate)?;
    Ok(begun.elapsed())
}
