//! Faults that a test has an isolate meet: at the n-th call of an import, as plain data.
//!
//! Here is what is asked for and the count of calls; the imports ask [`Script::meet`] what is to happen (`abi/gate`).

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use insula_wire::Status;

use crate::sync::Arc;

/// What goes wrong in an isolate, and when: at the n-th call of an import that it makes, counted from 1. Given to
/// [`Spawn::faults`](crate::Spawn::faults), for that isolate alone and not for its children.
///
/// Imports have the names by which [`Phase::Waiting`](crate::Phase) knows them: the interface, a dot, and the function, as
/// in `ports.send`, `clock.sleep` and `wasi.fd_write`. Those of insula's can be named, all of them, and those of WASI that
/// take files or time. A name that there is not is an error of the spawn, which lists those that there are.
///
/// Several faults of one call happen in the order in which they were asked for, until one of them ends it. None of them
/// does what the import would have done, but for a delay, after which it is done.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use insula::testing::{Faults, Kit};
/// use insula::Spawn;
/// let kit = Kit::new();
/// let text = r#"(module (import "insula:isolate/clock@0.1.0" "now" (func $now (result i64)))
///     (func (export "run") (loop (drop (call $now)) (br 0))))"#;
/// let module = kit.host().load("asks", text.as_bytes())?;
/// let isolate = kit.host().spawn(&module, Spawn::entry("run").faults(Faults::new().trap_at("clock.now", 1_000)))?;
/// kit.expect_exit(&isolate, "trapped: a fault of the test's: call 1000 of clock.now");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Faults {
    faults: Vec<Fault>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Fault {
    import: String,
    call: u64,
    action: Action,
}

/// What happens at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Trap,
    Kill,
    Delay(Duration),
    Status(Status),
    Errno(u16),
}

impl Faults {
    /// None yet.
    pub fn new() -> Faults {
        Faults::default()
    }

    /// The call traps.
    pub fn trap_at(self, import: impl Into<String>, call: u64) -> Faults {
        self.at(import, call, Action::Trap)
    }

    /// The embedder kills the isolate there.
    pub fn kill_at(self, import: impl Into<String>, call: u64) -> Faults {
        self.at(import, call, Action::Kill)
    }

    /// The call takes so long, by the kit's clock, before it does anything. Meanwhile the isolate can be killed, and meets
    /// its deadline.
    pub fn delay_at(self, import: impl Into<String>, call: u64, delay: Duration) -> Faults {
        self.at(import, call, Action::Delay(delay))
    }

    /// The call answers that there is no room: of `ports.send`, that the mailbox is full.
    pub fn full_at(self, import: impl Into<String>, call: u64) -> Faults {
        self.status_at(import, call, Status::Full)
    }

    /// The call answers this status. Of imports of insula's that have one.
    pub fn status_at(self, import: impl Into<String>, call: u64, status: Status) -> Faults {
        self.at(import, call, Action::Status(status))
    }

    /// The call answers this error number of WASI preview 1, as 51 for a full disk. Of imports of WASI's.
    pub fn errno_at(self, import: impl Into<String>, call: u64, errno: u16) -> Faults {
        self.at(import, call, Action::Errno(errno))
    }

    fn at(mut self, import: impl Into<String>, call: u64, action: Action) -> Faults {
        self.faults.push(Fault { import: import.into(), call, action });
        self
    }

    /// What is wrong with them, by what imports there are: each with whether it answers a status.
    pub(crate) fn check(&self, imports: &[(String, bool)]) -> Result<(), String> {
        self.faults.iter().try_for_each(|fault| fault.check(imports))
    }
}

