//! `insula.toml`: flags that a folder's runs have without being told.
//!
//! A section is named for its command and a key for its flag, so a file says what the command line says, is read by the
//! same code, and is held to the same rules: each setting becomes a flag before those of the command line, which win.
//! A table is several `KEY=VALUE`. Paths begin at the file's folder.
//!
//! A file that was merely found, because it lies above the working directory, may be a stranger's, of a folder that
//! somebody unpacked. What it gives a program is therefore within its own folder, and none of our environment.

use std::ffi::OsString;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use clap::{Arg, ArgAction, Command, ValueHint};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::nearest::did_you_mean;
use super::report;
use super::run::PROFILE_FILE;

/// The name of the file that is looked for.
const NAME: &str = "insula.toml";

/// The commands that have a section.
const SECTIONS: [&str; 1] = ["run"];

/// What only whoever types the command can say.
const NOT_IN_A_FILE: [&str; 6] = ["config", "debug", "no-config", "watch", "help", "version"];

/// A file of settings.
pub(super) struct File {
    path: PathBuf,
    /// Whether somebody named it, and so answers for what it says.
    is_named: bool,
}

/// A file with its text, being read.
struct Reader<'a> {
    file: &'a File,
    folder: &'a Path,
    text: &'a str,
    command: &'a Command,
}

impl File {
    /// The one that was asked for.
    pub(super) fn named(path: &Path) -> File {
        File { path: path.to_owned(), is_named: true }
    }

    /// The one in the working directory, or in the nearest folder above it that has one.
    pub(super) fn found() -> Option<File> {
        // Where somebody removed the working directory nothing is above it.
        let here = std::env::current_dir().ok()?;
        let mut paths = here.ancestors().map(|folder| folder.join(NAME));
        let path = paths.find(|path| path.is_file())?;
        if !is_ours(&path) {
            let named = report::path(&path);
            report::note(&format!(
                "{named} is left out, since it is not this user's alone: name it by --config if it is meant"
            ));
            return None;
        }
        Some(File { path, is_named: false })
    }

    /// What it says for `command`, as flags of the command line. All of the section is read, and each value tried.
    pub(super) fn flags(&self, section: &str, command: &Command) -> Result<Vec<OsString>> {
        let text = std::fs::read_to_string(&self.path).with_context(|| report::path(&self.path))?;
        let folder = self.path.parent().unwrap_or(Path::new(""));
        let reader = Reader { file: self, folder, text: &text, command };
        let document = DeTable::parse(&text).map_err(|error| {
            let message = error.message().replace('\n', " ");
            reader.wrong(&error.span().unwrap_or_default(), &message)
        })?;
        let mut flags = Vec::new();
        for (name, settings) in document.get_ref() {
            if !SECTIONS.contains(&name.get_ref().as_ref()) {
                let suggestion = did_you_mean(name.get_ref(), SECTIONS);
                let text = format!("there is no section `{}`{suggestion}", name.get_ref());
                return Err(reader.wrong(&name.span(), &text));
            }
            let table = settings.get_ref().as_table();
            let table =
                table.ok_or_else(|| reader.wrong(&settings.span(), &format!("[{}] is a section", name.get_ref())))?;
            if name.get_ref() == section {
                flags = reader.section(section, table)?;
            }
        }
        Ok(flags)
    }
}

