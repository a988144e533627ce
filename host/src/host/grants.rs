//! What an isolate is given, looked at before it is born.

use std::collections::BTreeSet;
use std::path::Path;

use crate::error::SpawnError;
use crate::grant::{Authority, Grant};
use crate::outfit::check_part;
use crate::spawn::HostFunction;

/// The grants of an embedder's spawn: folders that are there, and one namespace.
pub(super) fn check(grants: &[Grant]) -> Result<(), SpawnError> {
    for grant in grants {
        if let Authority::Folder { host, .. } = &grant.0
            && !host.is_dir()
        {
            return Err(SpawnError::InvalidGrant { grant: grant.clone(), reason: "no such folder".to_owned() });
        }
    }
    check_namespaces(grants)
}

/// An isolate finds a function by its name: a second one would never be seen.
pub(super) fn check_functions(functions: &[HostFunction], host: u64) -> Result<(), SpawnError> {
    let mut names = BTreeSet::new();
    for HostFunction { name, host: of, .. } in functions {
        if *of != host {
            return Err(SpawnError::Invalid(format!("the function `{name}` is one of another host")));
        }
        if !names.insert(name) {
            return Err(SpawnError::Invalid(format!("an isolate has one function `{name}`, and was given two")));
        }
    }
    Ok(())
}

/// The grants that somebody who holds `held` hands on.
pub(super) fn hand_on(grants: &[Grant], held: &[Grant]) -> Result<Vec<Grant>, SpawnError> {
    let mut handed_on = Vec::new();
    for grant in grants {
        let given = grant.within(held).ok_or_else(|| SpawnError::MissingGrant { grant: grant.clone() })?;
        if let Authority::Folder { host, below, .. } = &given.0
            && below.as_path() != Path::new("")
        {
            let invalid =
                |error: std::io::Error| SpawnError::InvalidGrant { grant: grant.clone(), reason: error.to_string() };
            check_part(host, below).map_err(invalid)?;
        }
        handed_on.push(given);
    }
    Ok(handed_on)
}

/// An isolate looks names up in one namespace: a second one would never be seen.
fn check_namespaces(grants: &[Grant]) -> Result<(), SpawnError> {
    let mut namespaces = grants.iter().filter(|grant| matches!(grant.0, Authority::Names { .. }));
    let Some(one) = namespaces.next() else { return Ok(()) };
    match namespaces.find(|other| *other != one) {
        Some(other) => Err(SpawnError::Invalid(format!("an isolate has one namespace: not {one} and {other}"))),
        None => Ok(()),
    }
}
