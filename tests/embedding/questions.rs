//! What the guest that serves calls can be asked.

use serde::{Deserialize, Serialize};

/// As the guest `serves_calls` has it.
#[derive(Clone, Serialize, Deserialize)]
pub(super) enum Question {
    Count(u64),
    Fail(String),
    Panic(String),
    Drop,
    Keep,
    Loop,
    AnswerAndLoop,
    Return,
    Large(usize),
    Many(u64, bool),
    ManyAndPanic(u64),
    Endless,
    PassOn,
}
