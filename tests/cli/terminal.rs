//! What is seen in a terminal and nowhere else: colours, unless they are asked for, progress, and `insula top`.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::live::Running;
use super::{Ran, insula, output};
use crate::harness::{self, Folder};

/// Pieces that are read of a terminal, at most, until what is waited for is there.
const PIECES_MAX: usize = 2_000;

/// Longer than a terminal shows nothing new here.
const LONG: Duration = Duration::from_secs(120);

/// A program in a terminal of its own.
struct InTerminal {
    child: Child,
    /// What the person before it types into.
    terminal: File,
    /// What that person reads.
    pieces: Receiver<Vec<u8>>,
    shown: Vec<u8>,
}

impl InTerminal {
    fn begin(mut command: Command) -> InTerminal {
        let terminal =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("there is a terminal");
        grantpt(&terminal).and_then(|()| unlockpt(&terminal)).expect("it is this user's");
        let size = Winsize { ws_row: 24, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&terminal, size).expect("it has a size");
        let name = ptsname(&terminal, Vec::new()).expect("it has a name").into_string().expect("of text");
        let side = || File::options().read(true).write(true).open(&name).expect("it is there");
        command.env_remove("NO_COLOR").stdin(side()).stdout(side()).stderr(side());
        let child = command.spawn().expect("it can be run");
        // What the command has of it is closed here, so that its end is seen.
        drop(command);
        let terminal = File::from(terminal);
        let (mut screen, (piece, pieces)) = (terminal.try_clone().expect("there is a descriptor"), channel());
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // An error, where nobody has the other side any more.
            while let Ok(read @ 1..) = screen.read(&mut bytes) {
                drop(piece.send(bytes[..read].to_vec()));
            }
        });
        InTerminal { child, terminal, pieces, shown: Vec::new() }
    }

    /// Reads until this is shown. What comes behind it is still to be read: a piece may have more than one waits for.
    fn shows(&mut self, wanted: &str) {
        for _ in 0..PIECES_MAX {
            let found = self.shown.windows(wanted.len()).position(|shown| shown == wanted.as_bytes());
            if let Some(at) = found {
                drop(self.shown.drain(..at + wanted.len()));
                return;
            }
            assert!(self.reads(), "it ended without `{wanted}`: {}", self.text());
        }
        panic!("it does not come to `{wanted}`: {}", self.text());
    }

    /// Reads a piece; false where nobody writes any more.
    fn reads(&mut self) -> bool {
        match self.pieces.recv_timeout(LONG) {
            Ok(piece) => self.shown.extend(piece),
            Err(RecvTimeoutError::Disconnected) => return false,
            Err(RecvTimeoutError::Timeout) => panic!("nothing more is shown: {}", self.text()),
        }
        true
    }

    fn types(&mut self, keys: &str) {
        self.terminal.write_all(keys.as_bytes()).expect("it listens");
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.shown).into_owned()
    }

    /// The rest of what it shows, and how it ends.
    fn ends(mut self) -> (String, ExitStatus) {
        while self.reads() {}
        let status = self.child.wait().expect("it ends");
        (self.text(), status)
    }
}

#[test]
fn top_shows_a_run_and_does_what_its_keys_say() {
    let running = Running::of("looked_into", "looping\n", "terminal-top");
    let mut top = InTerminal::begin(running.command(["top", "--every", "50", &running.pid()]));
    // The screen of before comes back at its end.
    top.shows("\u{1b}[?1049h");
    top.shows("loops");
    top.types("/loops\r");
    top.types("\u{1b}[B\r");
    top.shows("innermost");
    top.types("ky");
    // The child's end is what main waits for, and then the run is over.
    let (shown, status) = top.ends();
    assert!(shown.contains("\u{1b}[?1049l"), "{shown:?}");
    let (code, rest) = running.ended();
    assert_eq!((code, rest.as_str()), (Some(0), "the child ended\n"), "top: {status}, {shown}");
}

#[test]
fn a_terminal_has_colours_and_a_line_while_it_takes_long() {
    let mut missing = harness::insula();
    missing.env_remove("CLICOLOR_FORCE").env_remove("CLICOLOR").env("TERM", "xterm").args(["run", "missing.wasm"]);
    let (shown, status) = InTerminal::begin(missing).ends();
    assert!(shown.starts_with("insula: \u{1b}[1m\u{1b}[31merror\u{1b}[0m: "), "{shown:?}");
    assert_eq!(status.code(), Some(1));

    let folder = Folder::new("terminal-progress");
    folder.file("Cargo.toml", "[package]\nname = \"slow\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n");
    folder.file("src/main.rs", "fn main() { println!(\"it runs\"); }");
    // It takes until the line is seen.
    let pipe = folder.path().join("seen");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.is_ok_and(|status| status.success()), "a pipe can be made");
    folder.file(
        "build.rs",
        "use std::io::Read; fn main() { std::fs::File::open(\"seen\").unwrap().read_exact(&mut [0]).unwrap(); }",
    );
    let mut builds = harness::insula();
    builds.env("TERM", "xterm").arg("run").arg(folder.path());
    let mut builds = InTerminal::begin(builds);
    builds.shows("building");
    // Held open to both sides: whoever builds finds what is written, and if nobody does, nobody waits.
    let mut seen = File::options().read(true).write(true).open(&pipe).expect("it is there");
    seen.write_all(b"x").expect("it has room");
    let (shown, status) = builds.ends();
    assert!(shown.contains("it runs"), "{shown:?}");
    assert_eq!(status.code(), Some(0));
}

/// What is said of a file that is not there, with these variables.
fn said(variables: &[(&str, &str)]) -> Ran {
    let mut command = harness::insula();
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    command.envs(variables.iter().copied()).args(["run", "missing.wasm"]);
    output(command)
}

const PLAIN: &str = "insula: error: `missing.wasm` is not there";

#[test]
fn colours_are_where_they_are_wanted() {
    for variables in [&[][..], &[("CLICOLOR", "1")], &[("NO_COLOR", "1"), ("CLICOLOR", "1")]] {
        let ran = said(variables);
        assert!(ran.stderr.starts_with(PLAIN), "{variables:?}: {ran:?}");
    }
    let ran = said(&[("CLICOLOR_FORCE", "1")]);
    assert!(ran.stderr.starts_with("insula: \u{1b}[1m\u{1b}[31merror\u{1b}[0m: "), "{ran:?}");
}

#[test]
fn a_pipe_sees_no_progress() {
    // Building takes longer than the line waits to be shown, and the pipe is no terminal whatever colours it wants.
    let folder = Folder::new("terminal");
    folder.file("Cargo.toml", "[package]\nname = \"slow\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n");
    folder.file("src/main.rs", "fn main() { let unused = 1; }");
    let mut command = harness::insula();
    command.env_remove("NO_COLOR").env("CLICOLOR_FORCE", "1").arg("run").arg(folder.path());
    let ran = output(command);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{ran:?}");
    assert!(ran.stderr.contains("unused variable") && !ran.stderr.contains("building"), "{ran:?}");
    assert!(!ran.stderr.contains('\r'), "{ran:?}");
}

#[test]
fn a_compile_in_a_pipe_says_nothing() {
    let folder = Folder::new("terminal");
    let output = folder.path().join("out.cwasm");
    let module = folder.file("many.wat", format!("(module {})", "(func (param i32))".repeat(20_000)));
    let ran = insula(["compile".as_ref(), "-o".as_ref(), output.as_os_str(), module.as_os_str()]);
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(0), "", ""), "{ran:?}");
}
