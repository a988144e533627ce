//! `insula run --metrics`: what a run does, over HTTP, for nobody but this machine.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdin, Stdio};

use super::run;
use crate::harness::{self, Exposition, guest};

/// It has had children that sent and failed, and waits.
const PROGRAM: &str = "measured";

/// Looks at what comes soon, at most.
const LOOKS_MAX: usize = 1_000;

/// Who may ask at one time.
const ASKERS_MAX: usize = 16;

/// A program that waits, and says where its metrics are.
struct Running {
    child: Child,
    stdin: ChildStdin,
    address: SocketAddr,
    stderr: BufReader<std::process::ChildStderr>,
}

impl Running {
    fn begin(address: &str) -> Running {
        let mut command = harness::insula();
        command.args(["run", "--no-socket", "--metrics", address]).arg(guest(PROGRAM));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("insula can be run");
        let mut stderr = BufReader::new(child.stderr.take().expect("it is piped"));
        let mut said = String::new();
        stderr.read_line(&mut said).expect("it says where it listens");
        let address = self::address(said.trim_end());
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        stdout.read_line(&mut line).expect("it says that it is ready");
        assert_eq!(line, "ready\n");
        let stdin = child.stdin.take().expect("it is piped");
        Running { child, stdin, address, stderr }
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).expect("it listens")
    }

    fn answer(&self, asked: &[u8]) -> String {
        answer(self.address, asked)
    }

    fn get(&self, path: &str, host: &str) -> String {
        self.answer(get(path, host).as_bytes())
    }

    fn metrics(&self) -> Exposition {
        scraped(self.address)
    }

    /// Lets the program end; says what else was on its standard error.
    fn end(self) -> (Option<i32>, String, SocketAddr) {
        let Running { mut child, stdin, address, mut stderr } = self;
        drop(stdin);
        let mut text = String::new();
        stderr.read_to_string(&mut text).expect("it is text");
        (child.wait().expect("it ends").code(), text, address)
    }
}

fn get(path: &str, host: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

/// What is answered to these bytes, until the other side ends it.
fn answer(address: SocketAddr, asked: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    // Who is refused may be cut off in the midst of what it says.
    let _ = stream.write_all(asked);
    rest(&mut stream)
}

/// What a run shows there now.
pub(super) fn scraped(address: SocketAddr) -> Exposition {
    let answer = answer(address, get("/metrics", &address.to_string()).as_bytes());
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"), "{head}");
    Exposition::parse(body)
}

/// Where a run says that its metrics are.
#[track_caller]
pub(super) fn address(said: &str) -> SocketAddr {
    let url = said.strip_prefix("insula: metrics at http://").and_then(|rest| rest.strip_suffix("/metrics"));
    url.unwrap_or_else(|| panic!("{said}")).parse().expect("it says an address")
}

/// What comes until the end; who is cut off gets none.
fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8(bytes).expect("it is text")
}

#[track_caller]
fn is_refused(answer: &str, status: &str) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{status}: {answer}");
    assert!(!answer.contains("insula_isolates"), "{answer}");
}

#[test]
fn what_is_scraped_is_what_the_program_did() {
    let running = Running::begin("127.0.0.1:0");
    // The child's end is told to its parent a moment before the error of it is counted.
    let counted = |seen: &Exposition| seen.value("insula_uncaught_errors_total") == 1.0;
    let mut looks = std::iter::repeat_with(|| running.metrics()).take(LOOKS_MAX);
    let seen = looks.find(counted).expect("the error is counted");
    for (series, value) in [
        ("insula_isolates", 1.0),
        ("insula_isolates_born_total", 3.0),
        ("insula_isolates_ended_total{reason=\"returned\"}", 1.0),
        ("insula_isolates_ended_total{reason=\"panicked\"}", 1.0),
        ("insula_isolates_ended_total{reason=\"killed\"}", 0.0),
        ("insula_messages_sent_total", 3.0),
        ("insula_messages_received_total", 5.0),
        ("insula_mailbox_messages", 0.0),
        ("insula_isolates_limit", 1_000.0),
    ] {
        assert_eq!(seen.value(series), value, "{series}");
    }
    let bytes = seen.value("insula_messages_sent_bytes_total");
    assert!((3_000.0..4_000.0).contains(&bytes), "three texts of 1,000 letters: {bytes}");
    let pages = seen.value("insula_memory_bytes") / 65_536.0;
    assert!(pages >= 1.0 && pages.fract() == 0.0, "{pages}");
    assert_eq!(seen.value("insula_cache_hits_total") + seen.value("insula_cache_misses_total"), 1.0);
    assert!(seen.value("insula_cpu_seconds_total") > 0.0);
    assert!(!seen.samples().keys().any(|series| series.contains(PROGRAM)), "no guest's text is in it");

    let (code, stderr, address) = running.end();
    assert_eq!(code, Some(0));
    assert!(stderr.contains("panicked: on purpose"), "{stderr}");
    assert!(TcpStream::connect(address).is_err(), "it ends with the run");
}

