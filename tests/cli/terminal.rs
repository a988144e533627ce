//! Colours and progress: where there is no terminal, neither is ever seen, unless colours are asked for.

use super::{Ran, insula, output};
use crate::harness::{self, Folder};

/// What is said of a file that is not there, with these variables.
fn said(variables: &[(&str, &str)]) -> Ran {
    let mut command = harness::insula();
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    command.envs(variables.iter().copied()).args(["run", "missing.wasm"]);
    output(command)
}

const PLAIN: &str = "insula: error: `missing.wasm` is not there";

#[test]
fn colours_are_where_they_are_wanted() {
    for variables in [&[][..], &[("CLICOLOR", "1")], &[("NO_COLOR", "1"), ("CLICOLOR", "1")]] {
        let ran = said(variables);
        assert!(ran.stderr.starts_with(PLAIN), "{variables:?}: {ran:?}");
    }
    let ran = said(&[("CLICOLOR_FORCE", "1")]);
    assert!(ran.stderr.starts_with("insula: \u{1b}[1m\u{1b}[31merror\u{1b}[0m: "), "{ran:?}");
}

#[test]
fn a_pipe_sees_no_progress() {
    // Building takes longer than the line waits to be shown, and the pipe is no terminal whatever colours it wants.
    let folder = Folder::new("terminal");
    folder.file("Cargo.toml", "[package]\nname = \"slow\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n");
    folder.file("src/main.rs", "fn main() { let unused = 1; }");
    let mut command = harness::insula();
    command.env_remove("NO_COLOR").env("CLICOLOR_FORCE", "1").arg("run").arg(folder.path());
    let ran = output(command);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{ran:?}");
    assert!(ran.stderr.contains("unused variable") && !ran.stderr.contains("building"), "{ran:?}");
    assert!(!ran.stderr.contains('\r'), "{ran:?}");
}

#[test]
fn a_compile_in_a_pipe_says_nothing() {
    let folder = Folder::new("terminal");
    let output = folder.path().join("out.cwasm");
    let module = folder.file("many.wat", format!("(module {})", "(func (param i32))".repeat(20_000)));
    let ran = insula(["compile".as_ref(), "-o".as_ref(), output.as_os_str(), module.as_os_str()]);
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(0), "", ""), "{ran:?}");
}
