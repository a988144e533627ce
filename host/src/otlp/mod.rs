//! Spans of a host's isolates, sent to a collector of OpenTelemetry's as they end; of the feature `otlp`.
//!
//! - [`Otlp`]: where to, and as whom. [`Exporting`]: for as long as it lasts.
//! - `spans`: from events to spans.
//!
//! Spans are made on the thread of the host's observers and sent from a thread of their own, so that a collector that is
//! slow, or away, holds up nobody: what it does not take in time is counted and dropped.

mod spans;

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use opentelemetry_http::hyper::HyperClient;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use tokio::runtime::Runtime;

use crate::host::{Host, Observation};
use crate::world::{Nanos, World};
use spans::Spans;

/// Spans that are sent at a time, and about as many bytes, at most.
const BATCH: usize = 512;
const BATCH_BYTES_MAX: usize = 4 << 20;

/// Bytes of the spans that wait to be sent, about; of those beyond, the number is kept.
const WAITING_BYTES_MAX: usize = 32 << 20;

/// Batches that wait, at most.
const BATCHES_MAX: usize = 4_096;

/// How long a collector may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long those are waited for that are not sent yet at the end.
const LAST_PATIENCE: Duration = Duration::from_secs(5);

/// A collector of OpenTelemetry's, by the protocol OTLP over HTTP.
///
/// Each isolate is a span, from its birth to its end, with its errors; and so is each message that it takes, from then to
/// the moment at which it waits for the next one, within the span of whoever sent it. See [`Host::observe_spans`].
///
/// The environment's OTEL_EXPORTER_OTLP_HEADERS and OTEL_RESOURCE_ATTRIBUTES are used, as in other programs.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use insula::{Host, Spawn, otlp::Otlp};
/// let host = Host::builder().build()?;
/// let exporting = Otlp::to("http://127.0.0.1:4318").service_name("orders").export(&host)?;
/// host.spawn(&host.load_file("app.wasm")?, Spawn::main())?.join();
/// let exported = exporting.finish();
/// println!("{} spans sent", exported.sent);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Otlp {
    endpoint: String,
    service_name: Option<String>,
}

/// Why nothing is exported.
///
/// ```
/// use insula::{Host, otlp::{Otlp, OtlpError}};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let host = Host::builder().isolates(1).build()?;
/// let refused = Otlp::to("https://127.0.0.1:4318").export(&host);
/// assert!(matches!(refused, Err(OtlpError::Endpoint { .. })));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OtlpError {
    /// There is no sending to this address.
    #[error("`{endpoint}` is no address of a collector: {reason}")]
    Endpoint {
        /// The address.
        endpoint: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The system gives no thread.
    #[error("the system gives no thread to export from: {0}")]
    NoThread(#[from] io::Error),
}

/// What came of an export.
///
/// ```
/// let exported = insula::otlp::Exported::default();
/// assert_eq!((exported.sent, exported.lost), (0, 0));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exported {
    /// Spans that the collector took, as the status of its answer has it: whether it dropped some afterwards is not known.
    pub sent: u64,
    /// Spans that it did not take, or that came faster than they could be sent.
    pub lost: u64,
    /// Why, the last time that some were lost.
    pub error: Option<String>,
    /// Events that came faster than they could be told: spans may lack them, or begin and end with others.
    pub missed_events: u64,
}

impl Otlp {
    /// The collector at this address, `http://host:port`, to which `/v1/traces` is added where it has no path. A collector
    /// that wants TLS is reached through one beside this process, as OpenTelemetry recommends.
    pub fn to(endpoint: impl Into<String>) -> Otlp {
        Otlp { endpoint: endpoint.into(), service_name: None }
    }

    /// What the spans say of who sent them; by default what OTEL_SERVICE_NAME says, or `insula`.
    pub fn service_name(mut self, name: impl Into<String>) -> Otlp {
        self.service_name = Some(name.into());
        self
    }

