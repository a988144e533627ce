//! The plugins that make pages, by the first part of a path, and what is said when one makes none.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use insula::{CallError, Exit, Host, Limits, Output, PoolSize, ServicePool, Spawn};
use serde::{Deserialize, Serialize};

/// What plugins are asked.
#[derive(Serialize)]
pub(crate) struct Request {
    /// What follows the plugin's name in the path.
    pub(crate) path: String,
    pub(crate) body: String,
}

/// What they answer.
#[derive(Debug, Deserialize)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// How long a request may take.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    /// By the clock, all waiting included.
    pub(crate) deadline: Duration,
    /// On a CPU. It ends whoever loops, and says so in its `Exit`; the deadline is for whoever waits.
    pub(crate) cpu: Duration,
}

/// A pool of isolates for each plugin. One is called once and thrown away: no request finds what another left behind.
pub(crate) struct Pages {
    pools: HashMap<String, ServicePool<Request, Response>>,
    deadline: Duration,
}

impl Pages {
    /// Loads all plugins of the two modules.
    pub(crate) fn load(folder: &Path, times: Times) -> Result<Pages> {
        let host = Host::builder().isolates(256).on_uncaught(|_| ()).build()?;
        let mut pools = HashMap::new();
        for file in ["pages.wasm", "bad_pages.wasm"] {
            let module = host.load_file(folder.join(file))?;
            for entry in module.info().entries() {
                let limits = Limits::default().memory(16 << 20).cpu_time(times.cpu);
                let spawn = Spawn::entry(entry).limits(limits).stdout(Output::Null).stderr(Output::Null);
                // No plugin has more isolates than these, so none shuts out the others.
                let size = PoolSize { ready: 4, max: 16 };
                pools.insert(entry.to_owned(), host.service_pool(&module, spawn, size)?);
            }
        }
        Ok(Pages { pools, deadline: times.deadline })
    }

    /// Has the plugin make a page; says why there is none where it does not.
    pub(crate) async fn page(&self, plugin: &str, request: Request) -> Response {
        let Some(pool) = self.pools.get(plugin) else {
            return said(404, "no such plugin");
        };
        match pool.call_async(&request, self.deadline).await {
            Ok(response) => response,
            Err(CallError::Ended(exit)) => said(status_of(&exit), exit),
            Err(error @ CallError::TimedOut) => said(504, error),
            Err(error @ (CallError::Unborn(_) | CallError::Unsent(_))) => said(503, error),
            Err(error) => said(502, error),
        }
    }
}

/// Whose fault it is, in the terms of HTTP: a gateway's, to what is behind it.
fn status_of(exit: &Exit) -> u16 {
    match exit {
        Exit::Limit { which, .. } if which == "cpu-time" => 504,
        Exit::HostClosed => 503,
        _ => 502,
    }
}

/// The line is safe to show: what a guest says is escaped, and cut.
fn said(status: u16, line: impl std::fmt::Display) -> Response {
    Response { status, body: format!("{line}\n") }
}
