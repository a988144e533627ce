//! What guests print and read, as an embedder sees to it: kept, sent to a port, line by line, from bytes.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use insula::{
    Captured, Exit, Host, Isolate, Limits, MailboxPolicy, Module, Output, Priority, ReceivePort, Spawn, StderrLines,
    Stdin,
};

use crate::harness;

const PRINTS: &str = "prints";

fn house() -> (Host, Module) {
    let builder = Host::builder().isolates(16).threads(2).cache_folder(harness::cache()).on_uncaught(|_| ());
    let host = builder.build().expect("there is room for a small host");
    let module = host.load_file(harness::guest(PRINTS)).expect("the guest is a module");
    (host, module)
}

/// The program that prints, with this to do, and an end in any case.
fn prints(what: &[&str]) -> Spawn {
    let limits = Limits::default().deadline(Duration::from_secs(60));
    Spawn::main().args([&[PRINTS], what].concat()).limits(limits).stdout(Output::Null).stderr(Output::Null)
}

fn spawn((host, module): &(Host, Module), spawn: Spawn) -> Isolate {
    host.spawn(module, spawn).expect("there is room for it")
}

fn capture(bytes_max: usize) -> Output {
    Output::Capture { bytes_max }
}

/// A port with room for so many messages, all of which may be of one sender.
fn port(host: &Host, messages: u64, policy: MailboxPolicy) -> ReceivePort<Vec<u8>> {
    host.receive_port_with(&Limits::default().mailbox(messages, 1 << 20).sender_percent(100), policy)
}

fn text(captured: &Captured) -> String {
    assert_eq!(captured.bytes_cut, 0);
    String::from_utf8(captured.bytes.clone()).expect("it is text")
}

#[test]
fn what_is_captured_is_what_was_printed_byte_for_byte() {
    let house = house();
    let both =
        prints(&["out:one ", "error:wrong", "line:two", "bytes"]).stdout(capture(1 << 16)).stderr(capture(1 << 16));
    let isolate = spawn(&house, both);
    assert_eq!(isolate.join(), Exit::Returned);
    assert_eq!(isolate.stdout().bytes, b"one two\n\0\xff\r\n\x80");
    assert_eq!((text(&isolate.stderr()).as_str(), isolate.stderr_tail().as_str()), ("wrong\n", "wrong\n"));

    let neither = spawn(&house, prints(&["line:one", "error:wrong"]));
    assert_eq!(
        (neither.join(), neither.stdout(), neither.stderr()),
        (Exit::Returned, Captured::default(), Captured::default())
    );
    assert_eq!(neither.stderr_tail(), "wrong\n");
}

#[test]
fn a_capture_keeps_the_last_and_says_how_much_it_does_not() {
    let house = house();
    let isolate = spawn(&house, prints(&["kilobytes:1000", "line:the end"]).stdout(capture(1_000)));
    assert_eq!(isolate.join(), Exit::Returned);
    let captured = isolate.stdout();
    assert_eq!((captured.bytes.len(), captured.bytes_cut), (1_000, 1_000 * 1_024 + 8 - 1_000));
    let shown = captured.to_string();
    assert!(shown.starts_with("[1023008 bytes before this are not kept]\nxxx") && shown.ends_with("xthe end\n"));
}

#[test]
fn a_capture_can_be_read_while_its_isolate_prints_and_holds_no_kill_up() {
    let house = house();
    let isolate = spawn(&house, prints(&["for ever"]).stdout(capture(100)));
    while isolate.stdout().bytes_cut == 0 {
        std::thread::yield_now();
    }
    isolate.kill(Priority::Immediate);
    assert!(matches!(isolate.join(), Exit::Killed { .. }));
    assert_eq!(isolate.stdout().bytes, [b'x'; 100]);
}

