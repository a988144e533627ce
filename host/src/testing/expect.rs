//! What a test expects of a kit: of the record, of an exit, and of what is left.

use std::fmt::Write as _;

use super::{Kit, text};
use crate::control::{Control, Flags};
use crate::exit::{Exit, stack_text};
use crate::isolate::Isolate;
use crate::printable::{printable, printable_line};

impl Kit {
    /// Adds a line of the test's own to the record, among what happens.
    ///
    /// ```
    /// let kit = insula::testing::Kit::new();
    /// kit.note("the first round is over");
    /// assert_eq!(kit.record(), ["the first round is over"]);
    /// ```
    pub fn note(&self, line: impl Into<String>) {
        self.stage.note(line.into());
    }

    /// What happened so far, in its order, a line for each: births and ends of isolates, errors that nobody listened for or
    /// that listeners were told without an end, faults that were met, and instants to which the clock went because
    /// somebody waited for them. The first 100,000.
    ///
    /// | line | is |
    /// |---|---|
    /// | ``#1 `score` born`` | an isolate that the embedder spawned, by its number and its debug name |
    /// | ``#2 `child` born of #1`` | one that isolate 1 spawned |
    /// | ``#1 `score` ended: trapped: unreachable`` | an end, and its [`Exit`] as `Display` shows it |
    /// | ``#1 `score` uncaught: text`` | an error that no listener heard, its first line |
    /// | ``#1 `score` tells its listeners an error`` | one that listeners were told, and that ended nothing |
    /// | ``#1 `score` meets a trap at call 3 of ports.send`` | a fault |
    /// | `at 1.5s` | the clock is at that instant, since it began |
    #[must_use]
    pub fn record(&self) -> Vec<String> {
        self.stage.record()
    }

    /// Settles, and expects the record to be these lines, in this order. Indentation and empty lines do not count, and
    /// `...` stands for any text within a line.
    ///
    /// # Panics
    /// Where the record is another one, with the difference.
    #[track_caller]
    pub fn expect(&self, lines: &str) {
        self.settle();
        let record = self.record().join("\n");
        if let Some(difference) = text::difference(&text::lines(lines), &text::lines(&record)) {
            panic!("the record is not as expected (- expected, + happened):{difference}");
        }
    }

    /// Settles, and expects the isolate to have ended with an [`Exit`] whose `Display` is this, where `...` stands for any
    /// text. Comes back with the exit, for its fields.
    ///
    /// ```
    /// use insula::{Exit, Spawn, testing::Kit};
    /// let kit = Kit::new();
    /// let text = b"(module (func (export \"run\") (drop (i32.div_s (i32.const 1) (i32.const 0)))))";
    /// let module = kit.host().load("zero", text).expect("it is a module");
    /// let isolate = kit.host().spawn(&module, Spawn::entry("run")).expect("it has the entry");
    /// let exit = kit.expect_exit(&isolate, "trapped: ... by zero");
    /// assert!(matches!(exit, Exit::Trapped { frames, .. } if frames.len() == 1));
    /// ```
    ///
    /// # Panics
    /// Where it lives, with what it does, or ended otherwise, with all of its exit, its frames, and the last of its standard
    /// error.
    #[track_caller]
    pub fn expect_exit(&self, isolate: &Isolate, exit: &str) -> Exit {
        self.settle();
        match isolate.exit() {
            Some(found) if text::fits(exit, &found.to_string()) => found,
            Some(found) => panic!("{}", differs(isolate, exit, &found)),
            None => {
                let control = isolate.control();
                panic!("isolate {} did not end\n  expected: {exit}\n  instead:  {}", control.label(), does(control))
            }
        }
    }

