//! A guest that does as it is told: a service with an answer, or a failure, for each question.
//!
//! It is a module in the text format, made here, and loaded as any other. It speaks what `ServiceEnd` speaks: its birth
//! message ends with a SendPort, to which it sends one of its own; a request is a byte that says whether a port for the
//! answer comes with it, and the question.

use std::fmt::Write as _;
use std::time::Duration;

use insula_wire::{Answer, RemoteError, codec};
use serde::Serialize;

use crate::error::LoadError;
use crate::host::Host;
use crate::isolate::Module;

/// What a scripted guest does with the questions that it gets, one step for each, in their order.
///
/// Where there is a further question it panics, and where nobody can ask any more it returns. Each instance begins with
/// the first step.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use insula::testing::{Kit, Script};
/// use insula::{CallError, Spawn};
/// let kit = Kit::new();
/// let script = Script::new().answer(&12_u64).fail("no such key").panic("it is over");
/// let module = script.load(kit.host(), "store")?;
/// let store = kit.host().open::<String, u64>(&module, Spawn::entry(Script::ENTRY))?;
/// let ask = || store.call(&"key".to_owned(), Duration::from_secs(1));
/// assert_eq!(ask()?, 12);
/// assert!(matches!(ask(), Err(CallError::Failed(error)) if error.message == "no such key"));
/// assert!(matches!(ask(), Err(CallError::Ended(exit)) if exit.to_string() == "panicked: it is over"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Script {
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// The next step takes so long, in nanoseconds.
    Delay(u64),
    Answer(Vec<u8>),
    Panic(String),
    Trap,
    Exit(u32),
    Hang,
    Wait,
    Ignore,
}

impl Script {
    /// The entry by which a scripted module serves.
    pub const ENTRY: &str = "serve";

    /// A script without a step.
    pub fn new() -> Script {
        Script::default()
    }

    /// Answers this.
    ///
    /// # Panics
    /// Where the value cannot be sent: a script's answers are made beforehand, and have no ports and no blobs.
    #[track_caller]
    pub fn answer<A: Serialize + ?Sized>(self, answer: &A) -> Script {
        let mut bytes = Vec::new();
        if let Err(error) = codec::encode_into(&Answer::Value(answer), &mut bytes) {
            panic!("the answer of a script cannot be sent: {error}");
        }
        self.step(Step::Answer(bytes))
    }

    /// Says that it failed, and goes on: [`CallError::Failed`](crate::CallError::Failed).
    pub fn fail(self, reason: impl Into<String>) -> Script {
        let failed = Answer::<()>::Failed(RemoteError { message: reason.into(), stack: String::new() });
        let mut bytes = Vec::new();
        codec::encode_into(&failed, &mut bytes).expect("texts can always be sent");
        self.step(Step::Answer(bytes))
    }

    /// Panics with this text, as a guest in Rust does.
    pub fn panic(self, text: impl Into<String>) -> Script {
        self.step(Step::Panic(text.into()))
    }

    /// Traps: `unreachable`.
    pub fn trap(self) -> Script {
        self.step(Step::Trap)
    }

    /// Ends with this exit code.
    pub fn exit(self, code: u32) -> Script {
        self.step(Step::Exit(code))
    }

    /// Loops without an end.
    pub fn hang(self) -> Script {
        self.step(Step::Hang)
    }

    /// Keeps the question, and waits without an end.
    pub fn wait(self) -> Script {
        self.step(Step::Wait)
    }

    /// Lets the question go, and goes on: [`CallError::Unanswered`](crate::CallError::Unanswered).
    pub fn ignore(self) -> Script {
        self.step(Step::Ignore)
    }

