//! What goes over the socket: a line of JSON for what is asked, and one for what is answered.

use serde::{Deserialize, Serialize};

use super::super::report::Stack;

/// What can be asked of a run. Those without fields are written as records, so that what they do not know is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "ask", deny_unknown_fields)]
pub(super) enum Ask {
    /// Which run it is.
    Run {},
    /// Its isolates.
    List {},
    /// To end one at once.
    Kill { isolate: u64 },
    /// To hold one back.
    Pause { isolate: u64 },
    /// To let one go on that was held back here.
    Resume { isolate: u64 },
    /// How long one takes to the end of its turn.
    Ping { isolate: u64 },
    /// Where in its code one is.
    Stack { isolate: u64 },
    /// What is new of the standard error of all isolates, or of one, since this was asked here last. With `wait` the answer
    /// waits for news, for a moment.
    Logs { isolate: Option<u64>, wait: bool },
}

/// What a run answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "answer")]
pub(super) enum Answer {
    Run(Run),
    List {
        isolates: Vec<Row>,
    },
    Done,
    Pong {
        micros: f64,
    },
    Stack(Box<Stack>),
    /// News; whether there is more now, and whether nothing more will come.
    Logs {
        texts: Vec<Text>,
        more: bool,
        over: bool,
    },
    Refused {
        why: String,
    },
}

/// What an isolate wrote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Text {
    pub(super) isolate: u64,
    pub(super) name: String,
    /// Bytes before this that are not kept, and were not told.
    pub(super) missed: u64,
    pub(super) text: String,
}

/// A run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Run {
    pub(super) pid: u32,
    pub(super) program: String,
    pub(super) isolates: u64,
    /// Seconds since it began.
    pub(super) seconds: f64,
}

/// An isolate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) isolate: u64,
    pub(super) name: String,
    /// 0 is the command line.
    pub(super) parent: u64,
    pub(super) state: String,
    pub(super) cpu_seconds: f64,
    pub(super) memory_bytes: u64,
    pub(super) queued_messages: u64,
    pub(super) queued_bytes: u64,
    pub(super) received_messages: u64,
    pub(super) sent_messages: u64,
    pub(super) children: u64,
    /// How many failed in its place before it.
    #[serde(default)]
    pub(super) restarts: u64,
}

/// Bytes of a line that is asked, at most.
pub(super) const ASK_BYTES_MAX: u64 = 4 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_is_a_line() {
        let line = serde_json::to_string(&Ask::Kill { isolate: 3 }).expect("plain data");
        assert_eq!(line, r#"{"ask":"kill","isolate":3}"#);
        assert_eq!(serde_json::from_str::<Ask>(&line).expect("what was written"), Ask::Kill { isolate: 3 });
        for bad in ["", "{}", r#"{"ask":"dance"}"#, r#"{"ask":"kill","isolate":-1}"#, r#"{"ask":"list","more":1}"#] {
            assert!(serde_json::from_str::<Ask>(bad).is_err(), "{bad}");
        }
    }
}