    /// Settles, and expects that nothing is left: no isolate lives, no name is registered, and no message waits in a port of
    /// the embedder's. Handles, blobs and messages of isolates go with them.
    ///
    /// # Panics
    /// Where something is left, with what that is and whose.
    #[track_caller]
    pub fn expect_nothing_left(&self) {
        self.settle();
        let links = self.host.inner().links();
        let mut left = self.living();
        for (space, name, owner) in links.names.all() {
            let owner = owner.map_or_else(|| "the embedder".to_owned(), |owner| owner.to_string());
            let (name, space) = (printable_line(&name), printable_line(&space));
            left.push_str(&format!("\n  the name `{name}` in the namespace `{space}`, of {owner}"));
        }
        for mailbox in links.mailboxes() {
            let (messages, bytes) = mailbox.load();
            if messages > 0 {
                left.push_str(&format!("\n  {messages} messages ({bytes} bytes) in a port of the embedder's"));
            }
        }
        assert!(left.is_empty(), "something is left:{left}");
    }

    /// Who lives, a line for each, what it does and what it holds.
    pub(super) fn living(&self) -> String {
        let mut text = String::new();
        for control in self.host.inner().links().registry.all() {
            let (messages, bytes) = control.mailbox.load();
            let table = control.table.lock();
            let (handles, blob_bytes) = (table.len(), table.blob_bytes());
            drop(table);
            let _ = write!(text, "\n  isolate {}, which {}", control.label(), does(&control));
            let held = [(handles as u64, "handles"), (blob_bytes, "bytes of blobs"), (messages, "messages")];
            for (held, what) in held.iter().filter(|(held, _)| *held > 0) {
                let _ = write!(text, ", {held} {what}");
            }
            if messages > 0 {
                let _ = write!(text, " ({bytes} bytes)");
            }
        }
        text
    }
}

/// What an isolate does.
fn does(control: &Control) -> String {
    let flags = &control.flags;
    match flags.call() {
        _ if flags.any(Flags::PAUSED) => "is paused".to_owned(),
        Some(call) => format!("waits in {}", call.name()),
        None if flags.any(Flags::WAITING) => "waits for its first turn".to_owned(),
        None => "is in its code".to_owned(),
    }
}