impl Reader<'_> {
    /// The flags of a section, in the order of its lines.
    fn section(&self, section: &str, table: &DeTable<'_>) -> Result<Vec<OsString>> {
        let mut settings: Vec<_> = table.iter().collect();
        settings.sort_by_key(|(key, _)| key.span().start);
        let mut flags = Vec::new();
        for (key, value) in settings {
            flags.extend(self.setting(section, key.get_ref(), &key.span(), value)?);
        }
        Ok(flags)
    }

    /// One setting, tried.
    fn setting(
        &self,
        section: &str,
        key: &str,
        at: &Range<usize>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<Vec<OsString>> {
        let known = || self.command.get_arguments().filter_map(|flag| flag.get_long().map(|long| (long, flag)));
        let here = || known().filter(|(long, _)| !NOT_IN_A_FILE.contains(long));
        let Some((_, flag)) = here().find(|(long, _)| *long == key) else {
            if known().any(|(long, _)| long == key) {
                return Err(self.wrong(at, &format!("`{key}` is for the command line only")));
            }
            let suggestion = did_you_mean(key, here().map(|(long, _)| long));
            return Err(self.wrong(at, &format!("there is no `{key}` in [{section}]{suggestion}")));
        };
        let mut flags = Vec::new();
        for (at, value) in values(flag, key, value).map_err(|text| self.wrong(at, &text))? {
            let value = self.joined(flag, &value).map_err(|error| self.wrong(&at, &error.to_string()))?;
            let written = if takes_a_value(flag) {
                let mut written = OsString::from(format!("--{key}="));
                written.push(value);
                written
            } else if value == "false" {
                continue;
            } else {
                format!("--{key}").into()
            };
            let tried = self.command.clone().no_binary_name(true).try_get_matches_from([&written]);
            tried.map_err(|error| self.wrong(&at, &first_paragraph(&error)))?;
            flags.push(written);
        }
        Ok(flags)
    }

    /// A value whose path, if it is one, begins at the file's folder.
    fn joined(&self, flag: &Arg, value: &str) -> Result<OsString> {
        let found = !self.file.is_named;
        if found && flag.get_long() == Some("env") && !value.contains('=') {
            bail!("a variable of this process is passed on by the command line, or by a file that --config names");
        }
        if found && flag.get_long() == Some("allow-precompiled") {
            bail!("precompiled code runs unchecked: allow it on the command line, or in a file that --config names");
        }
        if found && flag.get_long() == Some("otlp") {
            bail!("where spans are sent is said on the command line, or in a file that --config names");
        }
        if found && self.folder.to_str().is_none_or(|folder| folder.contains("::")) {
            bail!("this folder's name has `::` in it: name the file by --config");
        }
        let (before, path, after) = match (flag.get_long(), flag.get_value_hint()) {
            (Some("module"), _) => match value.split_once('=') {
                Some((name, path)) => (format!("{name}="), path, String::new()),
                None => return Ok(value.into()),
            },
            (Some("profile"), _) => {
                let mut parts = value.splitn(3, ',');
                let before = format!("{},", parts.next().unwrap_or_default());
                let path = parts.next().filter(|path| !path.is_empty()).unwrap_or(PROFILE_FILE);
                (before, path, parts.next().map(|interval| format!(",{interval}")).unwrap_or_default())
            }
            (_, ValueHint::DirPath) => {
                let (path, guest) = value.split_once("::").unwrap_or((value, value));
                (String::new(), path, format!("::{guest}"))
            }
            (_, ValueHint::AnyPath | ValueHint::FilePath) => (String::new(), value, String::new()),
            _ => return Ok(value.into()),
        };
        if found {
            self.hold_within(path)?;
        }
        if found && flag.get_long() == Some("module") && !is_module(Path::new(path)) {
            // To build it would run what its package says, outside of any isolate.
            bail!("a file that was merely found names modules, .wasm or .wat, and has nothing built");
        }
        let mut joined = OsString::from(before);
        // An empty path is no folder of ours, and refused as it is on the command line.
        joined.push(if path.is_empty() { PathBuf::new() } else { self.folder.join(path) });
        joined.push(after);
        Ok(joined)
    }

    /// A file that was found reaches nothing outside of its folder, by links neither.
    fn hold_within(&self, path: &str) -> Result<()> {
        let outside =
            || anyhow!("`{path}` is outside of this folder: say it on the command line, or name this file by --config");
        let steps = Path::new(path).components();
        if steps.into_iter().any(|step| !matches!(step, Component::Normal(_) | Component::CurDir)) {
            return Err(outside());
        }
        // Of what is not there yet, the part that is; a link that leads nowhere is there.
        let whole = self.folder.join(path);
        let there = whole.ancestors().find(|part| part.symlink_metadata().is_ok());
        let real = there.and_then(|part| part.canonicalize().ok());
        match (real, self.folder.canonicalize().ok()) {
            (Some(real), Some(folder)) if real.starts_with(&folder) => Ok(()),
            _ => Err(outside()),
        }
    }

    /// An error at this place of the text.
    fn wrong(&self, at: &Range<usize>, text: &str) -> anyhow::Error {
        let line = 1 + self.text.bytes().take(at.start).filter(|byte| *byte == b'\n').count();
        anyhow!("{}, line {line}: {text}", report::path(&self.file.path))
    }
}

/// Whether a file and its folder are this user's, or root's, and not for all to write.
fn is_ours(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let user = rustix::process::geteuid().as_raw();
    let owned = |path: &Path| std::fs::metadata(path).ok().filter(|found| [user, 0].contains(&found.uid()));
    owned(path).is_some_and(|file| file.mode() & 0o002 == 0)
        && path.parent().is_some_and(|folder| owned(folder).is_some())
}

/// The values that a flag is given, as they would be typed, and where they are.
fn values(flag: &Arg, key: &str, value: &Spanned<DeValue<'_>>) -> Result<Vec<(Range<usize>, String)>, String> {
    let repeats = matches!(flag.get_action(), ArgAction::Append);
    let takes_pairs = flag.get_value_names().unwrap_or_default().iter().any(|name| name.contains('='));
    match value.get_ref() {
        DeValue::Array(values) if repeats => {
            values.iter().map(|value| Ok((value.span(), scalar(key, value.get_ref())?))).collect()
        }
        DeValue::Table(pairs) if repeats && takes_pairs => {
            let mut pairs: Vec<_> = pairs.iter().collect();
            pairs.sort_by_key(|(name, _)| name.span().start);
            let pair = |(name, value): (&Spanned<_>, &Spanned<_>)| {
                let name: &Spanned<std::borrow::Cow<'_, str>> = name;
                Ok((name.span(), format!("{}={}", name.get_ref(), scalar(name.get_ref(), value.get_ref())?)))
            };
            pairs.into_iter().map(pair).collect()
        }
        DeValue::Array(_) => Err(format!("`{key}` has one value, not a list")),
        DeValue::Table(_) => Err(format!("`{key}` is a value, not a section")),
        other => Ok(vec![(value.span(), scalar(key, other)?)]),
    }
}

/// Whether a path is one of a module's file, by its name.
fn is_module(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "wasm" || extension == "wat")
}

/// A value as it would be typed.
fn scalar(key: &str, value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Boolean(is) => Ok(is.to_string()),
        DeValue::Integer(number) => {
            let read = i128::from_str_radix(number.as_str(), number.radix());
            read.map(|number| number.to_string()).map_err(|error| format!("`{key}`: {error}"))
        }
        other => Err(format!("`{key}` is a text, a whole number, true or false, not a {}", other.type_str())),
    }
}

fn takes_a_value(flag: &Arg) -> bool {
    flag.get_action().takes_values()
}

/// What clap says first, as one line.
fn first_paragraph(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let lines = text.trim_start_matches("error: ").lines().take_while(|line| !line.is_empty());
    lines.map(str::trim).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
