//! What the README shows is what compiles and runs.

use std::error::Error;
use std::path::Path;
use std::process::Command;

use crate::harness::{self, Folder};

/// The README's program, word for word.
fn embeds() -> Result<(), Box<dyn Error>> {
    use insula::{CallError, Host, Limits, Spawn};
    use std::time::Duration;

    fn main() -> Result<(), Box<dyn std::error::Error>> {
        let host = Host::builder().build()?;
        let module = host.load_file("plugin.wasm")?;
        let limits = Limits::default().memory(32 << 20).cpu_time(Duration::from_secs(1));
        let plugin = host.open::<String, Result<u64, String>>(&module, Spawn::entry("score").limits(limits))?;
        match plugin.call(&"20\n22".to_owned(), Duration::from_secs(5)) {
            Ok(answer) => println!("{answer:?}"), // Ok(42), or the plugin's own error, with its type
            Err(CallError::Ended(exit)) => println!("the plugin is gone: {exit}"), // a trap, a panic, a limit, ...
            Err(error) => println!("no answer: {error}"),
        }
        Ok(())
    }

    main()
}

fn text(path: &str) -> String {
    std::fs::read_to_string(harness::repository().join(path)).expect("it is in the repository")
}

/// The README's blocks of a language.
fn blocks(language: &str) -> Vec<String> {
    let (readme, start) = (text("README.md"), format!("```{language}\n"));
    let blocks = readme.split(&start).skip(1);
    blocks.filter_map(|block| Some(block.split_once("```")?.0.to_owned())).collect()
}

/// The text with all of its spaces alike.
fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_first_program_is_a_guest_and_runs() {
    let shown = &blocks("rust")[0];
    assert!(text("tests/guests/first_program.rs").ends_with(shown.as_str()), "the README shows another program");
    let run = harness::insula().arg("run").arg(harness::guest("first_program")).output().expect("insula can be run");
    let printed = String::from_utf8_lossy(&run.stdout);
    let mut lines: Vec<_> = printed.lines().collect();
    lines.sort_unstable(); // no order is promised between two workers
    assert_eq!(lines, ["15", "6"], "{run:?}");
}

#[test]
fn the_first_plugin_is_a_guest() {
    let shown = &blocks("rust")[1];
    assert!(text("tests/guests/first_plugin.rs").ends_with(shown.as_str()), "the README shows another plugin");
}

/// The program looks for its plugin where it is run: this test is, once more, in a folder that has it.
#[test]
fn the_embedder_calls_its_plugin() {
    let shown = &blocks("rust")[2];
    assert!(squeezed(&text("tests/readme.rs")).contains(&squeezed(shown)), "the README shows another embedder");
    if Path::new("plugin.wasm").exists() {
        embeds().expect("it is a plugin");
        return;
    }
    let error = embeds().expect_err("there is no plugin.wasm");
    assert!(error.to_string().contains("plugin.wasm"), "{error}");
    let folder = Folder::new("embedder");
    std::fs::copy(harness::guest("first_plugin"), folder.path().join("plugin.wasm")).expect("it was built");
    let mut again = Command::new(std::env::current_exe().expect("a running program has a path"));
    again.args(["readme::the_embedder_calls_its_plugin", "--exact", "--nocapture"]).current_dir(folder.path());
    let output = again.output().expect("it can be run");
    assert!(String::from_utf8_lossy(&output.stdout).contains("Ok(42)\n"), "{output:?}");
}

#[test]
fn the_two_commands_are_those_of_the_tests() {
    let shell = blocks("sh");
    assert_eq!(shell[0], "cargo run --release -- run examples/pingpong.rs\ncargo test\n");
    assert!(text(".ci/run").trim_end().ends_with("\nstep cargo test"), ".ci/run ends with another test command");
}