#[test]
fn a_child_prints_where_its_parent_does() {
    let house = house();
    let family = prints(&["line:before", "child", "line:after"]).stdout(capture(1_000)).stderr(capture(1_000));
    let isolate = spawn(&house, family);
    assert_eq!(isolate.join(), Exit::Returned);
    assert_eq!(text(&isolate.stdout()), "before\nof the child\nafter\n");
    assert_eq!((text(&isolate.stderr()).as_str(), isolate.stderr_tail().as_str()), ("error of the child\n", ""));

    let printed = port(&house.0, 100, MailboxPolicy::Wait);
    spawn(&house, prints(&["line:before", "child", "line:after"]).stdout_to(&printed.send_port()));
    let all: Vec<u8> = printed.messages().map_while(Result::ok).flatten().collect();
    assert_eq!(String::from_utf8_lossy(&all), "before\nof the child\nafter\n");
}

#[test]
fn each_write_is_a_message_and_the_port_ends_with_who_prints() {
    let house = house();
    let (printed, errors) = (port(&house.0, 100, MailboxPolicy::Wait), port(&house.0, 100, MailboxPolicy::Wait));
    let both = prints(&["out:one", "bytes", "out:two", "error:wrong"]);
    let isolate = spawn(&house, both.stdout_to(&printed.send_port()).stderr_to(&errors.send_port()));
    let all: Vec<Vec<u8>> = printed.messages().map_while(Result::ok).collect();
    // A program of Rust's writes a line when it is whole, and what is left when it flushes.
    assert_eq!(all, [&b"one"[..], b"\0\xff\r\n", b"\x80", b"two"]);
    assert_eq!(errors.messages().map_while(Result::ok).flatten().collect::<Vec<u8>>(), b"wrong\n");
    assert_eq!((isolate.join(), isolate.stderr_tail().as_str()), (Exit::Returned, "wrong\n"));
}

/// One that prints for ever, and waits: its port has room for two messages, and both are there.
fn waiting(house: &(Host, Module), limits: Limits) -> (Isolate, ReceivePort<Vec<u8>>) {
    let printed = port(&house.0, 2, MailboxPolicy::Wait);
    let isolate = spawn(house, prints(&["for ever"]).stdout_to(&printed.send_port()).limits(limits));
    while printed.load().0 < 2 && isolate.exit().is_none() {
        std::thread::yield_now();
    }
    (isolate, printed)
}

#[test]
fn a_print_that_waits_for_a_port_goes_on_when_there_is_room_and_ends_with_its_isolate() {
    let house = house();
    let (isolate, printed) = waiting(&house, Limits::default());
    for _ in 0..100 {
        assert_eq!(printed.recv().map(|bytes| bytes.len()), Ok(4096));
    }
    isolate.kill(Priority::Immediate);
    assert!(matches!(isolate.join(), Exit::Killed { .. }));
    assert!(printed.messages().map_while(Result::ok).count() <= 2, "what was printed is there, and then the end");

    let (isolate, printed) = waiting(&house, Limits::default().deadline(Duration::from_millis(100)));
    assert!(matches!(isolate.join(), Exit::Deadline { .. }));
    assert!(printed.load().0 <= 2);
}

#[test]
fn a_print_that_waits_for_a_port_fails_when_the_port_is_closed_or_gone() {
    let house = house();
    for dropped in [true, false] {
        let (isolate, printed) = waiting(&house, Limits::default().deadline(Duration::from_secs(60)));
        if dropped {
            drop(printed);
        } else {
            printed.close();
        }
        assert!(matches!(isolate.join(), Exit::Trapped { .. }));
        let tail = isolate.stderr_tail();
        assert!(tail.contains("somebody reads") && tail.contains("BrokenPipe"), "{tail}");
    }
}

#[test]
fn a_full_port_does_with_a_print_what_its_policy_says() {
    let house = house();
    let latest = port(&house.0, 2, MailboxPolicy::DropOldest);
    let isolate = spawn(&house, prints(&["out:one", "out:two", "out:three"]).stdout_to(&latest.send_port()));
    assert_eq!(isolate.join(), Exit::Returned);
    assert_eq!(latest.messages().map_while(Result::ok).flatten().collect::<Vec<u8>>(), b"twothree");

    let refuses = port(&house.0, 2, MailboxPolicy::Error);
    let isolate = spawn(&house, prints(&["out:one", "out:two", "out:three"]).stdout_to(&refuses.send_port()));
    assert!(matches!(isolate.join(), Exit::Trapped { .. }));
    let tail = isolate.stderr_tail();
    assert!(tail.contains("somebody reads") && tail.contains("StorageFull"), "{tail}");
    assert_eq!(refuses.messages().map_while(Result::ok).count(), 2);
}

