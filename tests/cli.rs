//! The command line, through the real binary: what it prints, and the code it ends with.

use std::process::{Command, Output};

use crate::harness;

mod bad_input;
mod bench;
mod bounds;
mod children;
mod compile;
mod config;
mod core_dumps;
mod doctor;
mod endings;
mod examples;
mod golden;
mod guest_tests;
mod helped;
mod inspect;
mod limits;
mod live;
mod logs;
mod metrics;
mod otlp;
mod pages;
mod profile;
mod project;
mod stack;
mod surroundings;
mod terminal;
mod trace;
mod trap_report;
mod watch;

/// What a run printed, as text, and its exit code.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ran {
    fn of(output: Output) -> Ran {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("insula prints UTF-8");
        Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// `insula run` with these arguments, and nothing on its standard input.
fn run<A: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = A>) -> Ran {
    let mut command = harness::insula();
    command.arg("run").args(arguments);
    output(command)
}

/// `insula` with these arguments, the command first.
fn insula<A: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = A>) -> Ran {
    let mut command = harness::insula();
    command.args(arguments);
    output(command)
}

fn output(mut command: Command) -> Ran {
    Ran::of(command.output().expect("insula can be run"))
}
