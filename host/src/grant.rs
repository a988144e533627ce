//! Authority that is given at spawn. A guest has nothing by default; a child gets at most what its parent has.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// One piece of authority.
///
/// ```
/// use insula::Grant;
/// let grants = [Grant::read_only("./models", "/models"), Grant::environment("MODE", "fast")];
/// assert_ne!(grants[0], grants[1]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Grant(pub(crate) Authority);

/// What a grant gives.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Authority {
    Folder { host: PathBuf, guest: String, writes: bool },
    Environment { name: String, value: String },
    FineClock,
    Names { namespace: String },
    Module { name: Option<String> },
}

impl Grant {
    /// Files below `host` can be read, as `guest`.
    #[must_use]
    pub fn read_only(host: impl Into<PathBuf>, guest: impl Into<String>) -> Grant {
        Grant(Authority::Folder { host: host.into(), guest: guest.into(), writes: false })
    }

    /// Files below `host` can be read, written, made and removed, as `guest`.
    #[must_use]
    pub fn read_write(host: impl Into<PathBuf>, guest: impl Into<String>) -> Grant {
        Grant(Authority::Folder { host: host.into(), guest: guest.into(), writes: true })
    }

    /// An environment variable of the guest.
    #[must_use]
    pub fn environment(name: impl Into<String>, value: impl Into<String>) -> Grant {
        Grant(Authority::Environment { name: name.into(), value: value.into() })
    }

    /// Clocks in steps of nanoseconds instead of milliseconds.
    #[must_use]
    pub fn fine_clock() -> Grant {
        Grant(Authority::FineClock)
    }

    /// A namespace of the name server, where its holders find each other's ports.
    #[must_use]
    pub fn names(namespace: impl Into<String>) -> Grant {
        Grant(Authority::Names { namespace: namespace.into() })
    }

    /// A module that the host offers under this name can be spawned.
    #[must_use]
    pub fn module(name: impl Into<String>) -> Grant {
        Grant(Authority::Module { name: Some(name.into()) })
    }

    /// Every module that the host offers can be spawned.
    #[must_use]
    pub fn modules() -> Grant {
        Grant(Authority::Module { name: None })
    }

    /// Whether whoever holds `held` may hand this on.
    pub(crate) fn is_within(&self, held: &[Grant]) -> bool {
        held.iter().any(|grant| match (&grant.0, &self.0) {
            (Authority::Folder { host: held, writes: held_writes, .. }, Authority::Folder { host, writes, .. }) => {
                held == host && (*held_writes || !*writes)
            }
            (Authority::Environment { .. }, Authority::Environment { .. }) => grant == self,
            (Authority::Names { .. }, Authority::Names { .. }) => grant == self,
            (Authority::Module { name: held }, Authority::Module { name }) => held.is_none() || held == name,
            (Authority::FineClock, Authority::FineClock) => true,
            (
                Authority::Folder { .. }
                | Authority::Environment { .. }
                | Authority::FineClock
                | Authority::Names { .. }
                | Authority::Module { .. },
                _,
            ) => false,
        })
    }
}

impl std::fmt::Display for Grant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Authority::Folder { host, guest, writes } => {
                let kind = if *writes { "read-write folder" } else { "read-only folder" };
                write!(f, "{kind} {}::{guest}", host.display())
            }
            Authority::Environment { name, .. } => write!(f, "environment variable {name}"),
            Authority::FineClock => f.write_str("fine clock"),
            Authority::Names { namespace } => write!(f, "namespace {namespace}"),
            Authority::Module { name: Some(name) } => write!(f, "module {name}"),
            Authority::Module { name: None } => f.write_str("all modules"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_only_shrink() {
        let reads = [Grant::read_only("/a", "/x")];
        let writes = [Grant::read_write("/a", "/x")];
        assert!(Grant::read_only("/a", "/y").is_within(&writes));
        assert!(!Grant::read_write("/a", "/x").is_within(&reads));
        assert!(!Grant::read_only("/b", "/x").is_within(&reads));
        assert!(!Grant::fine_clock().is_within(&reads));
        assert!(
            Grant::module("a").is_within(&[Grant::modules()]) && !Grant::modules().is_within(&[Grant::module("a")])
        );
        assert!(!Grant::module("a").is_within(&[Grant::module("b")]));
        assert!(!Grant::names("a").is_within(&[Grant::names("b")]));
        assert!(!Grant::environment("A", "2").is_within(&[Grant::environment("A", "1")]));
    }
}
