//! What an embedder's build has to compile beside insula: the crates that it names itself, none of them for a command
//! line, and what the feature `cli` would add.

use std::collections::BTreeSet;
use std::process::Command;

use crate::harness::repository;

/// What insula names itself by default, each as small as its features let it be.
const DIRECT: [&str; 21] = [
    "blake3",
    "bytes",
    "crossbeam-channel",
    "futures-core",
    "gimli",
    "insula-wire",
    "postcard",
    "rand_core",
    "rayon-core",
    "rustc-demangle",
    "rustix",
    "serde",
    "sha2",
    "thiserror",
    "tokio",
    "tracing",
    "wasmparser",
    "wasmtime",
    "wasmtime-wasi",
    "wat",
    "wiggle",
];

/// What nobody should have to compile for a sandbox: the crates of a command line, and parts of wasmtime's that are off.
const HEAVY: [&str; 15] = [
    "clap",
    "clap_builder",
    "directories",
    "notify",
    "signal-hook",
    "serde_json",
    "toml",
    "zstd",
    "hyper",
    "reqwest",
    "regex",
    "wasmtime-internal-cache",
    "wasmtime-internal-winch",
    "wasmtime-internal-component-macro",
    "wasmtime-wasi-http",
];

/// The crates that are linked into whoever depends on insula with these features, to that depth.
fn crates(features: &[&str], depth: &str) -> BTreeSet<String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["tree", "--quiet", "--offline", "--locked", "-p", "insula", "--edges", "normal,no-proc-macro"]);
    cargo.args(["--prefix", "none", "--format", "{p}", "--depth", depth]).args(features);
    let output = cargo.current_dir(repository()).output().expect("Cargo can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let names = text.lines().filter_map(|line| line.split(' ').next()).filter(|name| !name.is_empty());
    names.filter(|name| *name != "insula").map(str::to_owned).collect()
}

#[test]
fn what_an_embedder_depends_on_is_light_by_default() {
    let direct = crates(&[], "1");
    let listed: BTreeSet<String> = DIRECT.iter().map(|name| (*name).to_owned()).collect();
    let (more, fewer) =
        (direct.difference(&listed).collect::<Vec<_>>(), listed.difference(&direct).collect::<Vec<_>>());
    assert!(more.is_empty() && fewer.is_empty(), "DIRECT lacks {more:?}, and names {fewer:?} in vain");

    let all = crates(&[], "255");
    assert!(all.is_superset(&direct) && all.contains("cranelift-codegen"), "{all:?}");
    let heavy: Vec<_> = HEAVY.iter().filter(|name| all.contains(**name)).collect();
    assert!(heavy.is_empty(), "an embedder compiles {heavy:?}");
    assert_eq!(all, crates(&["--no-default-features"], "255"), "there is nothing to turn off");
}

#[test]
fn the_feature_cli_brings_the_crates_of_the_command_line_and_nothing_else_does() {
    let with = crates(&["--features", "cli"], "255");
    let added: Vec<String> = with.difference(&crates(&[], "255")).cloned().collect();
    for name in [
        "clap",
        "directories",
        "include_dir",
        "indicatif",
        "notify",
        "ratatui",
        "serde_json",
        "signal-hook",
        "strsim",
        "toml",
        "tracing-subscriber",
    ] {
        assert!(added.iter().any(|added| added == name), "{name} is not among {added:?}");
    }
}
