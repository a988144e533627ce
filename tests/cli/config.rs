//! `insula.toml`: flags from a file.

use super::{Ran, output};
use crate::harness::{self, Folder, guest};

/// `insula run` with these arguments, in a folder below this one.
fn run_below(folder: &Folder, arguments: &[&str]) -> Ran {
    let here = folder.path().join("below/deep");
    std::fs::create_dir_all(&here).expect("the folder can be made");
    let mut command = harness::insula();
    command.current_dir(here).arg("run").args(arguments);
    output(command)
}

#[test]
fn a_file_above_says_what_the_command_line_does_not() {
    let folder = Folder::new("config");
    let text = "[run]\nlabel = true\ndir = ['data::/data']\n\n[run.env]\nNAME = 'value'\n\n[run.wasm]\nmax-memory-size = '32MiB'\n";
    folder.file("insula.toml", text);
    folder.file("data/file.txt", "content");
    let surroundings = guest("surroundings").display().to_string();
    let ran = run_below(&folder, &[&surroundings]);
    let lines = [
        "arguments: []",
        "environment: [(\"NAME\", \"value\")]",
        "file: Some(\"content\")",
        "written: true",
        "input: \"\"",
    ];
    let labelled = lines.map(|line| format!("[surroundings #1] {line}"));
    assert_eq!(ran.stdout.lines().collect::<Vec<_>>(), labelled, "{ran:?}");
    assert!(folder.path().join("data/new.txt").is_file(), "the path begins at the file's folder");

    let exceeds = guest("exceeds").display().to_string();
    let said = |arguments: &[&str]| run_below(&folder, arguments).stdout;
    assert_eq!(said(&[&exceeds, "memory"]), "[exceeds #1] 64 MiB: false\n");
    assert_eq!(said(&["--label=false", &exceeds, "memory"]), "64 MiB: false\n", "flags win");
    assert_eq!(said(&["-W", "max-memory-size=1G", &exceeds, "memory"]), "[exceeds #1] 64 MiB: true\n", "flags win");
    assert_eq!(said(&["--no-config", &exceeds, "memory"]), "64 MiB: true\n");
    let other = folder.file("other.toml", "[run]\nlabel = false\n").display().to_string();
    assert_eq!(said(&["--config", &other, &exceeds, "memory"]), "64 MiB: true\n", "one file, and not both");
}

#[test]
fn what_is_wrong_in_a_file_is_one_line_with_its_place_and_what_was_meant() {
    let folder = Folder::new("config-wrong");
    let exceeds = guest("exceeds").display().to_string();
    for (text, said) in [
        ("[run]\n\nthread = 2\n", "line 3: there is no `thread` in [run]; did you mean `threads`?"),
        ("[rum]\n", "line 1: there is no section `rum`; did you mean `run`?"),
        ("[run]\nwait = 'nobody'\n", "line 2: invalid value 'nobody' for '--wait <WHOM>'"),
        ("[run.wasm]\nmax-memory = 1\n", "did you mean `max-memory-size`?"),
        ("[run]\nwatch = true\n", "line 2: `watch` is for the command line only"),
        ("[run]\ndir = ['/etc::/etc']\n", "line 2: `/etc` is outside of this folder"),
        ("[run]\nallow-precompiled = true\n", "line 2: precompiled code runs unchecked"),
        ("[run.module]\nx = 'package'\n", "line 2: a file that was merely found names modules, .wasm or .wat"),
        ("[run.module]\nx = 'src/main.rs'\n", "line 2: a file that was merely found names modules, .wasm or .wat"),
        ("[run\n", "line 1: "),
    ] {
        let path = folder.file("insula.toml", text);
        let ran = run_below(&folder, &[&exceeds, "memory"]);
        assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.lines().count()), (Some(1), "", 1), "{ran:?}");
        let named = format!("`{}`, ", path.display());
        assert!(ran.stderr.contains(&named) && ran.stderr.contains(said), "{said}: {ran:?}");
    }
    let ran = run_below(&folder, &["--config", "nowhere.toml", &exceeds, "memory"]);
    assert!(ran.code == Some(1) && ran.stderr.contains("`nowhere.toml`"), "{ran:?}");
}

#[test]
fn a_file_that_is_named_may_give_what_a_found_one_may_not() {
    let (folder, outside) = (Folder::new("config-named"), Folder::new("config-outside"));
    outside.file("file.txt", "from outside");
    let text = format!("[run]\ndir = ['{}::/data']\nenv = ['PASSED']\n", outside.path().display());
    let file = folder.file("insula.toml", text).display().to_string();
    let surroundings = guest("surroundings").display().to_string();
    let ran = run_below(&folder, &[&surroundings]);
    assert!(ran.code == Some(1) && ran.stderr.contains("outside of this folder"), "{ran:?}");
    let mut command = harness::insula();
    command.env("PASSED", "on").args(["run", "--config", &file, &surroundings]);
    let ran = output(command);
    assert!(ran.stdout.contains("from outside") && ran.stdout.contains("(\"PASSED\", \"on\")"), "{ran:?}");
}

#[test]
fn a_link_that_leads_nowhere_yet_does_not_lead_out_of_the_folder() {
    let (folder, outside) = (Folder::new("config-dangling"), Folder::new("config-dangling-outside"));
    let made = outside.path().join("made.json");
    std::os::unix::fs::symlink(&made, folder.path().join("out")).expect("the folder is ours");
    folder.file("insula.toml", "[run]\nreport = 'out'\n");
    let ran = run_below(&folder, &[&guest("exceeds").display().to_string(), "memory"]);
    assert!(ran.code == Some(1) && ran.stderr.contains("`out` is outside of this folder"), "{ran:?}");
    assert!(!made.exists());
}

#[test]
fn a_file_that_all_can_write_to_is_left_out_and_that_is_said() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new("config-open");
    let path = folder.file("insula.toml", "[run]\nlabel = true\n");
    let exceeds = guest("exceeds").display().to_string();
    assert_eq!(run_below(&folder, &[&exceeds, "memory"]).stdout, "[exceeds #1] 64 MiB: true\n");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).expect("it is ours");
    let ran = run_below(&folder, &[&exceeds, "memory"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "64 MiB: true\n"), "{ran:?}");
    assert!(ran.stderr.contains("insula.toml` is left out"), "{ran:?}");
}
