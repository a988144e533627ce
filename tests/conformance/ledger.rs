//! The judge of what an observer was told: of a death, and of the numbers that a handle table gave.
//!
//! It knows nothing of the host. What it would say to a notice that is lost, told twice or told out of order, and to a
//! handle whose number comes back, is in its own tests below: those plant each fault.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use insula::{Received, RemoteError};

/// One message at an observer's port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Data(String),
    Error(String),
    Exit(String),
    Ping(String),
}

impl Entry {
    /// What an embedder's port of [`RemoteError`]s got.
    pub(super) fn of(received: Received<RemoteError>) -> Entry {
        match received {
            Received::Data(value) => Entry::Data(value.message),
            Received::Exit(value) => Entry::Exit(value.message),
            Received::Ping(value) => Entry::Ping(value.message),
            Received::Error(error) => Entry::Error(error.message),
            other => panic!("a kind of message that the ledger does not know: {other:?}"),
        }
    }

    /// What a guest passed on: the kind's name, and the text.
    pub(super) fn passed_on((kind, text): (String, String)) -> Entry {
        match kind.as_str() {
            "Data" => Entry::Data(text),
            "Error" => Entry::Error(text),
            "Exit" => Entry::Exit(text),
            "Ping" => Entry::Ping(text),
            other => panic!("a kind of message that the ledger does not know: {other}"),
        }
    }

