//! Where an isolate that lives is in its code, told as the frames of one that failed are.

use annotate_snippets::{Group, Level, Message};
use insula::{Module, Sha256};
use serde::{Deserialize, Serialize};

use super::frames::{self, Placed, Trace};
use super::trap::{Shown, cut, named_place, rendered};

/// An isolate's stack, as it is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stack {
    pub(crate) isolate: u64,
    pub(crate) name: String,
    /// What it did, in words.
    pub(crate) state: String,
    /// The path of its module.
    pub(crate) module: String,
    pub(crate) sha256: String,
    /// Innermost first.
    pub(crate) frames: Vec<Placed>,
}

impl Stack {
    /// Of an isolate of this name that does this.
    pub(crate) fn of(stack: &insula::Stack, name: String, state: String) -> Stack {
        let module: &Module = &stack.module;
        let digest: Sha256 = module.digest();
        Stack {
            isolate: stack.isolate.number(),
            name,
            state,
            module: module.name().to_owned(),
            sha256: digest.to_string(),
            frames: frames::placed(&stack.frames, Some(module)),
        }
    }

    /// Who it is and what it does, in a line.
    pub(crate) fn title(&self) -> String {
        format!("isolate #{} `{}`: {}", self.isolate, cut(&self.name), cut(&self.state))
    }

    /// The frames in plain lines.
    pub(crate) fn lines(&self, shown: &Shown) -> Vec<String> {
        let text = Trace::of_frames(&self.frames, false, shown).text();
        let text = text.unwrap_or_else(|| "no frames".to_owned());
        text.lines().map(str::to_owned).collect()
    }

    /// All of it, with colours: the line of source where the innermost frame of the program is, and the frames.
    pub(crate) fn render(&self, shown: &Shown) -> String {
        let trace = Trace::of_frames(&self.frames, false, shown);
        let spot = trace.innermost();
        let excerpt = spot.as_ref().and_then(|spot| shown.sources.excerpt(spot));
        let group = Level::INFO.primary_title(self.title()).elements(Vec::<Message<'_>>::new());
        let mut group: Group<'_> = named_place(group, excerpt.as_ref(), spot.as_ref(), shown);
        let module = format!("module {}, sha256 {}", cut(&frames::file_name(&self.module)), cut(&self.sha256));
        for note in std::iter::once(module).chain(trace.text()) {
            group = group.element(Level::NOTE.message(note));
        }
        rendered(group)
    }
}
