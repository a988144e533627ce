//! What the README shows is what compiles and runs.

use std::error::Error;

use crate::harness;

/// The README's example of an embedder, word for word.
fn embeds() -> Result<(), Box<dyn Error>> {
    use insula::{Exit, Grant, Host, Limits, Spawn};
    use std::time::Duration;

    let host = Host::builder().build()?;
    let plugin = host.load_file("plugin.wasm")?;
    let replies = host.receive_port::<u64>();
    let isolate = host.spawn(
        &plugin,
        Spawn::entry("score")
            .message(&("some text", replies.send_port()))
            .limits(Limits::default().memory(32 << 20).deadline(Duration::from_millis(100)))
            .grant(Grant::read_only("./models", "/models")),
    )?;
    match replies.recv_timeout(Duration::from_secs(1)) {
        Ok(score) => println!("{score}"),
        Err(_) => match isolate.join() {
            Exit::Panicked { message, place, .. } => eprintln!("it panicked at {place}: {message}"),
            exit => eprintln!("it ended: {exit}"),
        },
    }
    Ok(())
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
fn the_embedder_compiles() {
    let shown = &blocks("rust")[1];
    assert!(squeezed(&text("tests/readme.rs")).contains(&squeezed(shown)), "the README shows another embedder");
    let error = embeds().expect_err("there is no plugin.wasm");
    assert!(error.to_string().contains("plugin.wasm"), "{error}");
}

#[test]
fn the_two_commands_are_those_of_the_tests() {
    let shell = blocks("sh");
    assert_eq!(shell[0], "cargo run --release -- run examples/pingpong.rs\ncargo test\n");
    assert!(text(".ci/run").trim_end().ends_with("\nstep cargo test"), ".ci/run ends with another test command");
}