    fn of_kind(&self, kind: Kind) -> Option<&str> {
        match (self, kind) {
            (Entry::Data(text), Kind::Data)
            | (Entry::Error(text), Kind::Error)
            | (Entry::Exit(text), Kind::Exit)
            | (Entry::Ping(text), Kind::Ping) => Some(text),
            _ => None,
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Entry::Data(text) => write!(f, "data `{text}`"),
            Entry::Error(text) => write!(f, "the error notice `{text}`"),
            Entry::Exit(text) => write!(f, "the exit notice `{text}`"),
            Entry::Ping(text) => write!(f, "the answer `{text}`"),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Data,
    Error,
    Exit,
    Ping,
}

/// What one death must tell one observer, in this order.
#[derive(Clone, Copy, Debug)]
pub(super) enum Told {
    /// This text.
    Data(&'static str),
    /// This text, or nothing from here on to the error: its sender may be cut short before it is sent.
    DataIfSent(&'static str),
    /// An error notice that contains this.
    Error(&'static str),
    /// The exit notice with this response.
    Exit(&'static str),
}

impl Told {
    fn kind(self) -> Kind {
        match self {
            Told::Data(_) | Told::DataIfSent(_) => Kind::Data,
            Told::Error(_) => Kind::Error,
            Told::Exit(_) => Kind::Exit,
        }
    }

    fn is_told_by(self, entry: &Entry) -> bool {
        match self {
            Told::Data(text) | Told::DataIfSent(text) => entry.of_kind(Kind::Data) == Some(text),
            Told::Error(text) => entry.of_kind(Kind::Error).is_some_and(|told| told.contains(text)),
            Told::Exit(text) => entry.of_kind(Kind::Exit) == Some(text),
        }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Told::Data(text) | Told::DataIfSent(text) => write!(f, "data `{text}`"),
            Told::Error(text) => write!(f, "an error notice with `{text}`"),
            Told::Exit(text) => write!(f, "the exit notice `{text}`"),
        }
    }
}

/// Compares what was told with what must be told.
///
/// # Errors
/// Everything that is wrong with it: what is lost, what came twice, what came where something else belongs.
pub(super) fn judge(expected: &[Told], told: &[Entry]) -> Result<(), String> {
    let mut complaints = Vec::new();
    for (kind, name) in [(Kind::Exit, "exit notice"), (Kind::Error, "error notice"), (Kind::Ping, "answer")] {
        let due = expected.iter().filter(|told| told.kind() == kind).count();
        let came = told.iter().filter(|entry| entry.of_kind(kind).is_some()).count();
        if came < due {
            complaints.push(format!("an {name} is lost: {came} of {due} came"));
        } else if came > due {
            complaints.push(format!("an {name} too many: {came} came, {due} due"));
        }
    }
    complaints.extend(data_complaint(expected, told));
    complaints.extend(order_complaint(expected, told));
    if complaints.is_empty() { Ok(()) } else { Err(complaints.join("; ")) }
}

/// What is lost of the data, or came twice.
fn data_complaint(expected: &[Told], told: &[Entry]) -> Option<String> {
    let mut came = BTreeMap::new();
    for text in told.iter().filter_map(|entry| entry.of_kind(Kind::Data)) {
        *came.entry(text).or_insert(0_u32) += 1;
    }
    let lost = expected.iter().find_map(|told| match told {
        Told::Data(text) if !came.contains_key(text) => Some(format!("data `{text}` is lost")),
        _ => None,
    });
    let twice = came.iter().find(|(_, times)| **times > 1);
    lost.or_else(|| twice.map(|(text, times)| format!("data `{text}` came {times} times")))
}

/// The first thing that came where something else belongs.
fn order_complaint(expected: &[Told], told: &[Entry]) -> Option<String> {
    let mut told = told.iter();
    let mut next = told.next();
    let mut cut_short = false;
    for due in expected {
        match (due, next) {
            (due, Some(entry)) if due.is_told_by(entry) && !(cut_short && due.kind() == Kind::Data) => {
                next = told.next();
            }
            (Told::DataIfSent(_), _) => cut_short = true,
            (due, Some(entry)) => return Some(format!("{entry} came where {due} belongs")),
            (due, None) => return Some(format!("nothing came where {due} belongs")),
        }
    }
    next.map(|entry| format!("{entry} came after the end"))
}

/// What happened to a number of a handle table, as its owner sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    /// It was given for a new object.
    Given(u32),
    /// Its last count was dropped.
    Freed(u32),
}

/// Whether every number meant one object only, ever.
///
/// # Errors
/// The number that meant two.
pub(super) fn judge_numbers(events: &[Number]) -> Result<(), String> {
    let (mut live, mut freed) = (BTreeSet::new(), BTreeSet::new());
    for event in events {
        match *event {
            Number::Given(0) => return Err("0 was given, which is no handle".to_owned()),
            Number::Given(number) if !live.insert(number) => {
                return Err(format!("handle {number} was given while it was alive"));
            }
            Number::Given(number) if freed.contains(&number) => {
                return Err(format!("handle {number} was given again after it was freed"));
            }
            Number::Freed(number) if !live.remove(&number) => {
                return Err(format!("handle {number} was freed and is not alive"));
            }
            Number::Freed(number) => {
                freed.insert(number);
            }
            Number::Given(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUE: [Told; 4] = [Told::Data("one"), Told::Data("two"), Told::Error("divide"), Told::Exit("gone")];

    fn well() -> Vec<Entry> {
        let data = |text: &str| Entry::Data(text.to_owned());
        let error = Entry::Error("integer divide by zero".to_owned());
        vec![data("one"), data("two"), error, Entry::Exit("gone".to_owned())]
    }

    /// What is said of a sequence in which a fault was planted.
    fn said(plant: impl FnOnce(&mut Vec<Entry>)) -> String {
        let mut told = well();
        plant(&mut told);
        judge(&DUE, &told).expect_err("the fault is found")
    }

    #[test]
    fn what_is_as_it_must_be_passes() {
        assert_eq!(judge(&DUE, &well()), Ok(()));
    }

    #[test]
    fn a_notice_that_is_lost_is_found() {
        assert!(said(|told| drop(told.remove(3))).starts_with("an exit notice is lost: 0 of 1 came"));
        assert!(said(|told| drop(told.remove(2))).starts_with("an error notice is lost: 0 of 1 came"));
        assert!(said(Vec::clear).contains("an exit notice is lost"));
    }

    #[test]
    fn a_notice_that_comes_twice_is_found() {
        let twice = said(|told| told.push(told[3].clone()));
        assert_eq!(twice, "an exit notice too many: 2 came, 1 due; the exit notice `gone` came after the end");
        let twice = said(|told| told.insert(2, told[2].clone()));
        assert!(twice.starts_with("an error notice too many: 2 came, 1 due"), "{twice}");
    }

    #[test]
    fn an_order_that_is_swapped_is_found() {
        let swapped = said(|told| told.swap(2, 3));
        assert_eq!(swapped, "the exit notice `gone` came where an error notice with `divide` belongs");
        assert_eq!(said(|told| told.swap(0, 1)), "data `two` came where data `one` belongs");
        let late = said(|told| told.swap(1, 3));
        assert_eq!(late, "the exit notice `gone` came where data `two` belongs");
    }

    #[test]
    fn data_that_is_lost_or_comes_twice_is_found() {
        assert!(said(|told| drop(told.remove(1))).starts_with("data `two` is lost"));
        assert!(said(|told| told.insert(1, told[0].clone())).starts_with("data `one` came 2 times"));
    }

    #[test]
    fn an_error_of_another_text_and_an_answer_that_nobody_asked_for_are_found() {
        assert!(said(|told| told[2] = Entry::Error("unreachable".to_owned())).contains("`unreachable` came where"));
        assert!(said(|told| told.push(Entry::Ping("pong".to_owned()))).contains("an answer too many"));
    }

    #[test]
    fn what_may_be_cut_short_is_a_prefix() {
        let due = [Told::DataIfSent("one"), Told::DataIfSent("two"), Told::Exit("gone")];
        let (data, exit) = (|text: &str| Entry::Data(text.to_owned()), Entry::Exit("gone".to_owned()));
        assert_eq!(judge(&due, &[data("one"), data("two"), exit.clone()]), Ok(()));
        assert_eq!(judge(&due, &[data("one"), exit.clone()]), Ok(()));
        assert_eq!(judge(&due, std::slice::from_ref(&exit)), Ok(()));
        assert!(judge(&due, &[data("two"), exit]).is_err());
    }

    #[test]
    fn a_number_that_is_used_again_is_found() {
        use Number::{Freed, Given};
        assert_eq!(judge_numbers(&[Given(1), Given(2), Freed(1), Given(3), Freed(3), Freed(2)]), Ok(()));
        let again = judge_numbers(&[Given(1), Freed(1), Given(1)]);
        assert_eq!(again, Err("handle 1 was given again after it was freed".to_owned()));
        let alive = judge_numbers(&[Given(1), Given(1)]);
        assert_eq!(alive, Err("handle 1 was given while it was alive".to_owned()));
        assert!(judge_numbers(&[Freed(4)]).is_err() && judge_numbers(&[Given(0)]).is_err());
    }
}
