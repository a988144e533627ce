//! What a host does as numbers for Prometheus, of the feature `metrics`.
//!
//! Everything is read when it is asked for, of what the host counts in any case. There is no label that a guest could
//! fill, and none for an isolate: as many series as there are today there are after a million births. A counter counts
//! the dead, and never goes back.

use std::fmt;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use crate::compile::{BOUNDS_MS, Counts};
use crate::exit::Exit;
use crate::host::{Host, Readable, Reading};
use crate::sync::Arc;
use crate::sync::atomic::{AtomicU64, Ordering};

/// The metrics of a host, by the names that `docs/observing.md` lists.
///
/// It is there for the asking: nothing is counted for it that the host does not count anyway, and it keeps no host alive.
/// Where the host is gone there are no metrics. To read them looks at each isolate that lives, one after another.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use insula::{Host, Metrics, Spawn};
/// let host = Host::builder().isolates(1).build()?;
/// let metrics = Metrics::of(&host);
/// let module = host.load("page", b"(module (func (export \"run\")))")?;
/// host.spawn(&module, Spawn::entry("run"))?.join();
/// assert!(metrics.encode().contains("\ninsula_isolates_ended_total{reason=\"returned\"} 1\n"));
/// drop(host);
/// assert_eq!(metrics.encode(), "# EOF\n");
/// # Ok(())
/// # }
/// ```
///
/// Beside metrics of one's own they stand as a collector, and with a label where there are several hosts:
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use insula::{Host, Metrics};
/// use prometheus_client::registry::Registry;
/// let host = Host::builder().isolates(1).build()?;
/// let mut registry = Registry::default();
/// let label = ("host".into(), "plugins".into());
/// registry.sub_registry_with_label(label).register_collector(Box::new(Metrics::of(&host)));
/// let mut text = String::new();
/// prometheus_client::encoding::text::encode(&mut text, &registry)?;
/// assert!(text.contains("\ninsula_isolates{host=\"plugins\"} 0\n"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Metrics {
    host: Readable,
    marks: Arc<Marks>,
}

/// The most that was told so far of each sum over the living and the dead, which are looked at one after another: who dies
/// meanwhile may be seen with a message more than it is remembered with.
#[derive(Default)]
struct Marks([AtomicU64; 5]);

impl Metrics {
    /// Those of this host.
    #[must_use]
    pub fn of(host: &Host) -> Metrics {
        Metrics { host: Readable::of(host), marks: Arc::default() }
    }

    /// All of them as they are now, in the text format of OpenMetrics 1.0, `# EOF` at its end.
    #[must_use]
    pub fn encode(&self) -> String {
        let (mut registry, mut encoded) = (Registry::default(), String::new());
        registry.register_collector(Box::new(self.clone()));
        text::encode(&mut encoded, &registry).expect("a text takes whatever is written to it");
        encoded
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(mut reading) = self.host.read() else { return Ok(()) };
        self.marks.hold(&mut reading);
        let lives = lives(&reading).into_iter().chain(messages(&reading)).chain(memory(&reading));
        let all = lives.chain(compiles(&reading)).chain(limits(&reading));
        all.into_iter().try_for_each(|metric| metric.encode(&mut encoder))
    }
}

impl Marks {
    /// No sum is less than it was.
    fn hold(&self, reading: &mut Reading) {
        let usage = &mut reading.usage;
        let mut cpu_nanos = u64::try_from(usage.cpu_time.as_nanos()).unwrap_or(u64::MAX);
        let sums = [
            &mut cpu_nanos,
            &mut usage.sent_messages,
            &mut usage.sent_bytes,
            &mut usage.received_messages,
            &mut usage.received_bytes,
        ];
        for (sum, mark) in sums.into_iter().zip(&self.0) {
            *sum = mark.fetch_max(*sum, Ordering::SeqCst).max(*sum);
        }
        usage.cpu_time = Duration::from_nanos(cpu_nanos);
    }
}

/// One metric: its name without its unit and without what its kind adds, and what is told of it.
struct Metric {
    name: &'static str,
    unit: Option<Unit>,
    help: &'static str,
    value: Value,
}

enum Value {
    Count(u64),
    Seconds(f64),
    Ends([u64; Exit::REASONS.len()]),
    Level(u64),
    Times(Counts),
    Version(&'static str),
}

impl Metric {
    fn new(name: &'static str, value: Value, help: &'static str) -> Metric {
        Metric { name, unit: None, help, value }
    }

    fn bytes(self) -> Metric {
        Metric { unit: Some(Unit::Bytes), ..self }
    }

    fn seconds(self) -> Metric {
        Metric { unit: Some(Unit::Seconds), ..self }
    }

    fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut encoder = encoder.encode_descriptor(self.name, self.help, self.unit.as_ref(), self.value.kind())?;
        match &self.value {
            Value::Count(count) => ConstCounter::new(*count).encode(encoder),
            Value::Seconds(seconds) => ConstCounter::new(*seconds).encode(encoder),
            Value::Level(level) => ConstGauge::new(*level).encode(encoder),
            Value::Ends(ended) => Exit::REASONS.iter().zip(ended).try_for_each(|(reason, count)| {
                let label = [("reason", *reason)];
                ConstCounter::new(*count).encode(encoder.encode_family(&label)?)
            }),
            Value::Times(counts) => times(&mut encoder, counts),
            Value::Version(version) => encoder.encode_info(&[("version", *version)]),
        }
    }
}

