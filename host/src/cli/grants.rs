//! `--dir`, `--env` and `--module`: authority that the command line hands to the program, spelled as wasmtime spells it.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use insula::Grant;

use super::report;

/// `--dir HOST[::GUEST]`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Folder {
    host: PathBuf,
    guest: String,
}

/// `--env NAME[=VALUE]`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Variable {
    name: String,
    value: Option<String>,
}

/// `--module NAME=TARGET`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Offer {
    pub(super) name: String,
    pub(super) target: PathBuf,
}

impl FromStr for Offer {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Offer, &'static str> {
        match text.split_once('=') {
            Some((name, target)) if !name.is_empty() && !target.is_empty() => {
                Ok(Offer { name: name.to_owned(), target: target.into() })
            }
            _ => Err("a module is given as NAME=TARGET"),
        }
    }
}

impl FromStr for Folder {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Folder, &'static str> {
        let (host, guest) = text.split_once("::").unwrap_or((text, text));
        if host.is_empty() || guest.is_empty() {
            return Err("both sides of `::` name a folder");
        }
        Ok(Folder { host: host.into(), guest: guest.to_owned() })
    }
}

impl FromStr for Variable {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Variable, &'static str> {
        let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
        if name.is_empty() {
            return Err("a variable has a name");
        }
        Ok(Variable { name: name.to_owned(), value: value.map(str::to_owned) })
    }
}

impl Folder {
    pub(super) fn grant(&self) -> Result<Grant> {
        let named = || format!("--dir {}", report::path(&self.host));
        let metadata = std::fs::metadata(&self.host).with_context(named)?;
        if !metadata.is_dir() {
            bail!("{}: not a folder", named());
        }
        Ok(Grant::read_write(&self.host, &self.guest))
    }
}

impl Variable {
    pub(super) fn grant(&self) -> Result<Grant> {
        let value = match &self.value {
            Some(value) => value.clone(),
            None => std::env::var(&self.name)
                .with_context(|| format!("--env {}: give a value, as --env {}=VALUE", self.name, self.name))?,
        };
        Ok(Grant::environment(&self.name, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_seen_under_its_own_name_unless_another_is_given() {
        let folder = |host: &str, guest: &str| Folder { host: host.into(), guest: guest.to_owned() };
        assert_eq!("data".parse(), Ok(folder("data", "data")));
        assert_eq!("a/b::/c".parse(), Ok(folder("a/b", "/c")));
        assert_eq!("a::b::c".parse(), Ok(folder("a", "b::c")));
        assert!("::/x".parse::<Folder>().is_err() && "x::".parse::<Folder>().is_err());
    }

    #[test]
    fn a_variable_without_a_value_is_inherited() {
        let variable = |name: &str, value: Option<&str>| Variable { name: name.into(), value: value.map(Into::into) };
        assert_eq!("A=b=c".parse(), Ok(variable("A", Some("b=c"))));
        assert_eq!("A=".parse(), Ok(variable("A", Some(""))));
        assert_eq!("PATH".parse(), Ok(variable("PATH", None)));
        assert!("=b".parse::<Variable>().is_err() && "".parse::<Variable>().is_err());
        let path = std::env::var("PATH").unwrap();
        assert_eq!(variable("PATH", None).grant().unwrap(), Grant::environment("PATH", path));
        assert!(variable("INSULA_HAS_NO_SUCH_VARIABLE", None).grant().is_err());
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = "no/such::x".parse::<Folder>().unwrap().grant().unwrap_err();
        assert!(format!("{error:#}").starts_with("--dir `no/such`: "));
    }
}
