//! Where a run's metrics are read: HTTP/1.1 by hyper, on a thread of its own, for Prometheus and for `curl`.
//!
//! It listens on this machine only, and that is no wall against a browser on it: a page whose name leads here (DNS
//! rebinding) would be let in by the browser. So a request that names another host than this machine is refused. Whoever
//! asks gets one answer for a connection, has a few seconds for all of it, and a few kilobytes for what it asks.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HOST};
use hyper::http::uri::Authority;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use insula::Metrics;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};

use super::report;

/// Who may ask at one time.
const ASKERS_MAX: usize = 16;

/// What one has for a request and its answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Bytes of a request's head; hyper has no smaller buffer.
const HEAD_BYTES_MAX: usize = 8 << 10;

/// How long one that cannot be let in waits, where the process has no descriptor left.
const AGAIN: Duration = Duration::from_millis(50);

/// What the text is.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Request = hyper::Request<Incoming>;
type Response = hyper::Response<Full<Bytes>>;

/// Metrics that can be read. Dropped, nobody is answered any more.
#[derive(Debug)]
pub(super) struct Endpoint {
    shown: Arc<Shown>,
    /// Dropped, it ends the thread.
    over: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Whose metrics are shown; nobody's, until a program runs.
#[derive(Debug, Default)]
struct Shown(Mutex<Option<Metrics>>);

impl Endpoint {
    /// Listens there, and says where that is.
    pub(super) fn open(address: SocketAddr) -> Result<Endpoint> {
        let cannot =
            || format!("cannot show metrics at {address}: with --metrics give another port, or 0 for a free one");
        let listener = std::net::TcpListener::bind(address).with_context(cannot)?;
        listener.set_nonblocking(true).with_context(cannot)?;
        let bound = listener.local_addr().with_context(cannot)?;
        let io = tokio::runtime::Builder::new_current_thread().enable_all().build().with_context(cannot)?;
        let ((over, is_over), shown) = (oneshot::channel(), Arc::<Shown>::default());
        let theirs = Arc::clone(&shown);
        let listener = {
            let _io = io.enter();
            TcpListener::from_std(listener).with_context(cannot)?
        };
        let thread = std::thread::Builder::new().name("insula-metrics".to_owned());
        let thread = thread.spawn(move || io.block_on(until(is_over, accept(&listener, &theirs))));
        let thread = thread.with_context(cannot)?;
        report::listens("metrics", &format!("http://{bound}/metrics"));
        Ok(Endpoint { shown, over: Some(over), thread: Some(thread) })
    }

    /// From now on these are shown.
    pub(super) fn show(&self, metrics: Metrics) {
        *self.shown.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(metrics);
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        drop(self.over.take());
        // It does not panic; and who asks right now is cut off.
        self.thread.take().into_iter().for_each(|thread| drop(thread.join()));
    }
}

/// Does this until it is over.
async fn until(mut is_over: oneshot::Receiver<()>, work: impl Future<Output = Infallible>) {
    let mut work = pin!(work);
    poll_fn(|cx| match Pin::new(&mut is_over).poll(cx) {
        Poll::Ready(_) => Poll::Ready(()),
        Poll::Pending => work.as_mut().poll(cx).map(|never| match never {}),
    })
    .await;
}

async fn accept(listener: &TcpListener, shown: &Arc<Shown>) -> Infallible {
    let places = Arc::new(Semaphore::new(ASKERS_MAX));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(AGAIN).await;
            continue;
        };
        // Where as many ask as may, one more is shown the door.
        if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
            let shown = Arc::clone(shown);
            tokio::spawn(async move {
                serve(stream, &shown).await;
                drop(place);
            });
        }
    }
}

/// One request and its answer.
async fn serve(stream: TcpStream, shown: &Arc<Shown>) {
    let service = service_fn(|request: Request| {
        let response = shown.answer(&request);
        async move { Ok::<Response, Infallible>(response) }
    });
    let mut http = http1::Builder::new();
    http.keep_alive(false).max_buf_size(HEAD_BYTES_MAX).timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    // Who goes away in the midst of it, or takes too long, has had an answer enough.
    let _ = tokio::time::timeout(PATIENCE, http.serve_connection(TokioIo::new(stream), service)).await;
}

impl Shown {
    fn answer(&self, request: &Request) -> Response {
        if !names_this_machine(request) {
            let text = "this is for whoever names this machine as localhost, 127.0.0.1 or [::1]\n";
            return plain(StatusCode::FORBIDDEN, text);
        }
        if request.uri().path() != "/metrics" {
            return plain(StatusCode::NOT_FOUND, "there is nothing here but /metrics\n");
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "metrics are read: by GET, or HEAD\n");
            response.headers_mut().insert(ALLOW, hyper::header::HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        let metrics = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let text = metrics.map_or_else(|| "# EOF\n".to_owned(), |metrics| metrics.encode());
        response(StatusCode::OK, OPEN_METRICS, text)
    }
}

/// Whether each name that the request has for whom it asks is one of this machine for itself; and there is one.
fn names_this_machine(request: &Request) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let host = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok());
    let is_own = |authority: &Authority| is_of_this_machine(authority.host());
    host.is_some_and(|host| is_own(&host)) && request.uri().authority().is_none_or(is_own)
}

fn is_of_this_machine(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn plain(status: StatusCode, text: &'static str) -> Response {
    response(status, "text/plain; charset=utf-8", text.to_owned())
}

fn response(status: StatusCode, kind: &'static str, text: String) -> Response {
    let mut response = hyper::Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_no_name_service_gives_are_of_this_machine() {
        for host in ["localhost", "LOCALHOST", "127.0.0.1", "127.1.2.3", "[::1]"] {
            assert!(is_of_this_machine(host), "{host}");
        }
        for host in ["", "example.com", "localhost.example.com", "127.0.0.1.example.com", "0.0.0.0", "[::]", "10.0.0.1"]
        {
            assert!(!is_of_this_machine(host), "{host}");
        }
    }
}
