//! What a test has of the births and deaths of a host on a stage.

use insula_wire::RemoteError;

use super::super::Inner;
use super::super::quarters::Quarters;
use crate::abi::{State, check_faults};
use crate::control::Control;
use crate::error::SpawnError;
use crate::isolate::Module;
use crate::printable::printable_line;
use crate::spawn::Spawn;
use crate::sync::Arc;
use crate::world::World;

impl Inner {
    /// What is asked for, with faults that can happen, and on a stage with a seed.
    pub(super) fn staged(&self, mut spawn: Spawn) -> Result<Spawn, SpawnError> {
        spawn.faults.as_ref().map_or(Ok(()), check_faults).map_err(SpawnError::Invalid)?;
        spawn.seed = spawn.seed.or_else(|| self.world.stage().map(|stage| stage.seed()));
        Ok(spawn)
    }
}

/// The module that an isolate is an instance of.
pub(super) fn module(quarters: &Quarters, module: &Module, state: &State) -> Module {
    if state.script.is_some() { quarters.gated(module) } else { module.clone() }
}

/// Notes a birth.
pub(super) fn born(world: &World, control: &Control, parent: Option<&Arc<Control>>) {
    world.note(|| match parent {
        Some(parent) => format!("{} born of {}", control.label(), parent.id),
        None => format!("{} born", control.label()),
    });
}

/// Notes an error that nobody listened for.
pub(super) fn uncaught(world: &World, control: &Control, error: &RemoteError) {
    let first = error.message.lines().next().unwrap_or_default();
    world.note(|| format!("{} uncaught: {}", control.label(), printable_line(first)));
}
