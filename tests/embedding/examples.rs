//! The programs of `examples/embedding`, run as their readers run them: what they print and answer, and that no plugin
//! takes more with it than its own work.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Output, Stdio};

use crate::harness::{self, Folder};

/// The images that come with the example, in the order in which it takes them.
const PICTURES: [&str; 4] = ["insula.png", "island.png", "moon.png", "waves.png"];

/// Has the images go through these stages, and says what the program printed.
fn filtered(stages: &str, into: &Path) -> Vec<String> {
    let mut program = harness::embedding("images");
    // Nothing here depends on how long it is, but for whoever loops.
    program.args(["--time", "5000", "--stages", stages, "--out"]).arg(into);
    let Output { status, stdout, stderr } = program.output().expect("it can be run");
    assert!(status.success() && stderr.is_empty(), "{status}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8_lossy(&stdout).lines().map(str::to_owned).collect()
}

/// The bytes of an image that came out.
fn bytes(folder: &Path, name: &str) -> Vec<u8> {
    std::fs::read(folder.join(name)).expect("it was written")
}

/// What of the lines is about one image.
fn about<'a>(lines: &'a [String], name: &str) -> &'a [String] {
    let begin = lines.iter().position(|line| line.starts_with(name)).expect("it is told of");
    let length = lines[begin + 1..].iter().take_while(|line| line.starts_with(' ')).count();
    &lines[begin..=begin + length]
}

#[test]
fn images_are_filtered_by_a_chain_of_plugins() {
    let folder = Folder::new("filtered");
    let of = |stages: &str| {
        let into = folder.path().join(stages);
        let lines = filtered(stages, &into);
        assert_eq!(lines.len(), PICTURES.len() + 1, "nobody failed: {lines:?}");
        PICTURES.map(|name| bytes(&into, name))
    };
    assert_eq!(of("invert,invert"), of("invert,invert,invert,invert"));
    assert_eq!(of("gray"), of("gray,gray"));
    let all = ["invert,invert", "gray", "invert", "blur", "edges", "gray,blur,edges"].map(of);
    for (at, one) in all.iter().enumerate() {
        assert!(all[..at].iter().all(|other| other != one), "the filters are not the same");
    }
}

#[test]
fn a_filter_that_traps_at_the_third_image_is_named_with_its_frames_and_begins_anew() {
    let folder = Folder::new("traps");
    let (with, without) = (folder.path().join("with"), folder.path().join("without"));
    let lines = filtered("gray,traps,blur", &with);
    filtered("gray,blur", &without);
    assert_eq!(about(&lines, "island.png"), ["island.png: 120 x 80: gray, traps, blur"]);
    let third = about(&lines, "moon.png");
    assert_eq!(third[..2], ["moon.png: 120 x 80: gray, blur", "  traps failed: trapped: unreachable"]);
    assert!(third.iter().any(|line| line.starts_with("    at bad_filters::gives_up @ 0x")), "{third:?}");
    assert_eq!(third.last().map(String::as_str), Some("  traps begins anew"));
    assert_eq!(about(&lines, "waves.png"), ["waves.png: 120 x 80: gray, traps, blur"], "its count begins at 1");
    PICTURES.iter().for_each(|name| assert_eq!(bytes(&with, name), bytes(&without, name), "{name}"));
}

#[test]
fn filters_that_hoard_lie_or_refuse_are_left_out_and_every_image_is_filtered_by_the_rest() {
    let folder = Folder::new("hoards");
    let (with, without) = (folder.path().join("with"), folder.path().join("without"));
    let lines = filtered("hoards,gray,lies,edges,refuses", &with);
    filtered("gray,edges", &without);
    let failures = |then| {
        [
            "  hoards failed: limit exceeded: memory 67108864".to_owned(),
            format!("  hoards {then}"),
            "  lies failed: what it answers is no image of that size".to_owned(),
            format!("  lies {then}"),
            "  refuses failed: it says: 9600 pixels are too many for me".to_owned(),
            format!("  refuses {then}"),
        ]
    };
    assert_eq!(about(&lines, "insula.png")[1..], failures("begins anew"));
    assert_eq!(about(&lines, "island.png")[1..], failures("is left out from now on"));
    for name in PICTURES {
        assert_eq!(about(&lines, name)[0], format!("{name}: 120 x 80: gray, edges"));
        assert_eq!(bytes(&with, name), bytes(&without, name), "{name}");
    }
}

#[test]
fn a_filter_that_loops_costs_the_image_its_time_and_no_more() {
    let folder = Folder::new("loops");
    let image = harness::repository().join("examples/embedding/pictures/moon.png");
    let mut program = harness::embedding("images");
    program.args(["--time", "3000", "--stages", "gray,loops,edges", "--out"]).arg(folder.path()).arg(image);
    let output = program.output().expect("it can be run");
    let printed = String::from_utf8_lossy(&output.stdout);
    let lines = ["moon.png: 120 x 80: gray, edges", "  loops failed: no answer came in time", "  loops begins anew"];
    assert_eq!(printed.lines().take(3).collect::<Vec<_>>(), lines, "{output:?}");
}