    /// Sends what happens in this host from now on, until [`Exporting`] is dropped. The collector need not be there yet.
    ///
    /// # Errors
    /// [`OtlpError`].
    pub fn export(&self, host: &Host) -> Result<Exporting, OtlpError> {
        let io = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let exporter = self.exporter()?;
        let (batches, theirs) = sync_channel(BATCHES_MAX);
        let waiting = Arc::<AtomicUsize>::default();
        let exported = Arc::<Mutex<Exported>>::default();
        let world = Arc::clone(&host.inner().links().world);
        let sending = Sending {
            io,
            exporter,
            exported: Arc::clone(&exported),
            waiting: Arc::clone(&waiting),
            ends: Arc::default(),
            world,
        };
        let (ends, world) = (Arc::clone(&sending.ends), Arc::clone(&sending.world));
        let thread = std::thread::Builder::new().name("insula-otlp".to_owned());
        let thread = thread.spawn(move || sending.run(&theirs))?;
        let mut making = Making { spans: Spans::of(host), batches, waiting, exported: Arc::clone(&exported) };
        let observation = host.observe_spans(move |events| {
            for event in events {
                making.spans.see(event);
            }
            making.hand_over();
        });
        let observation = Some(observation?);
        Ok(Exporting { observation, thread: Some(thread), exported, ends, world })
    }

    fn exporter(&self) -> Result<SpanExporter, OtlpError> {
        let wrong = |reason: String| OtlpError::Endpoint { endpoint: self.endpoint.clone(), reason };
        let Some(authority) = self.endpoint.strip_prefix("http://") else {
            return Err(wrong(
                "it begins with http://, since what wants TLS is reached through a collector nearby".into(),
            ));
        };
        let has_path = authority.trim_end_matches('/').contains('/');
        let path = if has_path { "" } else { "/v1/traces" };
        let endpoint = if has_path { &self.endpoint } else { self.endpoint.trim_end_matches('/') };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(HyperClient::with_default_connector(PATIENCE, None))
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{endpoint}{path}"))
            .with_timeout(PATIENCE)
            .build();
        let mut exporter = exporter.map_err(|error| wrong(error.to_string()))?;
        let resource = Resource::builder();
        let resource = match &self.service_name {
            Some(name) => resource.with_service_name(name.clone()),
            None if std::env::var_os("OTEL_SERVICE_NAME").is_some() => resource,
            None => resource.with_service_name("insula"),
        };
        exporter.set_resource(&resource.build());
        Ok(exporter)
    }
}

/// An export under way. Dropped, it waits 5 s at most until what happened before is sent.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let host = insula::Host::builder().build()?;
/// let exporting = insula::otlp::Otlp::to("http://127.0.0.1:4318").export(&host)?;
/// drop(exporting);
/// # Ok(())
/// # }
/// ```
#[must_use = "dropped, it ends the export"]
pub struct Exporting {
    observation: Option<Observation>,
    thread: Option<JoinHandle<()>>,
    exported: Arc<Mutex<Exported>>,
    ends: Arc<Mutex<Option<Nanos>>>,
    world: Arc<World>,
}

impl Exporting {
    /// What came of it so far.
    #[must_use]
    pub fn exported(&self) -> Exported {
        lock(&self.exported).clone()
    }

    /// Ends it, and says what came of it.
    #[must_use]
    pub fn finish(mut self) -> Exported {
        self.end();
        self.exported()
    }

    fn end(&mut self) {
        *lock(&self.ends) = Some(until(&self.world, LAST_PATIENCE));
        let observation = self.observation.take();
        // Then what makes spans goes later, and its thread with it, which nobody here waits for.
        let waits = observation.as_ref().is_some_and(|observation| !observation.is_on_its_thread());
        // What makes spans goes with it, and with that the way to the thread.
        drop(observation);
        if let Some(thread) = self.thread.take().filter(|_| waits) {
            // It does not panic; if it did, it exports no more.
            let _ = thread.join();
        }
    }
}

impl Drop for Exporting {
    fn drop(&mut self) {
        self.end();
    }
}

impl std::fmt::Debug for Exporting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exporting").field("exported", &self.exported()).finish_non_exhaustive()
    }
}

