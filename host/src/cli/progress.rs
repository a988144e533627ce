//! A line on standard error while something takes long: who waits sees that it goes on.
//!
//! It appears after half a second, on a terminal only, and is gone before anything else is said. What runs below it and
//! writes to standard error itself goes through [`Line::say`].

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use insula::printable_line;

use super::report;

/// What takes less is not worth a line.
const SOON: Duration = Duration::from_millis(500);

/// How often the line is drawn.
const TICK: Duration = Duration::from_millis(100);

/// The line of one wait, which ends with it.
pub(super) struct Line(Option<Drawn>);

struct Drawn {
    say: Sender<Vec<u8>>,
    drawing: JoinHandle<()>,
}

/// Does something that may take long with a file.
pub(super) fn while_at_work<T>(doing: &str, path: &Path, work: impl FnOnce() -> T) -> T {
    let line = Line::begin(&format!("{doing} {}", report::path(path)));
    let done = work();
    line.end();
    done
}

impl Line {
    /// Begins the wait; where standard error is no terminal, nothing is ever drawn.
    pub(super) fn begin(text: &str) -> Line {
        if !std::io::stderr().is_terminal() {
            return Line(None);
        }
        let ((say, said), text) = (channel(), printable_line(text).into_owned());
        let thread = std::thread::Builder::new().name("insula-progress".to_owned());
        // Without the thread there is no line, and the work goes on.
        Line(thread.spawn(move || draw(&text, &said)).ok().map(|drawing| Drawn { say, drawing }))
    }

    /// Whether somebody may see it: who runs a program below it takes what that program says, and says it here.
    pub(super) fn is_seen(&self) -> bool {
        self.0.is_some()
    }

    /// Writes to standard error, above the line.
    pub(super) fn say(&self, bytes: Vec<u8>) {
        if let Some(drawn) = &self.0 {
            // Only a thread that panicked does not listen.
            let _ = drawn.say.send(bytes);
        }
    }

    /// Takes the line away.
    pub(super) fn end(self) {
        if let Some(Drawn { say, drawing }) = self.0 {
            drop(say);
            let _ = drawing.join();
        }
    }
}

/// Draws until nobody can say anything any more.
fn draw(text: &str, said: &Receiver<Vec<u8>>) {
    let mut bar = None;
    loop {
        match said.recv_timeout(if bar.is_none() { SOON } else { TICK }) {
            Ok(bytes) => above(bar.as_ref(), &bytes),
            Err(RecvTimeoutError::Timeout) => bar.get_or_insert_with(|| shown(text)).tick(),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
}

fn shown(text: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_message(text.to_owned());
    let style = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}").expect("a template of ours");
    bar.set_style(style);
    bar
}

fn above(bar: Option<&ProgressBar>, bytes: &[u8]) {
    // Whoever closed our standard error does not want to know.
    let write = || {
        let _ = std::io::stderr().write_all(bytes);
    };
    match bar {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}