/// All that a test is told of an exit that it did not expect.
fn differs(isolate: &Isolate, expected: &str, found: &Exit) -> String {
    let label = isolate.control().label();
    let mut text = format!("isolate {label} ended otherwise\n  expected: {expected}\n  found:    {found}");
    let stack = match found {
        Exit::Panicked { frames, .. } | Exit::Trapped { frames, .. } => stack_text(frames),
        Exit::Failed { error } | Exit::StartFailed { error } => error.stack.clone(),
        _ => String::new(),
    };
    for (what, said) in [("frames", stack), ("the last of its standard error", isolate.stderr_tail())] {
        if !said.trim().is_empty() {
            let _ = write!(text, "\n  {what}:");
            for line in printable(&said).lines() {
                let _ = write!(text, "\n    {line}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use crate::testing::{Kit, Script};
    use crate::{Isolate, Limits, Module, Spawn};

    const GUEST: &str = r#"(module
        (import "insula:isolate/clock@0.1.0" "sleep" (func $sleep (param i64) (result i32)))
        (import "insula:isolate/ports@0.1.0" "open" (func $open (param i64 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "\08\00\00\00\06\00\00\00ouch!\n")
        (func (export "sleeps")
            (drop (call $open (i64.const 0) (i32.const 0) (i32.const 64)))
            (drop (call $sleep (i64.const -1))))
        (func (export "traps")
            (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 64)))
            unreachable))"#;

    fn kit() -> (Kit, Module) {
        let kit = Kit::new();
        let module = kit.host().load("guest", GUEST.as_bytes()).unwrap();
        (kit, module)
    }

    fn spawned(kit: &Kit, module: &Module, entry: &str) -> Isolate {
        kit.host().spawn(module, Spawn::entry(entry).stderr(crate::Output::Null)).unwrap()
    }

    /// What a test is told that fails so.
    fn told(fails: impl FnOnce()) -> String {
        let panic = catch_unwind(AssertUnwindSafe(fails)).expect_err("it was to fail");
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        text.or_else(|| panic.downcast_ref::<String>().cloned()).expect("a text")
    }

    #[test]
    fn an_exit_that_differs_is_shown_with_its_frames_and_what_was_printed() {
        let (kit, module) = kit();
        let isolate = spawned(&kit, &module, "traps");
        let text = told(|| drop(kit.expect_exit(&isolate, "returned")));
        let (text, offset) = text.split_once("@ ").expect("a frame");
        assert_eq!(
            text,
            "isolate #1 `traps` ended otherwise\n  expected: returned\n  found:    trapped: unreachable\n  frames:\n    \
             0: function 4 "
        );
        assert!(offset.ends_with("\n  the last of its standard error:\n    ouch!"), "{offset}");
    }

    #[test]
    fn an_isolate_that_lives_is_shown_with_what_it_does() {
        let (kit, module) = kit();
        let isolate = spawned(&kit, &module, "sleeps");
        let text = told(|| drop(kit.expect_exit(&isolate, "returned")));
        assert_eq!(text, "isolate #1 `sleeps` did not end\n  expected: returned\n  instead:  waits in clock.sleep");
    }

    #[test]
    fn what_is_left_is_listed_with_whose_it_is() {
        let (kit, module) = kit();
        let port = kit.host().receive_port::<u32>();
        port.send_port().send(7).unwrap();
        kit.host().names("space").register("known", &port.send_port()).unwrap();
        let _isolate = spawned(&kit, &module, "sleeps");
        let text = told(|| kit.expect_nothing_left());
        let (text, rest) = text.rsplit_once('(').expect("a number of bytes");
        assert_eq!(
            text,
            "something is left:\n  isolate #1 `sleeps`, which waits in clock.sleep, 1 handles\n  the name `known` in the \
             namespace `space`, of the embedder\n  1 messages "
        );
        assert!(rest.ends_with("bytes) in a port of the embedder's"), "{rest}");
    }

    #[test]
    fn a_record_that_differs_is_shown_line_by_line() {
        let (kit, module) = kit();
        spawned(&kit, &module, "traps");
        let text = told(|| kit.expect("#1 `traps` born\n#1 `traps` ended: returned"));
        assert_eq!(
            text,
            "the record is not as expected (- expected, + happened):\n    #1 `traps` born\n  - #1 `traps` ended: \
             returned\n  + #1 `traps` ended: trapped: unreachable\n  + #1 `traps` uncaught: unreachable"
        );
    }

    #[test]
    fn spaces_at_the_end_and_empty_lines_count_in_no_record() {
        let kit = Kit::new();
        let module = Script::new().panic("").load(kit.host(), "script").unwrap();
        let service = kit.host().open::<u8, u8>(&module, Spawn::entry(Script::ENTRY)).unwrap();
        drop(service.call(&1, std::time::Duration::from_secs(1)));
        kit.note("two lines\n\n  at once ");
        kit.expect(
            "#1 `serve` born
             #1 `serve` ended: panicked:
             #1 `serve` uncaught:
             two lines
             at once",
        );
    }

    #[test]
    fn no_time_of_a_test_passes_while_a_module_is_loaded_aside() {
        let kit = Kit::new();
        let sleeps = Script::new().load(kit.host(), "sleeps").unwrap();
        let limits = Limits::default().deadline(std::time::Duration::from_secs(3_600));
        let isolate = kit.host().spawn(&sleeps, Spawn::entry(Script::ENTRY).limits(limits).paused(true)).unwrap();
        let body = "local.get 0 i32.const 3 i32.mul local.set 0 ".repeat(500);
        let text = format!("(module {})", format!("(func (param i32) {body})").repeat(20));
        let loaded = kit.block_on(kit.host().load_async("aside", text.as_bytes()));
        assert_eq!((loaded.unwrap().name(), kit.elapsed()), ("aside", std::time::Duration::ZERO));
        assert_eq!(isolate.exit(), None);
        let unloaded = kit.host().load_async("nobody awaits it", b"(module)");
        kit.settle();
        drop(unloaded);
    }

    #[test]
    fn a_kit_in_a_test_that_fails_goes_quietly() {
        let text = told(|| {
            let kit = Kit::new();
            let module = Script::new().hang().load(kit.host(), "hangs").unwrap();
            let service = kit.host().open::<u8, u8>(&module, Spawn::entry(Script::ENTRY)).unwrap();
            service.tell(&1, std::time::Duration::from_secs(1)).unwrap();
            panic!("the test's own");
        });
        assert_eq!(text, "the test's own");
    }
}
