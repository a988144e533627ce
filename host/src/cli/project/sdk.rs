//! The SDK that a project depends on: a copy of the sources that this binary carries, or a checkout.
//!
//! The sources are those of the workspace that this binary was built in. They are a workspace of their own in the project,
//! so that their manifests are the very ones that we build with.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use include_dir::{Dir, include_dir};

use super::files::Written;
use super::report;

static GUEST: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../guest");
static WIRE: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../wit");
const WORKSPACE: &str = include_str!("../../../../Cargo.toml");
const LICENSES: [(&str, &str); 3] = [
    ("LICENSE", include_str!("../../../../LICENSE")),
    ("LICENSE-APACHE", include_str!("../../../../LICENSE-APACHE")),
    ("LICENSE-MIT", include_str!("../../../../LICENSE-MIT")),
];

/// Where in a project the copy is.
const FOLDER: &str = "vendor/insula";

/// What a project depends on.
pub(super) enum Sdk {
    /// A copy, in the project.
    Copied,
    /// The guest crate of a checkout.
    At(PathBuf),
}

impl Sdk {
    /// That of a checkout where one is given.
    pub(super) fn find(checkout: Option<&Path>) -> Result<Sdk> {
        let Some(checkout) = checkout else { return Ok(Sdk::Copied) };
        let guest = checkout.join("guest");
        if !guest.join("Cargo.toml").is_file() {
            bail!("--sdk {} is no checkout of insula: it has no guest/Cargo.toml", report::path(checkout));
        }
        Ok(Sdk::At(guest.canonicalize().with_context(|| report::path(&guest))?))
    }

    /// The guest crate, as the project's manifest names it.
    pub(super) fn path(&self) -> PathBuf {
        match self {
            Sdk::Copied => Path::new(FOLDER).join("guest"),
            Sdk::At(guest) => guest.clone(),
        }
    }

    /// What must be written for it.
    pub(super) fn files(&self) -> Vec<Written> {
        if let Sdk::At(_) = self {
            return Vec::new();
        }
        let mut files = vec![Written::new(Path::new(FOLDER).join("Cargo.toml"), workspace(WORKSPACE))];
        files.extend(LICENSES.map(|(name, text)| Written::new(Path::new(FOLDER).join(name), text)));
        for (name, package) in [("guest", &GUEST), ("wit", &WIRE)] {
            copy(package, &Path::new(FOLDER).join(name), &mut files);
        }
        files
    }
}

/// The sources below a folder; what editors leave there is none.
fn copy(from: &Dir<'static>, to: &Path, files: &mut Vec<Written>) {
    let is_source = |path: &Path| path.extension().is_some_and(|kind| kind == "rs" || kind == "toml" || kind == "wit");
    let found = from.files().filter(|file| is_source(file.path()));
    files.extend(found.filter_map(|file| Some(Written::new(to.join(file.path()), file.contents_utf8()?))));
    for folder in from.dirs() {
        copy(folder, to, files);
    }
}

/// Our workspace's manifest, with the two packages only, and without profiles: those are the project's own business.
fn workspace(ours: &str) -> String {
    let ours = ours.split_once("\n[profile").map_or(ours, |(before, _)| before);
    let mut text = "# The guest SDK of insula, as `insula new` copied it.\n".to_owned();
    let mut in_members = false;
    for line in ours.lines() {
        let begins = line.starts_with("members = [");
        if begins {
            text += "members = [\"wit\", \"guest\"]\n";
        }
        // The host is not here.
        let is_ours = !begins && !in_members && !line.starts_with("insula = ");
        if is_ours {
            text += line;
            text.push('\n');
        }
        in_members = (in_members || begins) && !line.ends_with(']');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_is_whole_and_a_workspace_of_its_own() {
        let files = Sdk::Copied.files();
        let text =
            |path: &str| files.iter().find(|file| file.path == Path::new(FOLDER).join(path)).map(|file| &file.text);
        for path in
            ["guest/Cargo.toml", "guest/src/lib.rs", "guest/src/task/mod.rs", "wit/isolate.wit", "wit/src/lib.rs"]
        {
            assert!(text(path).is_some(), "{path}");
        }
        let workspace: toml::Table = text("Cargo.toml").unwrap().parse().unwrap();
        let members = workspace["workspace"]["members"].as_array().unwrap();
        assert_eq!(members.len(), 2);
        assert!(workspace.get("profile").is_none());
        let dependencies = workspace["workspace"]["dependencies"].as_table().unwrap();
        assert!(dependencies.contains_key("serde") && !dependencies.contains_key("insula"), "{dependencies:?}");
    }
}
