//! What a test has of the births and deaths of a host on a stage.

use super::super::Inner;
use crate::abi::check_faults;
use crate::control::Control;
use crate::error::SpawnError;
use crate::spawn::Spawn;
use crate::sync::Arc;
use crate::world::World;

impl Inner {
    /// The seed of an isolate whose faults can happen: on a stage it has one.
    pub(super) fn staged_seed(&self, spawn: &Spawn) -> Result<Option<u64>, SpawnError> {
        spawn.faults.as_ref().map_or(Ok(()), check_faults).map_err(SpawnError::Invalid)?;
        Ok(spawn.seed.or_else(|| self.world.stage().map(|stage| stage.seed())))
    }
}

/// Notes a birth.
pub(super) fn born(world: &World, control: &Control, parent: Option<&Arc<Control>>) {
    world.note(|| match parent {
        Some(parent) => format!("{} born of {}", control.label(), parent.id),
        None => format!("{} born", control.label()),
    });
}
