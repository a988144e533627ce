//! Authority that is given at spawn. A guest has nothing by default; a child gets at most what its parent has.

use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

/// One piece of authority. What is not granted is refused, and a child gets at most what its parent has.
///
/// There is none for a network: WASI preview 1 opens no connection, and a guest here has no socket. One that needs the
/// network asks its embedder, over a port.
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
    /// `below` leads on from `host`, where a guest handed a part of its folder on. No link on that way is followed.
    Folder {
        host: PathBuf,
        below: PathBuf,
        guest: String,
        writes: bool,
    },
    Environment {
        name: String,
        value: String,
    },
    Config {
        name: String,
        value: String,
    },
    FineClock,
    Names {
        namespace: String,
    },
    Module {
        name: Option<String>,
    },
}

impl Grant {
    /// Whether it is one of files.
    pub(crate) fn is_folder(&self) -> bool {
        matches!(self.0, Authority::Folder { .. })
    }

    /// Files below `host` can be read, as `guest`.
    #[must_use]
    pub fn read_only(host: impl Into<PathBuf>, guest: impl Into<String>) -> Grant {
        Grant::folder(host.into(), guest.into(), false)
    }

    /// Files below `host` can be read, written, made and removed, as `guest`.
    #[must_use]
    pub fn read_write(host: impl Into<PathBuf>, guest: impl Into<String>) -> Grant {
        Grant::folder(host.into(), guest.into(), true)
    }

    /// An environment variable of the guest.
    #[must_use]
    pub fn environment(name: impl Into<String>, value: impl Into<String>) -> Grant {
        Grant(Authority::Environment { name: name.into(), value: value.into() })
    }