#[test]
fn only_metrics_are_answered_and_only_to_who_reads() {
    let running = Running::begin("[::1]:0");
    let host = running.address.to_string();
    let head = running.answer(format!("HEAD /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes());
    assert!(head.starts_with("HTTP/1.1 200 OK") && head.ends_with("\r\n\r\n") && !head.contains("# EOF"), "{head}");
    assert!(running.get("/metrics?name[]=insula_cpu", &host).contains("\ninsula_isolates 1\n"));
    for path in ["/", "/metrics/", "/metric", "/../metrics", "//metrics"] {
        is_refused(&running.get(path, &host), "404");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let asked = format!("{method} /metrics HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n");
        let answer = running.answer(asked.as_bytes());
        is_refused(&answer, "405");
        assert!(answer.contains("\r\nallow: GET, HEAD\r\n"), "{answer}");
    }
    assert_eq!(running.end().0, Some(0));
}

#[test]
fn a_request_that_names_another_host_is_refused() {
    let running = Running::begin("localhost:0");
    let port = running.address.port();
    for host in [format!("localhost:{port}"), "LOCALHOST".to_owned(), "127.0.0.1".to_owned(), "[::1]:1".to_owned()] {
        assert!(running.get("/metrics", &host).starts_with("HTTP/1.1 200"), "{host}");
    }
    for host in [
        format!("rebound.example.com:{port}"),
        "localhost.example.com".to_owned(),
        "127.0.0.1.example.com".to_owned(),
        "0.0.0.0".to_owned(),
        "192.168.1.1".to_owned(),
        "user@localhost.example.com".to_owned(),
        String::new(),
    ] {
        is_refused(&running.get("/metrics", &host), "403");
    }
    for asked in [
        "GET /metrics HTTP/1.1\r\n\r\n",
        "GET /metrics HTTP/1.0\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: example.com\r\n\r\n",
        "GET http://example.com/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ] {
        let answer = running.answer(asked.as_bytes());
        assert!(answer.contains(" 403 ") && !answer.contains("insula_isolates"), "{asked}: {answer}");
    }
    assert_eq!(running.end().0, Some(0));
}

#[test]
fn who_says_too_much_too_slowly_or_nonsense_is_cut_off_and_others_are_answered() {
    let running = Running::begin("127.0.0.1:0");
    let mut slow = running.connect();
    slow.write_all(b"GET /metrics HTTP/1.1\r\nHost: local").expect("it listens");
    let long = format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(1 << 20));
    let body = "x".repeat(1 << 20);
    let large = format!("POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    for asked in [long.as_bytes(), large.as_bytes(), b"\0\x01\x02 nonsense\r\n\r\n", b"GET /metrics HTTP/9.9\r\n\r\n"] {
        assert!(!running.answer(asked).contains("insula_isolates"));
    }
    assert_eq!(running.metrics().value("insula_isolates"), 1.0, "others are answered meanwhile");
    assert!(!rest(&mut slow).contains("insula_isolates"), "it is cut off by and by");
    assert_eq!(running.end().0, Some(0));
}

#[test]
fn only_so_many_may_ask_at_one_time() {
    let running = Running::begin("127.0.0.1:0");
    let mut idle: Vec<TcpStream> = (0..ASKERS_MAX).map(|_| running.connect()).collect();
    assert_eq!(running.get("/metrics", "localhost"), "", "one more is shown the door");
    let first = idle.pop().expect("there are some");
    first.shutdown(Shutdown::Both).expect("it is connected");
    let mut looks = std::iter::repeat_with(|| running.get("/metrics", "localhost")).take(LOOKS_MAX);
    assert!(looks.any(|answer| answer.ends_with("# EOF\n")), "who leaves makes room");
    drop(idle);
    assert_eq!(running.end().0, Some(0));
}

#[test]
fn an_address_of_others_or_none_is_wrong_usage() {
    let program = guest(PROGRAM).display().to_string();
    for (address, said) in [
        ("0.0.0.0:9464", "can be reached from other machines"),
        ("[::]:9464", "give 127.0.0.1 or [::1]"),
        ("192.168.1.1:9464", "through a tunnel or a proxy"),
        ("9464", "an address is like 127.0.0.1:9464"),
        ("example.com:9464", "an address is like 127.0.0.1:9464"),
        ("localhost", "port 0 is any that is free"),
    ] {
        let ran = run(["--metrics", address, &program]);
        assert!(ran.code == Some(2) && ran.stdout.is_empty() && ran.stderr.contains(said), "{ran:?}");
    }
}

#[test]
fn an_address_that_is_in_use_is_an_error_and_nothing_runs() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let address = taken.local_addr().expect("it is bound").to_string();
    let ran = run(["--metrics", &address, &guest(PROGRAM).display().to_string()]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
    assert!(ran.stderr.contains(&format!("cannot show metrics at {address}")), "{ran:?}");
    assert!(ran.stderr.contains("give another port, or 0 for a free one"), "{ran:?}");
}
