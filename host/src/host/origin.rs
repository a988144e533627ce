//! Where an isolate comes from, for whoever is told how it failed: who spawned it, and where in whose code.

use std::any::Any;
use std::sync::Weak;

use crate::abi::Place;
use crate::control::{Control, Links};
use crate::exit::{Frame, IsolateId};
use crate::isolate::Module;
use crate::sync::Arc;

/// Who spawned an isolate, where that was a guest.
///
/// ```
/// use insula::{Host, Uncaught};
/// let builder = Host::builder().spawn_frames(true).on_uncaught(|uncaught: &Uncaught| {
///     if let Some(origin) = &uncaught.origin {
///         eprintln!("{} was spawned by {}", uncaught.isolate, origin.isolate);
///         origin.frames.iter().for_each(|frame| eprintln!("  at {frame}"));
///     }
/// });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Origin {
    /// The isolate that spawned it.
    pub isolate: IsolateId,
    /// The isolate that the embedder spawned, and that all of them descend from; it may be the same.
    pub root: IsolateId,
    /// That isolate's debug name; none where it is gone by now.
    pub name: Option<String>,
    /// Where in its code that was, innermost first; empty unless
    /// [`HostBuilder::spawn_frames`](crate::HostBuilder::spawn_frames).
    pub frames: Vec<Frame>,
    /// The module that these frames are of.
    pub module: Option<Module>,
}

/// A place in a guest's code where it spawned.
struct Site {
    frames: Vec<Frame>,
    module: Module,
}

/// Notes where an isolate lives that is born, and where it was spawned if that is kept.
pub(super) fn settle(control: &Control, place: &Arc<Place>, frames: Vec<Frame>, spawner: Option<&Module>) {
    let place: Weak<Place> = Arc::downgrade(place);
    *control.home.lock() = Some(place as Weak<dyn Any + Send + Sync>);
    if let Some(module) = spawner.filter(|_| !frames.is_empty()) {
        *control.site.lock() = Some(Arc::new(Site { frames, module: module.clone() }));
    }
}

/// Where it lives, as long as it does.
pub(super) fn home(control: &Control) -> Option<Arc<Place>> {
    let home = control.home.lock().as_ref()?.upgrade()?;
    home.downcast().ok()
}

/// Where it comes from; none where the embedder spawned it.
pub(super) fn origin(control: &Control, links: &Links) -> Option<Origin> {
    let isolate = control.lineage.spawner()?;
    let name = links.registry.find(isolate).map(|spawner| spawner.name());
    let site = control.site.lock().clone().and_then(|site| site.downcast::<Site>().ok());
    let frames = site.as_ref().map(|site| site.module.shown_frames(&site.frames)).unwrap_or_default();
    Some(Origin { isolate, root: control.lineage.root(), name, frames, module: site.map(|site| site.module.clone()) })
}
