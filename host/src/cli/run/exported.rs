//! `--otlp`, of the feature `otlp`: spans of a run, sent to a collector while it goes on.

use anyhow::Result;
use clap::Args;
use insula::{Host, Spawn};

use crate::cli::signals::Signals;

/// The flags of what is sent elsewhere.
#[derive(Args, Debug, Default)]
pub(in crate::cli) struct ExportFlags {
    /// Send isolates and messages as spans to a collector of OpenTelemetry's, by OTLP over HTTP; without a URL, to
    /// http://127.0.0.1:4318
    #[cfg(feature = "otlp")]
    #[arg(long, value_name = "URL", num_args = 0..=1, require_equals = true, value_hint = clap::ValueHint::Url,
        default_missing_value = "http://127.0.0.1:4318")]
    otlp: Option<String>,
}

/// What is being sent.
pub(super) struct Export {
    #[cfg(feature = "otlp")]
    to: Option<(String, insula::otlp::Exporting)>,
}

#[cfg(feature = "otlp")]
impl ExportFlags {
    /// Whether anything is to be sent.
    pub(super) fn is_wanted(&self) -> bool {
        self.otlp.is_some()
    }

    /// Sends what happens in this host from now on, if that is wanted.
    pub(super) fn begin(&self, host: &Host, name: &str) -> Result<Export> {
        use insula::otlp::Otlp;
        let begin = |url: &String| -> Result<_> {
            let otlp = Otlp::to(url);
            // The name that the environment has for the service comes first.
            let otlp = if std::env::var_os("OTEL_SERVICE_NAME").is_some() { otlp } else { otlp.service_name(name) };
            Ok((url.clone(), otlp.export(host)?))
        };
        Ok(Export { to: self.otlp.as_ref().map(begin).transpose()? })
    }

    /// The program, within the trace that TRACEPARENT says this process is in.
    pub(super) fn within_trace(&self, spawn: Spawn) -> Spawn {
        let parent = self.otlp.as_ref().and_then(|_| std::env::var("TRACEPARENT").ok()?.parse().ok());
        match parent {
            Some(parent) => spawn.trace_context(parent),
            None => spawn,
        }
    }
}

#[cfg(feature = "otlp")]
impl Export {
    /// Waits until all is sent, or a signal ends that, and says what could not be.
    pub(super) fn end(self, signals: &Signals) {
        let Some((url, exporting)) = self.to else { return };
        let (done, first) = std::sync::mpsc::channel();
        let given_up = done.clone();
        let wait = std::thread::Builder::new().name("insula-export-end".to_owned());
        // Without a thread it is waited for here, as it is dropped.
        let Ok(_) = wait.spawn(move || done.send(Some(exporting.finish()))) else { return };
        signals.may_end_a_wait(move || drop(given_up.send(None)));
        match first.recv() {
            Ok(Some(exported)) => tell(&exported, &url),
            Ok(None) => note(&format!("a signal came: spans that {url} did not take yet are lost")),
            Err(_) => {}
        }
    }
}

/// What of it did not reach the collector, if that is anything.
#[cfg(feature = "otlp")]
fn tell(exported: &insula::otlp::Exported, url: &str) {
    if exported.lost > 0 {
        let why = exported.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
        let (lost, all) = (exported.lost, exported.lost + exported.sent);
        note(&format!("{lost} of {all} spans did not reach {url}{why}"));
    }
    if exported.missed_events > 0 {
        let missed = exported.missed_events;
        note(&format!("{missed} events came faster than they could be told, and spans lack them"));
    }
}

#[cfg(feature = "otlp")]
fn note(text: &str) {
    crate::cli::report::note(&insula::printable_line(text));
}

#[cfg(not(feature = "otlp"))]
impl ExportFlags {
    pub(super) fn is_wanted(&self) -> bool {
        false
    }

    pub(super) fn begin(&self, _: &Host, _: &str) -> Result<Export> {
        Ok(Export {})
    }

    pub(super) fn within_trace(&self, spawn: Spawn) -> Spawn {
        spawn
    }
}

#[cfg(not(feature = "otlp"))]
impl Export {
    pub(super) fn end(self, _: &Signals) {}
}
