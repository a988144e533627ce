//! What bounds a run: `-W`, which is spelled as wasmtime spells it, and the limits that wasmtime has no word for.
//!
//! A key of `-W` is data: a line of [`KEYS`], from which come the parsing, the help and the suggestions.

use std::fmt::Write as _;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use insula::{HostBuilder, Limits};

use crate::cli::nearest::did_you_mean;
use crate::cli::units::{count, duration, size};

/// How many isolates may live at once, unless the command line says it.
const ISOLATES: u32 = 1_000;

/// The flags of limits.
#[derive(Args, Debug)]
#[command(next_help_heading = "Limits")]
pub(in crate::cli) struct LimitFlags {
    /// Bounds of each isolate, several behind commas; `-W help` lists them
    #[arg(short = 'W', long = "wasm", value_name = "KEY=VALUE", value_delimiter = ',')]
    wasm: Vec<Setting>,

    /// How many isolates may live at once
    #[arg(long, value_name = "N", default_value_t = ISOLATES, value_parser = clap::value_parser!(u32).range(1..))]
    pub(in crate::cli) isolates: u32,

    /// How many generations of isolates may be below main; by default any number
    #[arg(long, value_name = "N")]
    depth: Option<u64>,

    /// How many messages may wait in an isolate's mailbox [default: 100000]
    #[arg(long, value_name = "N", value_parser = count)]
    mailbox_messages: Option<u64>,

    /// How many bytes may wait there, 64 more for each message than it has [default: 128MiB]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    mailbox_bytes: Option<u64>,

    /// How many threads run isolates; by default as many as there are cores
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(in crate::cli) threads: Option<u16>,
}

impl Default for LimitFlags {
    fn default() -> LimitFlags {
        let [mailbox_messages, mailbox_bytes] = [None; 2];
        LimitFlags { wasm: vec![], isolates: ISOLATES, depth: None, mailbox_messages, mailbox_bytes, threads: None }
    }
}

/// One part of what `-W` is given.
#[derive(Clone, Debug)]
enum Setting {
    /// The list is wanted.
    Help,
    Bound {
        key: &'static Key,
        value: String,
    },
}

/// All that keys of `-W` say.
#[derive(Clone, Debug, Default)]
struct Bounds {
    limits: Limits,
    total_memory_bytes_max: Option<u64>,
}

/// What `-W` knows.
struct Key {
    name: &'static str,
    /// What its value is called.
    value: &'static str,
    /// What it bounds, and the default.
    what: &'static str,
    set: fn(&mut Bounds, &str) -> Result<(), String>,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// The most linear memory that an isolate can have: what 32 bits can address.
const MEMORY_BYTES_MAX: u64 = 4 << 30;

const KEYS: [Key; 12] = [
    Key {
        name: "timeout",
        value: "TIME",
        what: "from the start of main, for it and all that descend from it; none",
        set: |bounds, text| time(text, &mut bounds.limits.deadline),
    },
    Key {
        name: "run-timeout",
        value: "TIME",
        what: "as timeout, for each isolate, less what it is queued or paused; none",
        set: |bounds, text| time(text, &mut bounds.limits.run_deadline),
    },
    Key {
        name: "cpu-time",
        value: "TIME",
        what: "on a CPU, for each isolate; none",
        set: |bounds, text| time(text, &mut bounds.limits.cpu_time_max),
    },
    Key {
        name: "fuel",
        value: "N",
        what: "operations of each isolate, which makes code slower; none",
        set: |bounds, text| count(text).map(|fuel| bounds.limits.fuel_max = Some(fuel)),
    },
    Key {
        name: "max-memory-size",
        value: "SIZE",
        what: "linear memory of an isolate, 4G at most; 256MiB",
        set: |bounds, text| {
            let bytes = size(text)?;
            if bytes > MEMORY_BYTES_MAX {
                return Err("an isolate has 4G of linear memory at most".to_owned());
            }
            bounds.limits.memory_bytes_max = bytes;
            Ok(())
        },
    },
    Key {
        name: "max-total-memory",
        value: "SIZE",
        what: "linear memory and blobs of all isolates together; none",
        set: |bounds, text| size(text).map(|bytes| bounds.total_memory_bytes_max = Some(bytes)),
    },
    Key {
        name: "max-table-elements",
        value: "N",
        what: "elements of all tables of an isolate; 100000",
        set: |bounds, text| {
            let elements: u32 = text.parse().map_err(|_| "a number of at most 4294967295 is wanted".to_owned())?;
            bounds.limits.table_elements_max = elements.into();
            Ok(())
        },
    },
    Key {
        name: "max-message-size",
        value: "SIZE",
        what: "one message; 64MiB",
        set: |bounds, text| size(text).map(|bytes| bounds.limits.message_bytes_max = bytes),
    },
    Key {
        name: "max-ports",
        value: "N",
        what: "open receive ports of an isolate; 100000",
        set: |bounds, text| count(text).map(|ports| bounds.limits.ports_max = ports),
    },
    Key {
        name: "max-handles",
        value: "N",
        what: "handles of an isolate, to ports and all else; 200000",
        set: |bounds, text| count(text).map(|handles| bounds.limits.handles_max = handles),
    },
    Key {
        name: "max-blob-size",
        value: "SIZE",
        what: "all blobs that an isolate holds; 128MiB",
        set: |bounds, text| size(text).map(|bytes| bounds.limits.blob_bytes_max = bytes),
    },
    Key {
        name: "max-sender-share",
        value: "PERCENT",
        what: "what one sender may fill of a mailbox, 1 to 100; 25",
        set: |bounds, text| {
            let percent: Option<u64> = text.parse().ok().filter(|percent| (1..=100).contains(percent));
            bounds.limits.sender_percent_max = percent.ok_or_else(|| "a share is 1 to 100 percent".to_owned())?;
            Ok(())
        },
    },
];

/// What wasmtime has under `-W` and insula has not, and what to write instead.
const ELSEWHERE: [(&str, &str); 5] = [
    ("max-wasm-stack", "each isolate has a stack of the same size"),
    ("max-instances", "an isolate is one instance; say --isolates N"),
    ("max-memories", "max-memory-size bounds all memories of an isolate together"),
    ("max-tables", "max-table-elements bounds all tables of an isolate together"),
    ("epoch-interruption", "it is always on; say timeout=TIME or cpu-time=TIME"),
];

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Setting, String> {
        if text == "help" {
            return Ok(Setting::Help);
        }
        let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
        let Some(key) = KEYS.iter().find(|key| key.name == name) else {
            if let Some((_, instead)) = ELSEWHERE.iter().find(|(known, _)| *known == name) {
                return Err(format!("insula has no `{name}`: {instead}"));
            }
            let suggestion = did_you_mean(name, KEYS.iter().map(|key| key.name));
            return Err(format!("there is no `{name}`{suggestion} (`-W help` lists all)"));
        };
        let value = value.ok_or_else(|| format!("`{name}` wants a value: {name}={}", key.value))?;
        (key.set)(&mut Bounds::default(), value)?;
        Ok(Setting::Bound { key, value: value.to_owned() })
    }
}

