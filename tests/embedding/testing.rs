//! The test kit: faults of guests where they were scripted, a clock that goes by steps, and a record that is the same for
//! the same seed.

mod clock;
mod faults;
mod record;

use std::time::Duration;

use insula::testing::{Faults, Kit};
use insula::{Host, Limits, Service, Spawn};

use super::questions::Question;
use crate::harness;

type Plugin = Service<Question, Vec<u64>>;

const SECOND: Duration = Duration::from_secs(1);

fn kit() -> Kit {
    seeded(1)
}

fn seeded(seed: u64) -> Kit {
    Kit::of(Host::builder().isolates(16).seed(seed).cache_folder(harness::cache()))
}

/// A guest of ours that answers calls, and meets these faults.
fn plugin(kit: &Kit, faults: Faults) -> Plugin {
    opened(kit, Spawn::entry("run").faults(faults))
}

fn opened(kit: &Kit, spawn: Spawn) -> Plugin {
    let module = kit.host().load_file(harness::guest("serves_calls")).expect("the guest is a module");
    kit.host().open(&module, spawn).expect("it has an entry")
}

fn limits() -> Limits {
    Limits::default()
}