/// So long from now, by the clock of the machine: a collector knows of no other.
fn until(world: &World, patience: Duration) -> Nanos {
    world.real().saturating_add(u64::try_from(patience.as_nanos()).unwrap_or(Nanos::MAX))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What makes spans, on the thread of the observers. It goes when it observes no more.
struct Making {
    spans: Spans,
    batches: SyncSender<Batch>,
    /// Bytes of the batches that wait.
    waiting: Arc<AtomicUsize>,
    exported: Arc<Mutex<Exported>>,
}

/// Spans that are sent together, and the room that they take, about.
#[derive(Default)]
struct Batch {
    spans: Vec<SpanData>,
    bytes: usize,
}

impl Making {
    fn hand_over(&mut self) {
        let (mut lost, mut batch) = (0, Batch::default());
        for span in self.spans.take() {
            let bytes = spans::weight(&span);
            if batch.spans.len() >= BATCH || batch.bytes + bytes > BATCH_BYTES_MAX {
                lost += self.send(std::mem::take(&mut batch));
            }
            batch.bytes += bytes;
            batch.spans.push(span);
        }
        lost += self.send(batch);
        let (missed, no_room) = self.spans.missed();
        let mut exported = lock(&self.exported);
        exported.missed_events += missed;
        exported.lost += lost + no_room;
        if lost + no_room > 0 {
            exported.error = Some("they came faster than they could be sent".to_owned());
        }
    }

    /// How many of them are lost.
    fn send(&self, batch: Batch) -> u64 {
        let (count, bytes) = (batch.spans.len() as u64, batch.bytes);
        if count == 0 {
            return 0;
        }
        let has_room = self.waiting.fetch_add(bytes, Ordering::SeqCst) + bytes <= WAITING_BYTES_MAX;
        if has_room && self.batches.try_send(batch).is_ok() {
            return 0;
        }
        self.waiting.fetch_sub(bytes, Ordering::SeqCst);
        count
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        self.spans.close();
        self.hand_over();
    }
}

/// The thread that sends.
struct Sending {
    io: Runtime,
    exporter: SpanExporter,
    exported: Arc<Mutex<Exported>>,
    waiting: Arc<AtomicUsize>,
    /// By when it is to be done, once it is to end.
    ends: Arc<Mutex<Option<Nanos>>>,
    world: Arc<World>,
}

impl Sending {
    fn run(self, batches: &Receiver<Batch>) {
        while let Ok(Batch { spans, bytes }) = batches.recv() {
            self.send(spans);
            self.waiting.fetch_sub(bytes, Ordering::SeqCst);
        }
        let Sending { io, exporter, .. } = self;
        drop(exporter);
        // A name that is still looked up is waited for by nobody.
        io.shutdown_background();
    }

    fn send(&self, batch: Vec<SpanData>) {
        let count = batch.len() as u64;
        let left = |ends: Nanos| Duration::from_nanos(ends.saturating_sub(self.world.real()));
        let left = lock(&self.ends).map_or(PATIENCE, left);
        let sent = match left.is_zero() {
            true => Err("the end came before they were sent".to_owned()),
            false => self.io.block_on(async {
                let sent = tokio::time::timeout(left, self.exporter.export(batch)).await;
                sent.map_err(|_| "the collector did not answer in time".to_owned())?.map_err(|error| error.to_string())
            }),
        };
        let mut exported = lock(&self.exported);
        match sent {
            Ok(()) => exported.sent += count,
            Err(error) => {
                exported.lost += count;
                exported.error = Some(error);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, Happened};
    use crate::exit::{Exit, IsolateId};
    use crate::trace_context::TraceContext;

    /// A life that is over.
    fn live(making: &mut Making, number: u64) {
        let context = TraceContext::new(7, number, true).unwrap();
        let name = "one".to_owned();
        for what in [
            Happened::Born { name, module: String::new(), parent: None },
            Happened::Entered { context, parent: None },
            Happened::Ended { exit: Exit::Returned },
        ] {
            making.spans.see(&Event { at: Duration::ZERO, isolate: Some(IsolateId(number)), what });
        }
    }

    #[test]
    fn what_waits_has_a_bound_in_bytes_and_in_batches_and_what_is_beyond_is_counted() {
        let host = Host::builder().isolates(1).build().unwrap();
        let (batches, theirs) = sync_channel(1);
        let (waiting, exported) = (Arc::<AtomicUsize>::default(), Arc::<Mutex<Exported>>::default());
        let mut making =
            Making { spans: Spans::of(&host), batches, waiting: Arc::clone(&waiting), exported: Arc::clone(&exported) };
        waiting.store(WAITING_BYTES_MAX, Ordering::SeqCst);
        live(&mut making, 1);
        making.hand_over();
        assert_eq!((lock(&exported).lost, theirs.try_recv().is_err()), (1, true), "no room in bytes");
        assert_eq!(waiting.swap(0, Ordering::SeqCst), WAITING_BYTES_MAX, "what is lost takes none");
        // More than a batch has, and there is room for one.
        (0..=BATCH as u64).for_each(|number| live(&mut making, 2 + number));
        making.hand_over();
        assert_eq!((lock(&exported).lost, theirs.try_recv().unwrap().spans.len()), (2, BATCH));
        assert!(lock(&exported).error.is_some());
    }
}