    /// A value of the embedder's that the guest's code asks for by this name: `insula_guest::config`. Unlike a variable of
    /// the environment it is in nobody's list of all there is.
    #[must_use]
    pub fn config(name: impl Into<String>, value: impl Into<String>) -> Grant {
        Grant(Authority::Config { name: name.into(), value: value.into() })
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

    fn folder(host: PathBuf, guest: String, writes: bool) -> Grant {
        Grant(Authority::Folder { host, below: PathBuf::new(), guest, writes })
    }

    /// This grant as whoever holds `held` may hand it on; None if it may not. A folder is asked for by the path under
    /// which its holder sees it, and may be a part of what the holder has.
    pub(crate) fn within(&self, held: &[Grant]) -> Option<Grant> {
        match &self.0 {
            Authority::Folder { host: seen, guest, writes, .. } => part(seen, guest, *writes, held),
            Authority::Module { name } => {
                let covers = |grant: &Grant| match &grant.0 {
                    Authority::Module { name: held } => held.is_none() || held == name,
                    _ => false,
                };
                held.iter().any(covers).then(|| self.clone())
            }
            Authority::Environment { .. }
            | Authority::Config { .. }
            | Authority::FineClock
            | Authority::Names { .. } => held.contains(self).then(|| self.clone()),
        }
    }
}

/// What the holder sees at this path, as another's folder. It is the folder that the path is in, by its longest name, and
/// of several of one name the last, as the holder itself would come to it: wasi-libc looks them up so.
fn part(seen: &Path, guest: &str, writes: bool, held: &[Grant]) -> Option<Grant> {
    let seen = plain(seen)?;
    let reaches = held.iter().rev().filter_map(|grant| match &grant.0 {
        Authority::Folder { host, below, guest, writes } => {
            let rest = seen.strip_prefix(plain(Path::new(guest))?).ok()?.to_path_buf();
            // Of a folder that is seen as `.` an absolute path is no part.
            rest.is_relative().then_some((rest, host, below, *writes))
        }
        _ => None,
    });
    let (rest, host, below, held_writes) = reaches.min_by_key(|(rest, ..)| rest.components().count())?;
    let folder = Authority::Folder { host: host.clone(), below: below.join(rest), guest: guest.to_owned(), writes };
    (held_writes || !writes).then_some(Grant(folder))
}

/// A path without what leads nowhere. None for one that leads back up.
fn plain(path: &Path) -> Option<PathBuf> {
    let steps = path.components().filter(|step| !matches!(step, Component::CurDir));
    steps.map(|step| (step != Component::ParentDir).then_some(step)).collect()
}

impl std::fmt::Display for Grant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Authority::Folder { host, below, guest, writes } => {
                let kind = if *writes { "read-write folder" } else { "read-only folder" };
                let whole: PathBuf = host.components().chain(below.components()).collect();
                write!(f, "{kind} {}::{guest}", whole.display())
            }
            Authority::Environment { name, .. } => write!(f, "environment variable {name}"),
            Authority::Config { name, .. } => write!(f, "config value {name}"),
            Authority::FineClock => f.write_str("fine clock"),
            Authority::Names { namespace } => write!(f, "namespace {namespace}"),
            Authority::Module { name: Some(name) } => write!(f, "module {name}"),
            Authority::Module { name: None } => f.write_str("all modules"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::*;

    /// What `held` makes of a grant that is handed on, as text.
    fn handed_on(grant: &Grant, held: &[Grant]) -> Option<String> {
        grant.within(held).map(|grant| grant.to_string())
    }

    #[test]
    fn rights_only_shrink() {
        let [variable, value] = [Grant::environment("A", "1"), Grant::config("A", "1")];
        assert_eq!((variable.within(from_ref(&value)), value.within(from_ref(&variable))), (None, None));
        let all = [Grant::modules(), Grant::module("a"), Grant::names("a"), variable, value];
        for grant in &all {
            assert_eq!(grant.within(&all).as_ref(), Some(grant));
            assert_eq!(grant.within(&[]), None);
        }
        let (one, every) = (Grant::module("a"), Grant::modules());
        assert!(one.within(from_ref(&every)).is_some() && every.within(from_ref(&one)).is_none());
        assert_eq!(one.within(&[Grant::module("b")]), None);
        assert_eq!(Grant::names("a").within(&[Grant::names("b")]), None);
        assert_eq!(Grant::environment("A", "2").within(&[Grant::environment("A", "1")]), None);
        assert_eq!(Grant::config("A", "2").within(&[Grant::config("A", "1")]), None);
        assert_eq!(Grant::fine_clock().within(&all), None);
    }

    #[test]
    fn a_part_of_a_folder_is_within_it() {
        let reads = [Grant::read_only("/host/a", "/a")];
        let writes = [Grant::read_write("/host/a", "/a")];
        let on = |held: &[Grant], seen: &str| handed_on(&Grant::read_only(seen, "/x"), held);
        assert_eq!(on(&reads, "/a").as_deref(), Some("read-only folder /host/a::/x"));
        assert_eq!(on(&writes, "/a/b/./c/").as_deref(), Some("read-only folder /host/a/b/c::/x"));
        for elsewhere in ["/ab", "/", "a", "/host/a", "/a/../b", "/a/b/..", ""] {
            assert_eq!(on(&writes, elsewhere), None, "{elsewhere}");
        }
        assert_eq!(handed_on(&Grant::read_write("/a", "/x"), &reads), None);
        let part = Grant::read_only("/a/b", "/b").within(&writes).unwrap();
        assert_eq!(on(&[part], "/b/c").as_deref(), Some("read-only folder /host/a/b/c::/x"));
    }

    #[test]
    fn a_path_means_what_its_holder_sees_there() {
        let held = [Grant::read_write("/host/all", "/"), Grant::read_only("/host/some", "/some")];
        assert_eq!(handed_on(&Grant::read_write("/some/b", "/x"), &held), None);
        let on = handed_on(&Grant::read_only("/some/b", "/x"), &held);
        assert_eq!(on.as_deref(), Some("read-only folder /host/some/b::/x"));
        let here = [Grant::read_only("/host/a", ".")];
        assert_eq!(handed_on(&Grant::read_only("./b", "/x"), &here).as_deref(), Some("read-only folder /host/a/b::/x"));
        assert_eq!(handed_on(&Grant::read_only("/etc", "/x"), &here), None);
        let twice = [Grant::read_write("/host/one", "/some"), Grant::read_only("/host/two", "/some/")];
        assert_eq!(handed_on(&Grant::read_write("/some", "/x"), &twice), None);
        let on = handed_on(&Grant::read_only("/some/b", "/x"), &twice);
        assert_eq!(on.as_deref(), Some("read-only folder /host/two/b::/x"));
    }
}