/// The number of orders that a line about some rules' verdicts adds up to.
fn orders(lines: &[&str], rules: &str) -> u64 {
    let verdicts = lines.iter().find_map(|line| line.strip_prefix(rules)).expect("it is told of");
    verdicts.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse::<u64>().ok()).sum()
}

#[test]
fn rules_are_replaced_while_they_are_asked_and_what_is_none_replaces_nothing() {
    let output = harness::embedding("rules").args(["--orders", "200"]).output().expect("it can be run");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let printed = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(
        lines[..2],
        ["order 4: Decision { rules: 1, verdict: Accept }", "upgraded; the first rules are done: returned"]
    );
    assert!(
        orders(&lines, "rules 1:") >= 190,
        "those begun before the upgrade, less those that are under way: {printed}"
    );
    assert!(orders(&lines, "rules 2:") >= 200, "all that were begun after it: {printed}");
    assert!(lines[4].starts_with("no upgrade: the new isolate was not spawned: "), "{printed}");
    assert!(lines[4].ends_with("pages.wasm: no export `decide`"), "{printed}");
    let reviewed = "order 4: Decision { rules: 2, verdict: Review(\"it is the first, and worth more than 200\") }";
    assert_eq!(lines[5..], [reviewed]);
}

/// The example that answers HTTP, until the test is over.
struct Pages {
    program: Child,
    address: SocketAddr,
}

impl Pages {
    fn open(arguments: &[&str]) -> Pages {
        let mut program = harness::embedding("http");
        let mut program = program.args(arguments).stdout(Stdio::piped()).spawn().expect("it can be run");
        let mut line = String::new();
        let stdout = program.stdout.as_mut().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("it says where it listens");
        let address = line.trim().strip_prefix("listening on http://").and_then(|address| address.parse().ok());
        Pages { address: address.unwrap_or_else(|| panic!("no address: {line:?}")), program }
    }

    /// Asks for a page; the status line and the body.
    fn ask(&self, path: &str, body: &str) -> (String, String) {
        let mut stream = TcpStream::connect(self.address).expect("it listens");
        let length = body.len();
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
        (head.lines().next().unwrap_or_default().to_owned(), body.to_owned())
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // It may be gone already, which its test finds out otherwise.
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

fn answer(status: &str, body: &str) -> (String, String) {
    (format!("HTTP/1.1 {status}"), body.to_owned())
}

#[test]
fn pages_are_answered_while_one_plugin_loops() {
    let pages = Pages::open(&["--deadline", "60000", "--cpu-time", "300"]);
    std::thread::scope(|scope| {
        let looping: Vec<_> = (0..3).map(|_| scope.spawn(|| pages.ask("/loops", ""))).collect();
        for round in 0..20 {
            let words = pages.ask("/words", "a b a");
            assert_eq!(words, answer("200 OK", "2 a\n1 b\n"), "{round}");
        }
        for asked in looping {
            let late = answer("504 Gateway Timeout", "limit exceeded: cpu-time 300000000\n");
            assert_eq!(asked.join().expect("no panic"), late);
        }
    });
    assert_eq!(pages.ask("/words", ""), answer("400 Bad Request", "there are no words\n"), "the plugin's own answer");
}

#[test]
fn each_page_is_made_by_an_isolate_of_its_own_and_why_there_is_none_is_said() {
    let pages = Pages::open(&["--deadline", "60000", "--cpu-time", "60000"]);
    for _ in 0..3 {
        assert_eq!(pages.ask("/visits/of/mine", ""), answer("200 OK", "visit 1 of of/mine\n"));
        let (status, why) = pages.ask("/panics/at/it", "");
        assert_eq!(status, "HTTP/1.1 502 Bad Gateway");
        assert!(why.starts_with("panicked at "), "{why}");
        assert!(why.ends_with(": no page at \"at/it\"\n"), "{why}");
    }
    assert_eq!(pages.ask("/nobody", ""), answer("404 Not Found", "no such plugin\n"));
    assert_eq!(pages.ask("/words", &"a".repeat(2 << 20)).0, "HTTP/1.1 400 Bad Request");
}

#[test]
fn a_page_that_only_waits_is_over_at_the_deadline() {
    let pages = Pages::open(&["--deadline", "500", "--cpu-time", "60000"]);
    assert_eq!(pages.ask("/sleeps", ""), answer("504 Gateway Timeout", "no answer came in time\n"));
}

#[test]
fn the_load_is_answered_alone_and_beside_a_loop() {
    let arguments = ["--deadline", "60000", "--cpu-time", "50", "--load", "40"];
    let output = harness::embedding("http").args(arguments).output().expect("it can be run");
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<&str> = printed.lines().collect();
    assert!(lines[1].starts_with("alone          40 times 200, p50 "), "{printed}");
    assert!(lines[2].starts_with("beside a loop  40 times 200, p50 "), "{printed}");
    assert!(lines[3].starts_with("the loop       "), "{printed}");
    assert!(lines[3].ends_with(" times 504: limit exceeded: cpu-time 50000000"), "{printed}");
    assert!(lines[4].starts_with("ratio of p99   "), "{printed}");
}
