//! `ps`, `top`, `kill`, `pause`, `resume`, `ping`: a run is looked into and changed from outside.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use super::{Ran, output};
use crate::harness::{self, Folder};

/// A child of it loops; it waits until that is ended.
const PROGRAM: &str = "looked_into";

/// Looks at a run, at most, until it is what it soon will be.
const LOOKS_MAX: usize = 1_000;

/// A program that runs, and can be looked into.
pub(super) struct Running {
    folder: Folder,
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Running {
    fn begin(name: &str) -> Running {
        Running::of(PROGRAM, "looping\n", name)
    }

    /// One of this guest's, once it said this.
    pub(super) fn of(program: &str, says: &str, name: &str) -> Running {
        Running::at(&harness::guest(program), says, name)
    }

    /// As [`Running::of`], of what is at this path.
    pub(super) fn at(target: &Path, says: &str, name: &str) -> Running {
        let folder = Folder::new(name);
        let mut command = harness::insula();
        command.env("XDG_RUNTIME_DIR", folder.path()).arg("run").arg(target);
        let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = piped.spawn().expect("insula can be run");
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("it says that it runs");
        assert_eq!(line, says);
        let running = Running { folder, child, stdout };
        // A run is some milliseconds old before it can be looked into, and who asks for it by its number waits for that.
        running.rows();
        running
    }

    pub(super) fn pid(&self) -> String {
        self.child.id().to_string()
    }

    pub(super) fn insula<const N: usize>(&self, arguments: [&str; N]) -> Ran {
        output(self.command(arguments))
    }

    /// insula with these arguments, where it finds this run.
    pub(super) fn command<const N: usize>(&self, arguments: [&str; N]) -> Command {
        let mut command = harness::insula();
        command.env("XDG_RUNTIME_DIR", self.folder.path()).args(arguments);
        command
    }

    /// What it says of its isolates.
    pub(super) fn rows(&self) -> Vec<Value> {
        let ran = self.insula(["ps", "--json", &self.pid()]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        serde_json::from_str(&ran.stdout).expect("it is JSON")
    }

    pub(super) fn done<const N: usize>(&self, arguments: [&str; N]) -> String {
        let ran = self.insula(arguments);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        ran.stdout
    }

    fn sockets(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.folder.path().join("insula")).expect("it is there");
        entries.map(|entry| entry.expect("it can be read").path()).collect()
    }

    /// Ends the child, waits for the end of the program, and says what else it printed.
    fn end(self) -> (Option<i32>, String) {
        self.end_by("#2")
    }

    /// As [`Running::end`], by the end of this isolate.
    pub(super) fn end_by(self, isolate: &str) -> (Option<i32>, String) {
        self.done(["kill", &self.pid(), isolate]);
        self.ended()
    }

    /// Waits for the end of the program, and says what else it printed.
    pub(super) fn ended(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut self.stdout, &mut rest).expect("it prints text");
        (self.child.wait().expect("it ends").code(), rest)
    }
}

