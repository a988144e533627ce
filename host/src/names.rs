//! The name server: where isolates of one namespace find each other (semantics 6.5).
//!
//! A name means a port, and belongs to who registered it: an isolate, with which it goes, or the embedder. It counts as a
//! holder of the port.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use insula_wire::Status;

use crate::exit::IsolateId;
use crate::port::SendRight;
use crate::sync::Mutex;

/// Bytes of a name, and of a namespace.
pub(crate) const NAME_BYTES_MAX: usize = 1_024;

/// Names that one isolate may have registered.
pub(crate) const NAMES_MAX: usize = 1_000;

/// Who registered a name; the embedder is nobody.
pub(crate) type Owner = Option<IsolateId>;

/// All names of a host.
#[derive(Default)]
pub(crate) struct NameServer {
    names: Mutex<Names>,
}

#[derive(Default)]
struct Names {
    spaces: HashMap<String, HashMap<String, Registered>>,
    /// What is to go when an isolate ends.
    owned: HashMap<IsolateId, Vec<(String, String)>>,
}

struct Registered {
    right: SendRight,
    owner: Owner,
}

impl NameServer {
    /// Makes a port known by a name.
    ///
    /// # Errors
    /// `Taken`, with the right back, where the name is in use; `Limit` where its owner has as many names as it may.
    pub(crate) fn register(
        &self,
        space: &str,
        name: &str,
        right: SendRight,
        owner: Owner,
    ) -> Result<(), (Status, SendRight)> {
        let mut names = self.names.lock();
        let Names { spaces, owned } = &mut *names;
        let own = owner.and_then(|owner| owned.get(&owner)).map_or(0, Vec::len);
        if owner.is_some() && own >= NAMES_MAX {
            return Err((Status::Limit, right));
        }
        match spaces.entry(space.to_owned()).or_default().entry(name.to_owned()) {
            Entry::Occupied(_) => return Err((Status::Taken, right)),
            Entry::Vacant(vacant) => vacant.insert(Registered { right, owner }),
        };
        if let Some(owner) = owner {
            owned.entry(owner).or_default().push((space.to_owned(), name.to_owned()));
        }
        Ok(())
    }

    /// A right to the port that is known by a name.
    pub(crate) fn lookup(&self, space: &str, name: &str) -> Option<SendRight> {
        let names = self.names.lock();
        names.spaces.get(space)?.get(name).map(|registered| registered.right.clone())
    }

    /// Takes a name away. The embedder may take any.
    ///
    /// # Errors
    /// `NotFound`; `Denied` where it is somebody else's.
    pub(crate) fn remove(&self, space: &str, name: &str, who: Owner) -> Result<(), Status> {
        let mut names = self.names.lock();
        let Names { spaces, owned } = &mut *names;
        let known = spaces.get(space).and_then(|space| space.get(name)).ok_or(Status::NotFound)?;
        if who.is_some() && known.owner != who {
            return Err(Status::Denied);
        }
        let removed = take(spaces, space, name);
        if let Some(list) = removed.as_ref().and_then(|removed| removed.owner).and_then(|owner| owned.get_mut(&owner)) {
            list.retain(|(in_space, known)| (in_space.as_str(), known.as_str()) != (space, name));
        }
        drop(names);
        drop(removed);
        Ok(())
    }

    /// All that are known: namespace, name and owner, in the order of their names.
    #[cfg(feature = "testing")]
    pub(crate) fn all(&self) -> Vec<(String, String, Owner)> {
        let names = self.names.lock();
        let of = |(space, known): (&String, &HashMap<String, Registered>)| {
            let known = known.iter().map(|(name, registered)| (space.clone(), name.clone(), registered.owner));
            known.collect::<Vec<_>>()
        };
        let mut all: Vec<_> = names.spaces.iter().flat_map(of).collect();
        all.sort();
        all
    }

    /// Takes away all names of an isolate that ends.
    pub(crate) fn forget(&self, owner: IsolateId) {
        let mut names = self.names.lock();
        let Names { spaces, owned } = &mut *names;
        let list = owned.remove(&owner).unwrap_or_default();
        let removed: Vec<_> = list.iter().filter_map(|(space, name)| take(spaces, space, name)).collect();
        drop(names);
        // A right is released where no lock is held: its port's owner may be woken.
        drop(removed);
    }
}

fn take(spaces: &mut HashMap<String, HashMap<String, Registered>>, space: &str, name: &str) -> Option<Registered> {
    let names = spaces.get_mut(space)?;
    let removed = names.remove(name);
    if names.is_empty() {
        spaces.remove(space);
    }
    removed
}

#[cfg(test)]
mod tests {
    use insula_wire::MailboxPolicy;

    use super::*;
    use crate::port::{Mailbox, Port, Room};
    use crate::sync::Arc;

    const ONE: Owner = Some(IsolateId(1));
    const OTHER: Owner = Some(IsolateId(2));

    fn port() -> Arc<Port> {
        let room = Room { messages_max: 9, bytes_max: 999, message_bytes_max: 9, ports_max: 9 };
        Mailbox::new(room).open(1, 0, MailboxPolicy::Error).unwrap()
    }

    fn register(names: &NameServer, space: &str, name: &str, port: &Arc<Port>, owner: Owner) -> Result<(), Status> {
        names.register(space, name, SendRight::new(port), owner).map_err(|(status, _)| status)
    }

    #[test]
    fn s6_5_a_name_is_taken_once_in_its_namespace() {
        let (names, port) = (NameServer::default(), port());
        assert_eq!(register(&names, "a", "log", &port, ONE), Ok(()));
        assert_eq!(register(&names, "a", "log", &port, OTHER), Err(Status::Taken));
        assert_eq!(register(&names, "b", "log", &port, OTHER), Ok(()));
        assert_eq!(names.lookup("a", "log").map(|right| right.port().id()), Some(1));
        assert!(names.lookup("a", "lag").is_none() && names.lookup("c", "log").is_none());
    }

    #[test]
    fn s6_5_an_entry_belongs_to_who_made_it_and_goes_with_it() {
        let (names, port) = (NameServer::default(), port());
        for name in ["x", "y"] {
            assert_eq!(register(&names, "a", name, &port, ONE), Ok(()));
        }
        assert_eq!(names.remove("a", "x", OTHER), Err(Status::Denied));
        assert_eq!(names.remove("a", "x", ONE), Ok(()));
        assert_eq!(names.remove("a", "x", ONE), Err(Status::NotFound));
        assert_eq!(register(&names, "a", "x", &port, OTHER), Ok(()));
        names.forget(IsolateId(1));
        assert!(names.lookup("a", "x").is_some() && names.lookup("a", "y").is_none());
        assert_eq!(names.remove("a", "x", None), Ok(()), "the embedder may take any");
        names.forget(IsolateId(2));
        assert!(port.mailbox().load() == (0, 0));
    }

    #[test]
    fn an_isolate_has_so_many_names() {
        let (names, port) = (NameServer::default(), port());
        for n in 0..NAMES_MAX {
            assert_eq!(register(&names, "a", &n.to_string(), &port, ONE), Ok(()));
        }
        assert_eq!(register(&names, "a", "one more", &port, ONE), Err(Status::Limit));
        names.forget(IsolateId(1));
        assert_eq!(register(&names, "a", "one more", &port, ONE), Ok(()));
    }
}
