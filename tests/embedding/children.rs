//! Children that compile, seen by the test: how many there were, and held up until the test lets them go.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

use insula::CompileChild;

use crate::harness::{self, Folder};

/// Where children of a test write down that they began, and wait.
pub(super) struct Children {
    folder: Folder,
    program: PathBuf,
}

/// A child that began, and waits until it is told to go on.
pub(super) struct HeldUp(File);

impl Children {
    /// For a test of this name.
    pub(super) fn new(name: &str) -> Children {
        let (folder, program) = (Folder::new(name), PathBuf::from(harness::insula().get_program()));
        let made = Command::new("mkfifo").arg(folder.path().join("gate")).status().expect("there is mkfifo");
        assert!(made.success());
        Children { folder, program }
    }

    /// One that only writes down that it began.
    pub(super) fn counted(&self) -> CompileChild {
        self.script("exec \"$2\" compile-child")
    }

    /// One that waits, after it began, for [`Children::held_up`].
    pub(super) fn gated(&self) -> CompileChild {
        self.script("until read go < gate; do :; done; exec \"$2\" compile-child")
    }

    /// One that writes down that it began, and does this, in its folder; `$2` is insula.
    pub(super) fn script(&self, text: &str) -> CompileChild {
        let text = format!("cd \"$1\" && echo begun >> begun && {text}");
        let child = CompileChild::program("/bin/sh").arg("-c").arg(text).arg("sh");
        child.arg(self.folder.path()).arg(&self.program)
    }

    /// Waits until a child has begun that waits.
    pub(super) fn held_up(&self) -> HeldUp {
        let gate = File::options().write(true).open(self.folder.path().join("gate"));
        HeldUp(gate.expect("the folder is ours"))
    }

    /// How many began.
    pub(super) fn count(&self) -> usize {
        std::fs::read_to_string(self.folder.path().join("begun")).map_or(0, |begun| begun.lines().count())
    }

    /// Where they are.
    pub(super) fn folder(&self) -> &Folder {
        &self.folder
    }
}

impl HeldUp {
    /// Lets it go on.
    pub(super) fn go(mut self) {
        // Whoever was killed meanwhile does not read it.
        let _ = self.0.write_all(b"go\n");
    }
}
