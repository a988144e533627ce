//! In which form the command speaks: by itself, beside logs, or as a part of them.

use std::io::Write;
use std::sync::OnceLock;

use insula::StderrLines;

/// What the command says in a log has this as its target.
pub(crate) const OWN: &str = "insula::cli";

/// How the command speaks where there are logs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Voice {
    /// As it does without, line by line beside them.
    Text { colours: bool },
    /// Each thing that it says is an event of the log.
    Json,
}

static VOICE: OnceLock<Voice> = OnceLock::new();

/// From here on it speaks so.
pub(crate) fn speak(voice: Voice) {
    // Logs begin once in a process.
    let _ = VOICE.set(voice);
}

/// Whether what is said is to be an event.
pub(crate) fn is_json() -> bool {
    matches!(VOICE.get(), Some(Voice::Json))
}

/// Says it beside the logs, in its turn. False: there are none.
pub(super) fn say(text: &str) -> bool {
    let Some(voice) = VOICE.get() else { return false };
    let text = match voice {
        Voice::Text { colours: true } => text.to_owned(),
        Voice::Text { colours: false } | Voice::Json => anstream::adapter::strip_str(text).to_string(),
    };
    // Whoever closed our standard error does not want to know.
    let _ = StderrLines::new().write_waiting(text.as_bytes());
    true
}

/// All that was said beside logs is out when this returns, or nobody reads it.
pub(super) fn flush() {
    if VOICE.get().is_some() {
        let _ = StderrLines::new().flush();
    }
}
