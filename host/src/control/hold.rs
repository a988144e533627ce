//! What an embedder holds of a host: by it, an isolate could be woken from outside.

use super::{Census, Registry};
use crate::sync::Arc;
use crate::world::World;

/// What belongs to one host and is shared by all that refers to it.
pub(crate) struct Links {
    /// What tells this host from others of the process.
    pub(crate) number: u64,
    pub(crate) census: Arc<Census>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) world: Arc<World>,
}

/// One thing of the embedder's that may wake an isolate; counted for "all asleep".
pub(crate) struct Hold(Arc<Links>);

impl Hold {
    /// One more.
    pub(crate) fn new(links: &Arc<Links>) -> Hold {
        links.census.hold();
        Hold(Arc::clone(links))
    }

    /// The host's.
    pub(crate) fn links(&self) -> &Arc<Links> {
        &self.0
    }
}

impl Clone for Hold {
    fn clone(&self) -> Hold {
        Hold::new(&self.0)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.census.let_go();
    }
}
