//! Warnings: an isolate, its tree or the host is near a limit.
//!
//! Where an embedder asked for them, each isolate has an [`Alarm`], which is shown a count wherever one grows that has a
//! limit. Where it did not, there is none, and nothing is looked at.

use std::fmt;

use crate::exit::IsolateId;
use crate::printable::printable_line;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicU32, Ordering};

/// An isolate has so much of a limit as [`HostBuilder::on_warning`](crate::HostBuilder::on_warning) names: of one of its
/// own, or of one for all that descend from it; or the host has, of one of its own.
///
/// ```
/// use insula::{Host, Warning};
/// let page = |warning: &Warning| eprintln!("{warning}"); // isolate #3 `thumbnails` has 87 % of its limit memory
/// let builder = Host::builder().on_warning(85, page);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Warning {
    /// Whose limit it is; none where it is the host's.
    pub isolate: Option<IsolateId>,
    /// The isolate's debug name; empty where it is the host's.
    pub name: String,
    /// The limit's name, as in [`Exit::Limit`](crate::Exit::Limit); `isolates` is how many may live.
    pub which: String,
    /// How much of it there was, in the limit's unit: bytes, nanoseconds, or a number of things.
    pub used: u64,
    /// The limit.
    pub limit: u64,
}

impl fmt::Display for Warning {
    /// One line. What came from a guest is escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = u128::from(self.used) * 100 / u128::from(self.limit.max(1));
        match self.isolate {
            Some(isolate) => write!(f, "isolate {isolate} `{}`", printable_line(&self.name))?,
            None => f.write_str("the host")?,
        }
        write!(f, " has {percent} % of its limit {}", self.which)
    }
}

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watched {
    Memory,
    CpuTime,
    Deadline,
    RunDeadline,
    MailboxMessages,
    MailboxBytes,
    Handles,
    BlobBytes,
    Ports,
    Descendants,
    TreeMemory,
    TreeQueuedBytes,
    Isolates,
}

impl Watched {
    /// The limit's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Watched::Memory => "memory",
            Watched::CpuTime => "cpu-time",
            Watched::Deadline => "deadline",
            Watched::RunDeadline => "run-deadline",
            Watched::MailboxMessages => "mailbox-messages",
            Watched::MailboxBytes => "mailbox-bytes",
            Watched::Handles => "handles",
            Watched::BlobBytes => "blob-bytes",
            Watched::Ports => "ports",
            Watched::Descendants => "descendants",
            Watched::TreeMemory => "tree-memory",
            Watched::TreeQueuedBytes => "tree-queued-bytes",
            Watched::Isolates => "isolates",
        }
    }
}

/// Who is told, and from which share of a limit on. What it calls may be called under any lock.
#[derive(Clone)]
pub(crate) struct Watch {
    pub(crate) percent: u8,
    pub(crate) tell: Arc<dyn Fn(Warning) + Send + Sync>,
}

/// Looks at the limits of one isolate, or of the host, and tells of each once.
pub(crate) struct Alarm {
    isolate: Option<IsolateId>,
    name: String,
    watch: Watch,
    told: AtomicU32,
}

impl Alarm {
    /// Of an isolate that is born.
    pub(crate) fn new(isolate: IsolateId, name: &str, watch: &Watch) -> Arc<Alarm> {
        Arc::new(Alarm { isolate: Some(isolate), name: name.to_owned(), watch: watch.clone(), told: AtomicU32::new(0) })
    }

    /// Of the host itself.
    pub(crate) fn of_host(watch: &Watch) -> Arc<Alarm> {
        Arc::new(Alarm { isolate: None, name: String::new(), watch: watch.clone(), told: AtomicU32::new(0) })
    }

    /// How much of a limit is worth a warning: none of a limit of nothing.
    pub(crate) fn from(&self, limit: u64) -> u64 {
        let part = (u128::from(limit) * u128::from(self.watch.percent)).div_ceil(100);
        u64::try_from(part).unwrap_or(u64::MAX).max(1)
    }

    /// There is so much of what has this limit.
    pub(crate) fn look(&self, which: Watched, used: u64, limit: u64) {
        let bit = 1 << which as u32;
        if used < self.from(limit) || self.told.fetch_or(bit, Ordering::SeqCst) & bit != 0 {
            return;
        }
        let (isolate, name, which) = (self.isolate, self.name.clone(), which.name().to_owned());
        (self.watch.tell)(Warning { isolate, name, which, used, limit });
    }
}

impl fmt::Debug for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Alarm({:?}, {} %)", self.isolate, self.watch.percent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::Mutex;

    #[test]
    fn each_limit_is_told_of_once_from_its_share_on() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let tells = Arc::clone(&told);
        let watch = Watch { percent: 80, tell: Arc::new(move |warning| tells.lock().push(warning)) };
        let alarm = Alarm::new(IsolateId(3), "a\nname", &watch);
        alarm.look(Watched::Memory, 79, 100);
        alarm.look(Watched::Handles, 0, 0);
        assert!(told.lock().is_empty());
        alarm.look(Watched::Memory, 80, 100);
        alarm.look(Watched::Memory, 99, 100);
        alarm.look(Watched::MailboxBytes, u64::MAX, u64::MAX);
        Alarm::of_host(&watch).look(Watched::Isolates, 9, 10);
        let told = told.lock();
        let told: Vec<_> = told.iter().map(Warning::to_string).collect();
        let first = "isolate #3 `a\\nname` has 80 % of its limit memory";
        let second = "isolate #3 `a\\nname` has 100 % of its limit mailbox-bytes";
        assert_eq!(told, [first, second, "the host has 90 % of its limit isolates"]);
    }
}