#[test]
fn ps_lists_runs_and_isolates_and_top_once_the_same() {
    let running = Running::begin("live-ps");
    let pid = running.pid();
    let runs: Vec<Value> = serde_json::from_str(&running.done(["ps", "--json"])).expect("it is JSON");
    assert_eq!(runs.len(), 1, "{runs:?}");
    assert_eq!((runs[0]["pid"].to_string(), &runs[0]["program"]), (pid.clone(), &"looked_into.wasm".into()));
    let table = running.done(["ps"]);
    assert!(table.trim_start().starts_with("pid ") && table.contains(&pid), "{table}");

    let waits = |rows: &Vec<Value>| rows[0]["state"] == "waiting: ports.receive";
    let mut looks = std::iter::repeat_with(|| running.rows()).take(LOOKS_MAX);
    let rows = looks.find(waits).expect("main comes to its wait");
    let field = |name: &str| rows.iter().map(|row| row[name].clone()).collect::<Vec<_>>();
    assert_eq!(field("name"), ["looked_into", "loops"]);
    assert_eq!((field("isolate"), field("parent")), (vec![1.into(), 2.into()], vec![0.into(), 1.into()]));
    assert!(rows[1]["state"] == "running" || rows[1]["state"] == "ready", "{rows:?}");
    assert!(rows[1]["memory_bytes"].as_u64() > Some(0) && rows[0]["children"] == 1, "{rows:?}");
    for table in [running.done(["ps", &pid]), running.done(["top", "--once", &pid])] {
        assert!(table.starts_with("isolate  name") && table.contains("\n#2       loops"), "{table}");
    }
    let once: Vec<Value> = serde_json::from_str(&running.done(["top", "--once", "--json", &pid])).expect("it is JSON");
    assert_eq!(once.len(), 2);
    assert!(running.done(["top", "--every", "50", "--once", &pid]).contains("loops"));
    assert_eq!(running.insula(["top", "--every", "49", &pid]).code, Some(2));
    let socket = running.sockets().pop().expect("there is one");
    assert!(running.done(["ps", socket.to_str().expect("text")]).contains("loops"));
    assert_eq!(running.end(), (Some(0), "the child ended\n".to_owned()));
}

#[test]
fn an_isolate_is_paused_resumed_pinged_and_killed() {
    let running = Running::begin("live-control");
    let pid = running.pid();
    assert!(running.done(["ping", &pid, "1"]).starts_with("#1 answered after "));
    running.done(["pause", &pid, "2"]);
    running.done(["pause", &pid, "2"]);
    let refused = running.insula(["resume", &pid, "1"]);
    assert!(refused.code == Some(1) && refused.stderr.contains("#1 was not paused"), "{refused:?}");
    running.done(["resume", &pid, "#2"]);
    for command in ["kill", "pause", "ping"] {
        let refused = running.insula([command, &pid, "77"]);
        assert!(refused.code == Some(1) && refused.stderr.contains("no isolate #77"), "{refused:?}");
    }
    assert_eq!(running.end(), (Some(0), "the child ended\n".to_owned()));
}

#[test]
fn a_socket_is_its_owners_alone_and_gone_with_the_run() {
    use std::os::unix::fs::PermissionsExt as _;
    let running = Running::begin("live-socket");
    let mode = |path: &std::path::Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    let (folder, sockets) = (running.folder.path().join("insula"), running.sockets());
    assert_eq!((mode(&folder), sockets.len()), (0o700, 1));
    assert_eq!(mode(&sockets[0]), 0o600);
    let pid = running.pid();
    let (folder, socket) = (Folder::new("live-socket-after"), sockets[0].clone());
    assert_eq!(running.end().0, Some(0));
    assert!(!socket.exists());
    let mut command = harness::insula();
    command.env("XDG_RUNTIME_DIR", folder.path()).args(["ps", &pid]);
    let ran = output(command);
    assert!(ran.code == Some(1) && ran.stderr.contains("insula ps` lists those that are"), "{ran:?}");
}

#[test]
fn a_program_that_only_computes_is_looked_into() {
    let running = Running::of("busy_until_asked", "busy\n", "live-busy");
    let rows = running.rows();
    assert_eq!((rows.len(), &rows[0]["state"]), (1, &"running".into()), "{rows:?}");
    running.done(["kill", &running.pid(), "1"]);
    assert_eq!(running.ended(), (Some(137), String::new()));
}

#[test]
fn a_folder_that_others_may_enter_is_not_used() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new("live-open");
    let open = folder.path().join("insula");
    std::fs::create_dir(&open).expect("the folder is ours");
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    let insula = |arguments: &[&str]| {
        let mut command = harness::insula();
        command.env("XDG_RUNTIME_DIR", folder.path()).args(arguments);
        output(command)
    };
    let ran = insula(&["ps"]);
    assert!(ran.code == Some(1) && ran.stderr.contains("chmod 700"), "{ran:?}");
    // It takes longer than a run that nobody looks into yet.
    let grinds = harness::guest("grinds");
    let ran = insula(&["run", grinds.to_str().expect("text")]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "a run goes on without: {ran:?}");
    assert_eq!(std::fs::read_dir(&open).expect("it is there").count(), 0);
}

