//! HTTP/1.1 by hyper: a request in, its page out.

use std::convert::Infallible;
use std::sync::Arc;

use anyhow::Result;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use crate::plugins::{Pages, Request, Response};

/// Bytes of a request's body.
const BODY_BYTES_MAX: usize = 1 << 20;

/// Answers all requests, for ever.
pub(crate) async fn requests(listener: TcpListener, pages: Arc<Pages>) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let pages = Arc::clone(&pages);
        let service = service_fn(move |request| answer(Arc::clone(&pages), request));
        let connection = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                eprintln!("a connection was lost: {error}");
            }
        });
    }
}

async fn answer(
    pages: Arc<Pages>,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().trim_start_matches('/').to_owned();
    let (plugin, path) = path.split_once('/').unwrap_or((&path, ""));
    let Response { status, body } = match text(request.into_body()).await {
        Some(body) => pages.page(plugin, Request { path: path.to_owned(), body }).await,
        None => Response { status: 400, body: "the body is too large, or no text\n".to_owned() },
    };
    let mut response = hyper::Response::new(Full::new(Bytes::from(body)));
    // A plugin may say any number; one that is no status is its mistake.
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or(hyper::StatusCode::BAD_GATEWAY);
    Ok(response)
}

/// The whole body, if it is text, and not too long.
async fn text(body: Incoming) -> Option<String> {
    let bytes = Limited::new(body, BODY_BYTES_MAX).collect().await.ok()?.to_bytes();
    String::from_utf8(bytes.into()).ok()
}