    /// Sleeps so long, by the kit's clock, before the next step.
    pub fn delay(self, time: Duration) -> Script {
        self.step(Step::Delay(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)))
    }

    fn step(mut self, step: Step) -> Script {
        self.steps.push(step);
        self
    }

    /// Loads a module that does this, under this name, into any host.
    ///
    /// # Errors
    /// As [`Host::load`].
    pub fn load(&self, host: &Host, name: &str) -> Result<Module, LoadError> {
        host.load(name, self.text().as_bytes())
    }

    /// The module in the text format.
    fn text(&self) -> String {
        let (mut data, mut code) = (Data::default(), String::new());
        for step in &self.steps {
            if let Step::Delay(nanos) = step {
                let _ = write!(code, "(drop (call $sleep (call $in (i64.const {}))))", nanos.cast_signed());
                continue;
            }
            code.push_str("\n    (if (call $next) (then (return)))");
            match step {
                Step::Delay(_) => {}
                Step::Answer(bytes) => {
                    let (at, count) = data.put(bytes);
                    let _ = write!(code, "(call $answer (i32.const {at}) (i32.const {count}))");
                }
                Step::Panic(text) => code.push_str(&data.panic(text)),
                Step::Trap => code.push_str("unreachable"),
                Step::Exit(status) => {
                    let _ = write!(code, "(call $exit (i32.const {}))", status.cast_signed());
                }
                Step::Hang => code.push_str("(loop (br 0))"),
                Step::Wait => code.push_str("(drop (call $sleep (i64.const -1)))"),
                Step::Ignore => code.push_str("(call $let_go)"),
            }
        }
        let last = data.panic("the script has no step for this question");
        let pages = 1 + data.bytes.len() / PAGE;
        let (buffer, text) = (pages * PAGE, data.text());
        let (start, pages) = (START.replace("BUFFER", &buffer.to_string()), pages + 1);
        format!(
            "(module {IMPORTS}\n  (memory (export \"memory\") {pages})\n  (data (i32.const {DATA}) \"{text}\")\n{start}\n  \
             (func (export \"{entry}\")\n    (call $open_end)\n    {code}\n    (if (call $next) (then (return)))\n    \
             {last}))",
            entry = Script::ENTRY
        )
    }
}

/// Bytes of a page of linear memory.
const PAGE: usize = 1 << 16;

/// Where data begins. Below are what a receive found (0), a handle that comes back (16), the handle of the port (20), that of
/// the answer (24), a message that is one port (28), the capacity of the buffer (32), and handles that came (64).
const DATA: usize = 2_048;

/// What a module has beside its code.
#[derive(Default)]
struct Data {
    bytes: Vec<u8>,
}

impl Data {
    /// Where these bytes will be, and how many they are.
    fn put(&mut self, bytes: &[u8]) -> (usize, usize) {
        let at = DATA + self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        (at, bytes.len())
    }

    /// The code of a panic.
    fn panic(&mut self, text: &str) -> String {
        let (at, count) = self.put(text.as_bytes());
        format!("(drop (call $panic (i32.const {at}) (i32.const {count}) (i32.const 0) (i32.const 0))) unreachable")
    }

    fn text(&self) -> String {
        self.bytes.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "\\{byte:02x}");
            text
        })
    }
}