#[test]
fn a_socket_is_where_it_is_asked_for_or_nowhere() {
    let folder = Folder::new("live-where");
    folder.file("taken", "");
    let example = harness::example("pingpong");
    let run = |options: &[&str]| {
        let mut command = harness::insula();
        command.env("XDG_RUNTIME_DIR", folder.path()).arg("run").args(options).arg(&example);
        output(command)
    };
    let taken = folder.path().join("taken");
    let ran = run(&["--socket", taken.to_str().expect("text")]);
    assert!(ran.code == Some(1) && ran.stdout.is_empty() && ran.stderr.contains("cannot listen at"), "{ran:?}");
    let ran = run(&["--no-socket"]);
    assert_eq!((ran.code, folder.path().join("insula").exists()), (Some(0), false), "{ran:?}");
    // The last of them holds, so that the command line can say another than a file of settings.
    let taken = taken.to_str().expect("text");
    let ran = run(&["--no-socket", "--socket", taken]);
    assert!(ran.code == Some(1) && ran.stderr.contains("cannot listen at"), "{ran:?}");
    let ran = run(&["--socket", taken, "--no-socket"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn what_is_no_question_is_refused_and_the_run_goes_on() {
    let running = Running::begin("live-lies");
    let socket = running.sockets().pop().expect("there is one");
    let stream = std::os::unix::net::UnixStream::connect(socket).expect("it listens");
    let mut lines = BufReader::new(&stream);
    let mut answered = |asked: &str| {
        (&stream).write_all(asked.as_bytes()).expect("it reads");
        let mut line = String::new();
        lines.read_line(&mut line).expect("it answers");
        serde_json::from_str::<Value>(&line).expect("it is JSON")["answer"].clone()
    };
    assert_eq!(answered("{\"ask\":\"dance\"}\n"), "refused");
    assert_eq!(answered("\n"), "refused");
    assert_eq!(answered("{\"ask\":\"kill\",\"isolate\":\"1\"}\n"), "refused");
    assert_eq!(answered("{\"ask\":\"run\"}\n"), "run");
    // Of a line without an end, as much is read as a question may be long.
    let long = "x".repeat(4 << 10);
    assert_eq!(answered(&long), "refused");
    drop(lines);
    assert_eq!(running.end(), (Some(0), "the child ended\n".to_owned()));
}

#[test]
fn a_run_whose_module_is_still_read_can_be_looked_into_and_a_signal_ends_it() {
    let folder = Folder::new("live-loading");
    let (module, socket) = (folder.path().join("endless.wasm"), folder.path().join("socket"));
    // Nobody ever writes to it.
    let made = Command::new("mkfifo").arg(&module).status();
    assert!(made.is_ok_and(|status| status.success()), "a pipe can be made");
    let mut command = harness::insula();
    let mut child = command.arg("run").arg("--socket").args([&socket, &module]).spawn().expect("insula can be run");
    let look = || {
        let mut looks = harness::insula();
        looks.args(["ps", "--json"]).arg(&socket);
        output(looks)
    };
    let seen = (0..LOOKS_MAX).map(|_| look()).find(|ran| ran.code == Some(0)).expect("it is there");
    assert_eq!(serde_json::from_str::<Vec<Value>>(&seen.stdout).expect("it is JSON"), Vec::<Value>::new());
    let kill = Command::new("kill").args(["-s", "INT", &child.id().to_string()]).status();
    assert!(kill.is_ok_and(|status| status.success()), "the signal is sent");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
}

#[test]
fn top_without_a_terminal_says_what_to_use() {
    let running = Running::begin("live-top");
    let ran = running.insula(["top", &running.pid()]);
    assert!(ran.code == Some(1) && ran.stderr.contains("--once"), "{ran:?}");
    assert_eq!(running.end().0, Some(0));
}