impl Fault {
    fn check(&self, imports: &[(String, bool)]) -> Result<(), String> {
        let Fault { import, call, action } = self;
        let Some((_, has_status)) = imports.iter().find(|(known, _)| known == import) else {
            let interface = import.split_once('.').map_or("", |(interface, _)| interface);
            let near = |known: &&str| known.split_once('.').is_some_and(|(known, _)| known == interface);
            let all: Vec<&str> = imports.iter().map(|(known, _)| known.as_str()).collect();
            let near: Vec<&str> = all.iter().copied().filter(|known| near(known)).collect();
            let known = if near.is_empty() { all } else { near }.join(", ");
            return Err(format!("a fault at `{import}`: there is no such import, but {known}"));
        };
        let of_wasi = import.starts_with("wasi.");
        match action {
            _ if *call == 0 => Err(format!("a fault at call 0 of {import}: the first call is 1")),
            Action::Status(_) if of_wasi => Err(format!("{import} answers no status: Faults::errno_at")),
            Action::Status(_) if !has_status => Err(format!("{import} answers no status")),
            Action::Errno(_) if !of_wasi => Err(format!("{import} answers no error number: Faults::status_at")),
            Action::Errno(_) if !has_status => Err(format!("{import} answers no error number")),
            Action::Trap | Action::Kill | Action::Delay(_) | Action::Status(_) | Action::Errno(_) => Ok(()),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Trap => f.write_str("a trap"),
            Action::Kill => f.write_str("a kill"),
            Action::Delay(delay) => write!(f, "a delay of {delay:?}"),
            Action::Status(status) => write!(f, "the status {status:?}"),
            Action::Errno(errno) => write!(f, "the error number {errno}"),
        }
    }
}

/// The faults of one isolate, and how often it called what.
#[derive(Debug)]
pub(crate) struct Script {
    faults: Faults,
    calls: BTreeMap<Arc<str>, u64>,
}

impl Script {
    pub(crate) fn new(faults: Faults) -> Script {
        Script { faults, calls: BTreeMap::new() }
    }

    /// The isolate calls this import: the number of the call, and what is to happen.
    pub(crate) fn meet(&mut self, import: &Arc<str>) -> (u64, Vec<Action>) {
        let calls = self.calls.entry(Arc::clone(import)).or_default();
        *calls += 1;
        let met = self.faults.faults.iter().filter(|fault| *fault.import == **import && fault.call == *calls);
        (*calls, met.map(|fault| fault.action).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imports() -> Vec<(String, bool)> {
        let known = [("clock.now", false), ("ports.close", true), ("ports.send", true), ("wasi.fd_write", true)];
        known.map(|(name, has_status)| (name.to_owned(), has_status)).into()
    }

    #[test]
    fn a_fault_that_can_never_happen_is_refused_with_the_remedy() {
        let refused = |faults: Faults| faults.check(&imports()).unwrap_err();
        let text = "a fault at `ports.sned`: there is no such import, but ports.close, ports.send";
        assert_eq!(refused(Faults::new().trap_at("ports.sned", 1)), text);
        let text = "a fault at `send`: there is no such import, but clock.now, ports.close, ports.send, wasi.fd_write";
        assert_eq!(refused(Faults::new().kill_at("send", 1)), text);
        assert_eq!(
            refused(Faults::new().trap_at("clock.now", 0)),
            "a fault at call 0 of clock.now: the first call is 1"
        );
        assert_eq!(refused(Faults::new().full_at("clock.now", 1)), "clock.now answers no status");
        let text = "wasi.fd_write answers no status: Faults::errno_at";
        assert_eq!(refused(Faults::new().full_at("wasi.fd_write", 1)), text);
        let text = "ports.send answers no error number: Faults::status_at";
        assert_eq!(refused(Faults::new().errno_at("ports.send", 1, 51)), text);
        assert_eq!(Faults::new().full_at("ports.send", 1).errno_at("wasi.fd_write", 1, 51).check(&imports()), Ok(()));
    }

    #[test]
    fn a_fault_comes_at_its_call_and_no_other() {
        let faults = Faults::new().trap_at("ports.send", 2).delay_at("ports.send", 2, Duration::ZERO);
        let (mut script, send, close) = (Script::new(faults), Arc::from("ports.send"), Arc::from("ports.close"));
        assert_eq!(script.meet(&send), (1, vec![]));
        assert_eq!(script.meet(&close), (1, vec![]));
        assert_eq!(script.meet(&send), (2, vec![Action::Trap, Action::Delay(Duration::ZERO)]));
        assert_eq!(script.meet(&send), (3, vec![]));
    }
}
