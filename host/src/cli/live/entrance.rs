//! Where a run is looked into, and from when.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use insula::Host;

use super::{Answering, Door};

/// Where a run is looked into. Closed when this goes, whoever still knows the way.
pub(in crate::cli) struct Entrance(Way);

/// The way to it, for who waits there.
#[derive(Clone)]
pub(in crate::cli) struct Way(Arc<Mutex<Stage>>);

enum Stage {
    /// There is nothing yet where somebody could knock: a socket in a folder costs a run of milliseconds 4 % of its time.
    Young {
        host: Host,
        program: String,
    },
    Here(Answering),
    /// Nobody looks into it any more, or there is no place for a socket.
    Closed,
}

impl Entrance {
    /// One where `insula ps` looks for it, from when somebody first asks for the [door](Way::door).
    pub(in crate::cli) fn later(host: &Host, program: &str) -> Entrance {
        Entrance::at(Stage::Young { host: host.clone(), program: program.to_owned() })
    }

    /// The one that is here already.
    pub(in crate::cli) fn of(answering: Answering) -> Entrance {
        Entrance::at(Stage::Here(answering))
    }

    fn at(stage: Stage) -> Entrance {
        Entrance(Way(Arc::new(Mutex::new(stage))))
    }

    /// For who waits for those who come.
    pub(in crate::cli) fn way(&self) -> &Way {
        &self.0
    }
}

impl Drop for Entrance {
    fn drop(&mut self) {
        let stage = std::mem::replace(&mut *self.0.lock(), Stage::Closed);
        // Whoever is answered now may want the way.
        drop(stage);
    }
}

impl Way {
    /// The door, which is there from now on. None of a run that is over, and where none can be had: a run goes on without.
    pub(in crate::cli) fn door(&self) -> Option<Arc<Door>> {
        let mut stage = self.lock();
        if let Stage::Young { host, program } = &*stage {
            *stage = Answering::listen(host, program, None).map_or(Stage::Closed, Stage::Here);
        }
        match &*stage {
            Stage::Here(answering) => Some(Arc::clone(answering.door())),
            Stage::Young { .. } | Stage::Closed => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Stage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
