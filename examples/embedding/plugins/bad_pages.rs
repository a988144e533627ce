//! Pages that are never there.

use serde::{Deserialize, Serialize};

/// As the program has it.
#[derive(Deserialize)]
struct Request {
    path: String,
    #[expect(dead_code, reason = "it does not look at it")]
    body: String,
}

/// As the program has it.
#[derive(Serialize)]
struct Response {
    status: u16,
    body: String,
}

/// Never answers, and takes all the time that it gets.
fn loops(_: Request) -> Response {
    loop {
        std::hint::spin_loop();
    }
}

/// Never answers, and takes no time at all.
fn sleeps(_: Request) -> Response {
    loop {
        insula_guest::sleep(std::time::Duration::MAX);
    }
}

/// Gives up.
fn panics(request: Request) -> Response {
    panic!("no page at {:?}", request.path);
}

insula_guest::export_service!(loops as "loops");
insula_guest::export_service!(sleeps as "sleeps");
insula_guest::export_service!(panics as "panics");

fn main() {}
