//! `run -D coredump=FILE`: the core dump of main in the file, and those of other isolates beside it.

use super::run;
use crate::harness::{Folder, example};

const TRAPS: &str = "(module (memory 1) (func (export \"_start\") unreachable))";

#[test]
fn main_leaves_its_core_dump_in_the_file() {
    let folder = Folder::new("coredump");
    let module = folder.file("traps.wat", TRAPS).display().to_string();
    let file = folder.path().join("core");
    let ran = run(["-D", &format!("coredump={}", file.display()), &module]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(134), ""), "{ran:?}");
    let note = format!("insula: isolate #1 `traps`: its core dump is in `{}`", file.display());
    assert!(ran.stderr.lines().any(|line| line == note), "{ran:?}");
    assert!(std::fs::read(&file).expect("it is there").starts_with(b"\0asm"));
    // Without the flag there is none.
    std::fs::remove_file(&file).expect("it was there");
    assert_eq!(run([module.as_str()]).code, Some(134));
    assert!(!file.exists());
}

#[test]
fn another_isolate_leaves_its_own_beside_it() {
    let folder = Folder::new("coredump-child");
    let file = folder.path().join("core");
    let target = example("errors").display().to_string();
    let ran = run(["--debug", &format!("coredump={}", file.display()), &target]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let mut left: Vec<_> = std::fs::read_dir(folder.path()).expect("it is there").collect();
    let mut left: Vec<_> = left.drain(..).map(|entry| entry.expect("it can be read").file_name()).collect();
    left.sort();
    assert_eq!(left, ["core.2", "core.3"], "two panic, one fails and main does not: {ran:?}");
}

/// A program that may write in the folder puts a link there; what the link leads to is not written.
#[test]
fn a_link_in_the_place_of_the_file_is_replaced() {
    let folder = Folder::new("coredump-link");
    let granted = folder.path().join("granted");
    std::fs::create_dir(&granted).expect("it can be made");
    let victim = folder.file("victim", "as it was");
    let module = folder.file(
        "links.wat",
        r#"(module
            (import "wasi_snapshot_preview1" "path_symlink" (func $link (param i32 i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "victimcore")
            (func (export "_start")
                (drop (call $link (i32.const 0) (i32.const 6) (i32.const 3) (i32.const 6) (i32.const 4)))
                unreachable))"#,
    );
    std::os::unix::fs::symlink(&victim, granted.join("core")).expect("it can be made");
    let [grant, dump] = [format!("{}::/", granted.display()), format!("coredump={}/core", granted.display())];
    let ran = run(["--dir", &grant, "-D", &dump, &module.display().to_string()]);
    assert_eq!(ran.code, Some(134), "{ran:?}");
    assert_eq!(std::fs::read(&victim).expect("it is there"), b"as it was");
    let core = granted.join("core");
    assert!(!core.is_symlink() && std::fs::read(core).expect("it is there").starts_with(b"\0asm"), "{ran:?}");
}

#[test]
fn where_it_cannot_be_written_nothing_runs_and_other_keys_are_explained() {
    let folder = Folder::new("coredump-wrong");
    let module = folder.file("traps.wat", TRAPS).display().to_string();
    let ran = run(["-D", "coredump=/nowhere/at/all/core", &module]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("-D coredump=`/nowhere/at/all/core`: the folder cannot be opened"), "{ran:?}");
    for (given, said) in [
        ("coredump", "`coredump` wants a file: coredump=FILE"),
        ("coredmp=x", "there is no `coredmp`; did you mean `coredump`?"),
        ("debug-info=y", "insula has no `debug-info`"),
    ] {
        let ran = run(["-D", given, &module]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
        assert!(ran.stderr.contains(said), "{ran:?}");
    }
}
