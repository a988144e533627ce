//! `insula completion` and `insula man`: what shells and manuals are told of the commands.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::insula;
use crate::harness::{self, Folder};

#[test]
fn every_shell_is_told_of_every_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ran = insula(["completion", shell]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{shell}");
        for word in ["inspect", "doctor", "allow-precompiled"] {
            assert!(ran.stdout.contains(word), "{word} is not in the script for {shell}");
        }
    }
    assert_eq!(insula(["completion", "tcsh"]).code, Some(2));
}

#[test]
fn bash_completes_a_flag() {
    let script = insula(["completion", "bash"]).stdout;
    let ask = "COMP_WORDS=(insula inspect --js); COMP_CWORD=2; _insula insula --js inspect; echo \"${COMPREPLY[@]}\"";
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-s"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut bash = bash.spawn().expect("bash can be run");
    let mut input = bash.stdin.take().expect("it is piped");
    input.write_all(format!("{script}\n{ask}\n").as_bytes()).expect("bash reads");
    drop(input);
    let output = bash.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "--json\n", "{output:?}");
}

#[test]
fn a_page_is_printed_and_all_of_them_are_written() {
    let ran = insula(["man"]);
    assert!(ran.code == Some(0) && ran.stdout.contains(".TH insula 1"), "{ran:?}");
    assert!(ran.stdout.contains("insula\\-inspect(1)"), "{ran:?}");
    let page = insula(["man", "inspect"]);
    assert!(page.code == Some(0) && page.stdout.contains(".TH insula-inspect 1"), "{page:?}");
    assert!(page.stdout.contains("insula inspect app.wasm"), "the examples are missing: {page:?}");

    let folder = Folder::new("man");
    let out = folder.path().join("new/man1");
    let ran = insula(["man".as_ref(), "--out".as_ref(), out.as_os_str()]);
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(0), "", ""), "{ran:?}");
    let text = |name: &str| std::fs::read_to_string(out.join(name)).ok();
    assert_eq!(text("insula-inspect.1").as_deref(), Some(page.stdout.as_str()));
    for name in ["insula.1", "insula-run.1", "insula-new.1", "insula-man.1"] {
        assert!(text(name).is_some(), "there is no {name}");
    }
    assert!(text("insula-compile-child.1").is_none(), "nobody calls that one by hand");
}

#[test]
fn there_is_no_page_of_what_is_no_command() {
    let ran = insula(["man", "fly"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
    assert!(ran.stderr.contains("`fly`") && ran.stderr.contains("inspect"), "{ran:?}");
    assert_eq!(insula(["man", "run", "--out", "x"]).code, Some(2), "one of both");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut command = harness::insula();
    command.args(["completion", "zsh"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("insula can be run");
    drop(child.stdout.take());
    let ran = super::Ran::of(child.wait_with_output().expect("it ends"));
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
}
