//! How a run is watched by machines: `--log`, `--log-format`, `--metrics`.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Result;
use clap::error::ErrorKind;
use clap::{Args, ValueEnum};

use super::Run;
use crate::cli::endpoint::Endpoint;
use crate::cli::log::{self, Filter};

/// The variable that says what is logged where the command line does not.
const VARIABLE: &str = "INSULA_LOG";

/// The flags of logs and metrics.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Logs and metrics")]
pub(in crate::cli) struct ObserveFlags {
    /// Log on standard error: error, warn, info, debug or trace, or TARGET=LEVEL,...; by default what INSULA_LOG says,
    /// and nothing without it
    #[arg(long, value_name = "FILTER", value_parser = Filter::parse)]
    log: Option<Filter>,

    /// How logs are written; with json, all that insula says in the run is a line of the log. Alone it means --log info
    #[arg(long, value_name = "FORMAT", value_enum)]
    log_format: Option<Format>,

    /// Show metrics of the run at http://ADDR/metrics, for Prometheus: an address of this machine's own, as
    /// 127.0.0.1:9464, with port 0 for any that is free
    #[arg(long, value_name = "ADDR", value_parser = address)]
    metrics: Option<SocketAddr>,
}

/// How logs are written.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// For people.
    Text,
    /// For machines, a JSON object a line.
    Json,
}

impl ObserveFlags {
    /// Begins the logs, if there are to be some.
    pub(super) fn begin_logs(&self) -> Result<()> {
        let filter = match (&self.log, self.log_format) {
            (Some(filter), _) => Some(filter.clone()),
            (None, format) => said_by_the_variable()?.or_else(|| format.map(|_| Filter::default())),
        };
        filter.map_or(Ok(()), |filter| log::begin(filter, self.log_format == Some(Format::Json)))
    }

    /// Listens where metrics are to be read, before anything else is done. Who cannot have the address is told.
    pub(super) fn endpoint(&self) -> Result<Option<Endpoint>> {
        self.metrics.map(Endpoint::open).transpose()
    }
}

fn said_by_the_variable() -> Result<Option<Filter>> {
    let Some(said) = std::env::var_os(VARIABLE).filter(|said| !said.is_empty()) else { return Ok(None) };
    let filter = Filter::parse(&said.to_string_lossy());
    let wrong = |why| Run::command().error(ErrorKind::InvalidValue, format!("the variable {VARIABLE}: {why}"));
    Ok(Some(filter.map_err(wrong)?))
}

/// Where metrics may be read: nowhere but on this machine.
fn address(text: &str) -> Result<SocketAddr, String> {
    let localhost = || {
        let (name, port) = text.rsplit_once(':')?;
        let port = port.parse().ok().filter(|_| name.eq_ignore_ascii_case("localhost"))?;
        Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    };
    let Some(address) = text.parse().ok().or_else(localhost) else {
        return Err(
            "an address is like 127.0.0.1:9464, [::1]:9464 or localhost:9464; port 0 is any that is free".into()
        );
    };
    if !address.ip().is_loopback() {
        return Err(format!(
            "{} can be reached from other machines, and nobody is asked who they are: give 127.0.0.1 or [::1], and reach it \
             through a tunnel or a proxy",
            address.ip()
        ));
    }
    Ok(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_this_machine_are_taken() {
        for (text, taken) in [
            ("127.0.0.1:9464", "127.0.0.1:9464"),
            ("127.9.9.9:0", "127.9.9.9:0"),
            ("[::1]:80", "[::1]:80"),
            ("LocalHost:1", "127.0.0.1:1"),
        ] {
            assert_eq!(address(text).unwrap().to_string(), taken);
        }
        for text in ["0.0.0.0:80", "[::]:80", "10.0.0.1:80", "[::ffff:127.0.0.1]:80", "192.168.1.1:0"] {
            assert!(address(text).unwrap_err().contains("give 127.0.0.1 or [::1]"), "{text}");
        }
        for text in ["", "80", ":80", "localhost", "127.0.0.1", "::1:80", "example.com:80", "localhost:70000", "x:y"] {
            assert!(address(text).unwrap_err().contains("an address is like"), "{text}");
        }
    }
}
