//! Pages: a request in, a response out. The program has an isolate for each request, so nothing of one is there at the
//! next, and no plugin need clean up.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// As the program has it.
#[derive(Deserialize)]
struct Request {
    /// What follows the plugin's name in the path.
    path: String,
    body: String,
}

/// As the program has it.
#[derive(Serialize)]
struct Response {
    status: u16,
    body: String,
}

/// How often each word is in the body, the most frequent first.
fn words(request: Request) -> Response {
    let mut counts = BTreeMap::<&str, usize>::new();
    for word in request.body.split_whitespace() {
        *counts.entry(word).or_default() += 1;
    }
    if counts.is_empty() {
        return Response { status: 400, body: "there are no words\n".to_owned() };
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let lines = counts.iter().map(|(word, count)| format!("{count} {word}\n"));
    Response { status: 200, body: lines.collect() }
}

/// How often it was asked, as far as it remembers: once.
fn visits(request: Request) -> Response {
    static VISITS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let visits = 1 + VISITS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    Response { status: 200, body: format!("visit {visits} of {}\n", request.path) }
}

insula_guest::export_service!(words as "words");
insula_guest::export_service!(visits as "visits");

fn main() {}
