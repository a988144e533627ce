//! What the program and its rules say to each other. All three include this file: what it says is the contract between
//! them, and a guest that was built with another one gets an error that names the position.

use serde::{Deserialize, Serialize};

/// What is to be decided about.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    /// Counted from 1.
    pub(crate) number: u64,
    /// What it is worth, in cents.
    pub(crate) cents: u64,
    /// How many orders of this customer went well.
    pub(crate) earlier: u32,
    /// Where it is to be sent.
    pub(crate) country: String,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Decision {
    /// The version of the rules that decided.
    pub(crate) rules: u32,
    /// What they say.
    pub(crate) verdict: Verdict,
}

/// What becomes of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Verdict {
    /// It is sent.
    Accept,
    /// Somebody looks at it, for this reason.
    Review(String),
    /// It is not sent, for this reason.
    Refuse(String),
}
