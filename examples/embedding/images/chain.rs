//! The chain: stages, each of them an isolate that lives from image to image, and what is done when one fails.
//!
//! Pixels travel as a `Blob`. Bytes within a message would be copied into it, out of it, and decoded, on either side; a
//! blob is handed over as it is, and copied only where it goes into a guest's memory or comes out of one. It is gone
//! from here then, and what its guest does to it nobody else sees, so the picture before each stage is kept: it is what
//! goes on if the stage fails.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use insula::{Blob, CallError, Exit, Frame, Host, Limits, Module, Priority, Service, Spawn};
use serde::{Deserialize, Serialize};

use crate::picture::Picture;

/// A stage that failed so often is left out from then on.
const FAILURES_MAX: u32 = 2;

/// Where the plugins are that are looked up by their entries' names.
const MODULES: [&str; 2] = ["filters.wasm", "bad_filters.wasm"];

/// As the plugins have it.
#[derive(Serialize, Deserialize)]
struct Image {
    width: u32,
    height: u32,
    pixels: Blob,
}

/// All stages, in order.
pub(crate) struct Chain {
    stages: Vec<Stage>,
}

/// One stage, and the isolate that is it at present.
pub(crate) struct Stage {
    name: String,
    host: Host,
    module: Module,
    time: Duration,
    /// None when it is left out.
    plugin: Option<Service<Image, Result<Image, String>>>,
    failures: u32,
}

/// What became of an image at a stage.
pub(crate) enum Outcome {
    /// The new one.
    Filtered(Picture),
    /// There is none.
    Failed(Failure),
    /// The stage failed too often before.
    LeftOut,
}

/// Who failed, how, and what was done.
pub(crate) struct Failure {
    pub(crate) stage: String,
    pub(crate) what: String,
    /// Where it was, innermost first, if it trapped or panicked.
    pub(crate) frames: Vec<Frame>,
    pub(crate) then: &'static str,
}

impl Chain {
    /// Loads the plugins and opens a service for each stage.
    pub(crate) fn open(host: &Host, folder: &Path, names: &[String], time: Duration) -> Result<Chain> {
        let modules = MODULES.iter().map(|file| host.load_file(folder.join(file)));
        let modules: Vec<Module> = modules.collect::<Result<_, _>>()?;
        let stages = names.iter().map(|name| {
            let has_it = |module: &&Module| module.info().entries().any(|entry| entry == name);
            let module = modules.iter().find(has_it).with_context(|| format!("no plugin has an entry `{name}`"))?;
            Stage::open(host, module, name, time)
        });
        Ok(Chain { stages: stages.collect::<Result<_>>()? })
    }

    pub(crate) fn stages(&mut self) -> impl Iterator<Item = &mut Stage> {
        self.stages.iter_mut()
    }
}

impl Stage {
    fn open(host: &Host, module: &Module, name: &str, time: Duration) -> Result<Stage> {
        let (host, module) = (host.clone(), module.clone());
        let mut stage = Stage { name: name.to_owned(), host, module, time, plugin: None, failures: 0 };
        stage.begin()?;
        Ok(stage)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A new isolate for this stage: with the memory that it was compiled with, and nothing of the one before.
    fn begin(&mut self) -> Result<()> {
        let limits = Limits::default().memory(64 << 20).blobs(32 << 20);
        let spawn = Spawn::entry(&self.name).debug_name(&self.name).limits(limits);
        self.plugin = Some(self.host.open(&self.module, spawn.stderr(insula::Output::Null))?);
        Ok(())
    }

    /// Has the plugin filter an image. One that gives no good answer is replaced, or left out.
    pub(crate) fn filter(&mut self, picture: &Picture) -> Outcome {
        let Some(plugin) = &self.plugin else { return Outcome::LeftOut };
        let &Picture { width, height, ref pixels } = picture;
        let image = Image { width, height, pixels: Blob::new(pixels.clone()) };
        let (what, frames) = match plugin.call(&image, self.time) {
            Ok(Ok(image)) => match accepted(image, picture) {
                Some(filtered) => return Outcome::Filtered(filtered),
                None => ("what it answers is no image of that size".to_owned(), Vec::new()),
            },
            Ok(Err(reason)) => (format!("it says: {}", insula::printable_line(&reason)), Vec::new()),
            Err(CallError::Ended(exit)) => told(&exit),
            Err(error) => (error.to_string(), Vec::new()),
        };
        Outcome::Failed(Failure { stage: self.name.clone(), what, frames, then: self.replace() })
    }

    /// Ends the isolate, which may be at it still, and begins with a new one; or with none any more.
    fn replace(&mut self) -> &'static str {
        if let Some(plugin) = self.plugin.take() {
            plugin.isolate().kill(Priority::Immediate);
        }
        self.failures += 1;
        match self.failures < FAILURES_MAX && self.begin().is_ok() {
            true => "begins anew",
            false => "is left out from now on",
        }
    }
}

/// What a plugin answers is a stranger's word: a picture only if it has the pixels that it should.
fn accepted(image: Image, asked: &Picture) -> Option<Picture> {
    let filtered = Picture { width: image.width, height: image.height, pixels: image.pixels.into_bytes().ok()? };
    let same_size = (filtered.width, filtered.height) == (asked.width, asked.height);
    (same_size && filtered.is_whole()).then_some(filtered)
}

/// How it ended, in a line, and where.
fn told(exit: &Exit) -> (String, Vec<Frame>) {
    (exit.to_string(), exit.frames().to_vec())
}