impl Value {
    fn kind(&self) -> MetricType {
        match self {
            Value::Count(_) | Value::Seconds(_) | Value::Ends(_) => MetricType::Counter,
            Value::Level(_) => MetricType::Gauge,
            Value::Times(_) => MetricType::Histogram,
            Value::Version(_) => MetricType::Info,
        }
    }
}

fn times(encoder: &mut MetricEncoder<'_>, counts: &Counts) -> fmt::Result {
    let bounds = BOUNDS_MS.iter().map(|millis| *millis as f64 / 1_000.0).chain([f64::INFINITY]);
    let buckets: Vec<(f64, u64)> = bounds.zip(counts.took).collect();
    let count = counts.took.iter().sum();
    encoder.encode_histogram::<[(&str, &str); 0]>(counts.time.as_secs_f64(), count, &buckets, None)
}

fn lives(reading: &Reading) -> Vec<Metric> {
    let version = Value::Version(env!("CARGO_PKG_VERSION"));
    let left_behind = "Trusted isolates that ended in the middle of their code, and are still in it.";
    vec![
        Metric::new("insula_build", version, "The version of insula."),
        Metric::new("insula_isolates", Value::Level(reading.usage.isolates), "Isolates that live."),
        Metric::new("insula_trusted_isolates", Value::Level(reading.trusted), "Of them, those of trusted modules."),
        Metric::new("insula_isolates_born", Value::Count(reading.born), "Isolates that were born."),
        Metric::new("insula_isolates_ended", Value::Ends(reading.ended), "Isolates that ended, by the kind of end."),
        Metric::new("insula_isolates_left_behind", Value::Level(reading.left_behind), left_behind),
        Metric::new("insula_uncaught_errors", Value::Count(reading.uncaught), "Errors that nobody listened for."),
    ]
}

fn messages(reading: &Reading) -> Vec<Metric> {
    let usage = &reading.usage;
    let (sent, received) = (Value::Count(usage.sent_messages), Value::Count(usage.received_messages));
    let (sent_bytes, received_bytes) = (Value::Count(usage.sent_bytes), Value::Count(usage.received_bytes));
    let (queued, queued_bytes) = (Value::Level(usage.queued_messages), Value::Level(usage.queued_bytes));
    vec![
        Metric::new("insula_messages_sent", sent, "Messages of isolates that were accepted."),
        Metric::new("insula_messages_sent", sent_bytes, "What these cost the mailboxes.").bytes(),
        Metric::new(
            "insula_messages_received",
            received,
            "Messages that came into mailboxes of isolates, and notices.",
        ),
        Metric::new("insula_messages_received", received_bytes, "What these cost the mailboxes.").bytes(),
        Metric::new("insula_mailbox_messages", queued, "Messages that wait there, with the room kept for notices."),
        Metric::new("insula_mailbox", queued_bytes, "What these cost the mailboxes.").bytes(),
        Metric::new("insula_handles", Value::Level(usage.handles), "Objects in handle tables."),
    ]
}

fn memory(reading: &Reading) -> Vec<Metric> {
    let usage = &reading.usage;
    let (now, peak, blobs) = (usage.memory_bytes, usage.memory_bytes_peak, usage.blob_bytes);
    let stuck = "File operations that hang although their isolates have ended.";
    vec![
        Metric::new("insula_memory", Value::Level(now), "Linear memory of all isolates together.").bytes(),
        Metric::new("insula_memory_peak", Value::Level(peak), "The most that this was at one time.").bytes(),
        Metric::new("insula_blob", Value::Level(blobs), "Length of the blobs that isolates hold.").bytes(),
        Metric::new("insula_cpu", Value::Seconds(usage.cpu_time.as_secs_f64()), "Time of isolates on a CPU.").seconds(),
        Metric::new("insula_stuck_file_operations", Value::Level(reading.stuck_file_operations), stuck),
    ]
}

fn compiles(reading: &Reading) -> Vec<Metric> {
    let (counts, under_way) = (&reading.compiles, Value::Level(reading.compiles_under_way));
    let left_behind = Value::Level(reading.compiles_left_behind);
    vec![
        Metric::new("insula_compile", Value::Times(counts.clone()), "How long compiles took.").seconds(),
        Metric::new("insula_compiles_failed", Value::Count(counts.failed), "Of them, those of which no code came."),
        Metric::new("insula_compiles_under_way", under_way, "Compiles that go on."),
        Metric::new("insula_compiles_left_behind", left_behind, "Of them, those that take longer than they may."),
        Metric::new("insula_cache_hits", Value::Count(counts.hits), "Looks into the cache folder that found code."),
        Metric::new("insula_cache_misses", Value::Count(counts.misses), "Looks into the cache folder that did not."),
    ]
}

fn limits(reading: &Reading) -> Vec<Metric> {
    let (isolates, trusted) = (Value::Level(reading.isolates_max), Value::Level(reading.trusted_max));
    let (each, all) = (Value::Level(reading.memory_bytes_max), reading.total_memory_bytes_max.map(Value::Level));
    let all =
        all.map(|all| Metric::new("insula_total_memory_limit", all, "The most of all together, where it is set."));
    let limits = [
        Metric::new("insula_isolates_limit", isolates, "How many isolates may live, trusted ones aside."),
        Metric::new("insula_trusted_isolates_limit", trusted, "How many isolates of trusted modules may live."),
        Metric::new("insula_memory_limit", each, "The most linear memory that any isolate can be given.").bytes(),
    ];
    limits.into_iter().chain(all.map(Metric::bytes)).collect()
}
