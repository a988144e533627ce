//! A collector of spans on a loopback address: it keeps what it is sent, by OTLP over HTTP.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

/// Stopped, or dropped, it listens no more.
pub(crate) struct Collector {
    address: std::net::SocketAddr,
    collected: Arc<Mutex<Collected>>,
    thread: Option<JoinHandle<()>>,
}

/// What it was sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Collected {
    pub(crate) spans: Vec<Span>,
    /// Who sent them.
    pub(crate) services: HashSet<String>,
    /// Where to.
    pub(crate) paths: HashSet<String>,
    over: bool,
}

impl Collector {
    pub(crate) fn start() -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
        let address = listener.local_addr().expect("it listens");
        let collected = Arc::<Mutex<Collected>>::default();
        let theirs = Arc::clone(&collected);
        let thread = std::thread::spawn(move || {
            for asker in listener.incoming() {
                if theirs.lock().expect("no panic").over {
                    return;
                }
                serve(&asker.expect("it is let in"), &theirs);
            }
        });
        Collector { address, collected, thread: Some(thread) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// An address that nobody listens at any more.
    pub(crate) fn into_url_of_nobody(self) -> String {
        self.url()
    }

    pub(crate) fn stop(self) -> Collected {
        self.collected.lock().expect("no panic").clone()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.collected.lock().expect("no panic").over = true;
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            thread.join().expect("no panic");
        }
    }
}

/// All requests of one connection.
fn serve(asker: &TcpStream, collected: &Mutex<Collected>) {
    let mut reader = BufReader::new(asker);
    loop {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).expect("it can be read") == 0 {
                return;
            }
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            lines.push(line);
        }
        let length = lines.iter().find_map(|line| line.strip_prefix("content-length: "));
        let length = length.and_then(|length| length.parse().ok()).expect("it says how long it is");
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("it is as long as it says");
        assert!(lines.contains(&"content-type: application/x-protobuf".to_owned()), "{lines:?}");
        let request = ExportTraceServiceRequest::decode(&body[..]).expect("it is what it says");
        keep(&mut collected.lock().expect("no panic"), &lines[0], request);
        (&mut &*asker)
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n")
            .expect("it waits for that");
    }
}

fn keep(collected: &mut Collected, head: &str, request: ExportTraceServiceRequest) {
    collected.paths.extend(head.split(' ').nth(1).map(str::to_owned));
    for resource in request.resource_spans {
        let attributes = resource.resource.into_iter().flat_map(|resource| resource.attributes);
        let names = attributes.filter(|attribute| attribute.key == "service.name");
        let text = |value| match value {
            Value::StringValue(text) => Some(text),
            _ => None,
        };
        collected.services.extend(names.filter_map(|name| text(name.value?.value?)));
        collected.spans.extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
    }
}