const IMPORTS: &str = r#"
  (import "insula:isolate/isolates@0.1.0" "initial-message"
    (func $initial (param i32 i32 i32 i32 i32) (result i32)))
  (import "insula:isolate/ports@0.1.0" "open" (func $open (param i64 i32 i32) (result i32)))
  (import "insula:isolate/ports@0.1.0" "sender" (func $sender (param i32 i32) (result i32)))
  (import "insula:isolate/ports@0.1.0" "send" (func $send (param i32 i32 i32 i32 i32) (result i32)))
  (import "insula:isolate/ports@0.1.0" "receive" (func $receive (param i32 i64 i32 i32 i32 i32 i32) (result i32)))
  (import "insula:isolate/handles@0.1.0" "drop" (func $drop (param i32) (result i32)))
  (import "insula:isolate/clock@0.1.0" "now" (func $now (result i64)))
  (import "insula:isolate/clock@0.1.0" "sleep" (func $sleep (param i64) (result i32)))
  (import "insula:isolate/report@0.1.0" "panic" (func $panic (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))"#;

/// What a script does around its steps. Statuses: 1 closed, 7 too small a buffer, 10 unreachable.
const START: &str = r"
  (func $grown (result i32)
    (i32.lt_s (memory.grow (i32.add (i32.shr_u (i32.load (i32.const 8)) (i32.const 16)) (i32.const 1))) (i32.const 0))
    (i32.store (i32.const 32) (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const BUFFER))))
  ;; Sends a port of its own to the end that it was born with, which is the last of what came with its message.
  (func $open_end (local $status i32)
    (i32.store (i32.const 32) (i32.const 65536))
    (loop $again
      (local.set $status (call $initial
        (i32.const BUFFER) (i32.load (i32.const 32)) (i32.const 64) (i32.const 255) (i32.const 0)))
      (if (i32.eq (local.get $status) (i32.const 7)) (then (if (call $grown) (then unreachable)) (br $again))))
    (if (local.get $status) (then unreachable))
    (if (i32.eqz (i32.load (i32.const 12))) (then unreachable))
    (if (call $open (i64.const 0) (i32.const 0) (i32.const 20)) (then unreachable))
    (if (call $sender (i32.load (i32.const 20)) (i32.const 16)) (then unreachable))
    (drop (call $send
      (i32.load (i32.add (i32.const 60) (i32.shl (i32.load (i32.const 12)) (i32.const 2))))
      (i32.const 28) (i32.const 1) (i32.const 16) (i32.const 1)))
    (drop (call $drop (i32.load (i32.const 16))))
    (drop (call $drop (i32.load (i32.add (i32.const 60) (i32.shl (i32.load (i32.const 12)) (i32.const 2)))))))
  ;; Waits for the next question. Not 0 where nobody can ask any more.
  (func $next (result i32) (local $status i32)
    (loop $again
      (local.set $status (call $receive (i32.load (i32.const 20)) (i64.const -1)
        (i32.const BUFFER) (i32.load (i32.const 32)) (i32.const 64) (i32.const 255) (i32.const 0)))
      (if (i32.eq (local.get $status) (i32.const 7)) (then (if (call $grown) (then unreachable)) (br $again))))
    ;; The first byte says whether an answer is wanted; where it is, the port for it came first.
    (i32.store (i32.const 24) (i32.const 0))
    (if (i32.and (i32.load8_u (i32.const BUFFER)) (i32.ne (i32.load (i32.const 12)) (i32.const 0)))
      (then (i32.store (i32.const 24) (i32.load (i32.const 64)))))
    (local.get $status))
  (func $answer (param $at i32) (param $count i32)
    (if (i32.load (i32.const 24)) (then
      (drop (call $send (i32.load (i32.const 24)) (local.get $at) (local.get $count) (i32.const 0) (i32.const 0)))))
    (call $let_go))
  ;; The instant that is so much later, or never.
  (func $in (param $nanos i64) (result i64) (local $at i64)
    (local.set $at (i64.add (call $now) (local.get $nanos)))
    (select (local.get $at) (i64.const -1) (i64.ge_u (local.get $at) (local.get $nanos))))
  (func $let_go
    (if (i32.load (i32.const 24)) (then (drop (call $drop (i32.load (i32.const 24)))))))";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::testing::Kit;
    use crate::{CallError, Service, Spawn};

    const SECOND: Duration = Duration::from_secs(1);

    fn opened(kit: &Kit, script: &Script) -> Service<Vec<u8>, String> {
        let module = script.load(kit.host(), "script").unwrap();
        kit.host().open(&module, Spawn::entry(Script::ENTRY).message(&vec![7_u8; 100_000])).unwrap()
    }

    fn ended(answer: Result<String, CallError>) -> String {
        match answer {
            Err(CallError::Ended(exit)) => exit.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_step_is_what_the_embedder_is_told() {
        let kit = Kit::new();
        let ask = |script: Script| opened(&kit, &script).call(&Vec::new(), SECOND);
        assert_eq!(ask(Script::new().answer("a \"text\"")), Ok("a \"text\"".to_owned()));
        assert!(matches!(ask(Script::new().fail("so")), Err(CallError::Failed(error)) if error.message == "so"));
        assert_eq!(ask(Script::new().ignore()), Err(CallError::Unanswered));
        assert_eq!(ended(ask(Script::new().trap())), "trapped: unreachable");
        assert_eq!(ended(ask(Script::new().panic("é"))), "panicked: é");
        assert_eq!(ended(ask(Script::new().exit(3))), "exit code 3");
        assert_eq!(ended(ask(Script::new())), "panicked: the script has no step for this question");
        let timed = kit.let_time_pass(|| ask(Script::new().wait()));
        assert_eq!((timed, kit.elapsed()), (Err(CallError::TimedOut), SECOND));
        let late = kit.let_time_pass(|| ask(Script::new().delay(SECOND / 2).answer("late")));
        assert_eq!((late, kit.elapsed()), (Ok("late".to_owned()), SECOND * 3 / 2));
        let never = kit.let_time_pass(|| ask(Script::new().delay(Duration::MAX).answer("never")));
        assert_eq!(never, Err(CallError::TimedOut));
        kit.settle();
        assert_eq!(kit.host().live(), 2, "but for those that wait, all ended when nobody could ask");
    }

    #[test]
    fn steps_follow_the_questions_be_they_small_or_large() {
        let kit = Kit::new();
        let service = opened(&kit, &Script::new().answer("one").ignore().answer("three"));
        assert_eq!(service.call(&vec![1; 1_000_000], SECOND), Ok("one".to_owned()));
        assert_eq!(service.tell(&Vec::new(), SECOND), Ok(()));
        assert_eq!(service.call(&vec![1; 3], SECOND), Ok("three".to_owned()));
        drop(service);
        kit.expect("#1 `serve` born\n#1 `serve` ended: returned");
        kit.expect_nothing_left();
    }
}