#[test]
fn bytes_are_read_as_standard_input_by_each_isolate_from_their_start() {
    let house = house();
    let input: String = (0..20_000).map(|number| format!("{number}\n")).collect();
    let echo = prints(&["echo"]).stdin(Stdin::Bytes(input.clone().into_bytes())).stdout(capture(1 << 20));
    for isolate in [spawn(&house, echo.clone()), spawn(&house, echo)] {
        assert_eq!(isolate.join(), Exit::Returned);
        assert!(text(&isolate.stdout()) == input, "{} bytes came", isolate.stdout().bytes.len());
    }
    let nothing = spawn(&house, prints(&["echo", "out:none"]).stdin(Stdin::Bytes(Vec::new())).stdout(capture(100)));
    assert_eq!((nothing.join(), text(&nothing.stdout()).as_str()), (Exit::Returned, "none"));
}

/// Prints to the standard output of this process, for the test below, and by itself holds that this harms nobody.
#[test]
fn labelled_lines_are_printed() {
    let (host, module) = house();
    let what = ["out:in ", "out:parts", "line:", "child", "line:\rforged\u{1b}[2K", "error:wrong", "out:no end"];
    let labelled = prints(&what).stdout(Output::Labelled).stderr(Output::Labelled).debug_name("first\nname");
    let ended = host.run(&module, labelled).expect("there is room for it");
    assert_eq!(ended.main, Exit::Returned);
}

#[test]
fn a_labelled_line_is_whole_and_says_whose_it_is() {
    let this = std::env::current_exe().expect("a test knows itself");
    let mut command = Command::new(this);
    command.args(["--exact", "embedding::stdio::labelled_lines_are_printed", "--nocapture"]);
    let ran = command.output().expect("a test can be run");
    assert!(ran.status.success(), "{ran:?}");
    let lines = |bytes: &[u8]| -> Vec<String> {
        let text = String::from_utf8_lossy(bytes).into_owned();
        text.lines().filter(|line| line.starts_with('[')).map(str::to_owned).collect()
    };
    let expected = [
        "[first\\nname #1] in parts",
        "[child #2] of the child",
        "[first\\nname #1] \\rforged\\u{1b}[2K",
        "[first\\nname #1] no end",
    ];
    assert_eq!(lines(&ran.stdout), expected, "{}", String::from_utf8_lossy(&ran.stdout));
    assert_eq!(lines(&ran.stderr), ["[child #2] error of the child", "[first\\nname #1] wrong"]);
}

#[test]
fn whoever_waits_for_a_reader_of_lines_is_told_that_it_is_gone() {
    const MARK: &str = "INSULA_TEST_LINES";
    if std::env::var_os(MARK).is_some() {
        // More than a pipe holds: the next is held up until all of it is read, or nobody is left who would.
        StderrLines::new().write_waiting(&[b'l'; 2 << 20]).expect("somebody reads");
        let told = StderrLines::new().write_waiting(b"and more").expect_err("nobody reads any more");
        return assert_eq!(told.kind(), std::io::ErrorKind::BrokenPipe);
    }
    let (_, module) = module_path!().split_once("::").expect("a module of the tests is in their crate");
    let test = format!("{module}::whoever_waits_for_a_reader_of_lines_is_told_that_it_is_gone");
    let mut again = Command::new(std::env::current_exe().expect("a running program has a path"));
    again.args(["--exact", &test]).env(MARK, "1").stdout(Stdio::null()).stderr(Stdio::piped());
    let mut writer = again.spawn().expect("it can be run again");
    let mut reader = writer.stderr.take().expect("it is piped");
    reader.read_exact(&mut [0]).expect("it writes");
    drop(reader);
    assert!(writer.wait().expect("it ends").success(), "it was told, and went on");
}