impl LimitFlags {
    /// The list of what `-W` knows, where it was asked for.
    pub(super) fn help(&self) -> Option<String> {
        let is_asked = self.wasm.iter().any(|setting| matches!(setting, Setting::Help));
        is_asked.then(|| {
            let mut text =
                "Bounds, and their defaults. A TIME is 10s, 100ms or 5m; a SIZE is 65536, 64K or 64MiB.\n".to_owned();
            for Key { name, value, what, .. } in &KEYS {
                let written = format!("{name}={value}");
                let _ = write!(text, "\n  -W {written:<26} {what}");
            }
            text
        })
    }

    /// What each isolate has at most.
    pub(super) fn of_isolates(&self) -> Limits {
        let mut limits = self.bounds().limits;
        limits.depth_max = self.depth;
        limits.mailbox_messages_max = self.mailbox_messages.unwrap_or(limits.mailbox_messages_max);
        limits.mailbox_bytes_max = self.mailbox_bytes.unwrap_or(limits.mailbox_bytes_max);
        limits
    }

    /// Has a host hold what these flags say of it.
    pub(super) fn bound(&self, builder: HostBuilder) -> HostBuilder {
        let Bounds { limits, total_memory_bytes_max } = self.bounds();
        let mut builder = builder.isolates(self.isolates).count_fuel(limits.fuel_max.is_some());
        if let Some(threads) = self.threads {
            builder = builder.threads(threads.into());
        }
        if let Some(bytes) = total_memory_bytes_max {
            builder = builder.total_memory_max(bytes);
        }
        // The pool of tables is as large as an isolate may want, and no smaller than it is by default.
        match u32::try_from(limits.table_elements_max) {
            Ok(elements) if limits.table_elements_max > Limits::default().table_elements_max => {
                builder.table_elements_max(elements)
            }
            _ => builder,
        }
    }

    fn bounds(&self) -> Bounds {
        let mut bounds = Bounds::default();
        for setting in &self.wasm {
            if let Setting::Bound { key, value } = setting {
                (key.set)(&mut bounds, value).expect("it was tried when it was read");
            }
        }
        bounds
    }
}

fn time(text: &str, to: &mut Option<Duration>) -> Result<(), String> {
    *to = Some(duration(text)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        text.parse::<Setting>().expect_err(text)
    }

    #[test]
    fn every_key_takes_its_value_and_no_other() {
        for key in &KEYS {
            let value = match key.value {
                "TIME" => "2s",
                "SIZE" => "1MiB",
                "PERCENT" | "N" => "7",
                other => panic!("a value called {other}"),
            };
            assert!(format!("{}={value}", key.name).parse::<Setting>().is_ok(), "{}", key.name);
            for wrong in ["=", "=x", "=-1", ""] {
                refused(&format!("{}{wrong}", key.name));
            }
        }
    }

    #[test]
    fn a_key_that_is_not_there_is_answered_with_one_that_is() {
        assert_eq!(refused("timeot=1s"), "there is no `timeot`; did you mean `timeout`? (`-W help` lists all)");
        assert_eq!(refused("colour=red"), "there is no `colour` (`-W help` lists all)");
        assert!(refused("epoch-interruption=y").contains("cpu-time=TIME"));
        for (name, _) in &ELSEWHERE {
            assert!(KEYS.iter().all(|key| key.name != *name), "{name}");
        }
    }
}
