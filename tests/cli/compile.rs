//! `insula compile`, and what `insula run --allow-precompiled` takes and refuses.

use std::path::{Path, PathBuf};

use super::{Ran, insula, output, run};
use crate::harness::{self, Folder, example};

/// Compiles a module of the folder, in it, to what `-o` says.
fn compiled(folder: &Folder, name: &str) -> PathBuf {
    let output = folder.path().join(name);
    let module = folder.file("program.wat", "(module (func (export \"_start\")))");
    let ran = insula(["compile".as_ref(), "-o".as_ref(), output.as_os_str(), module.as_os_str()]);
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(0), "", ""), "{ran:?}");
    output
}

fn allowed(file: &Path) -> Ran {
    run(["--allow-precompiled".as_ref(), file.as_os_str()])
}

/// The file with a text of its head replaced by one of the same length, and its checksum made right again: as if it had
/// been made elsewhere.
fn changed(file: &Path, from: &str, to: &str) -> PathBuf {
    const SUM: std::ops::Range<usize> = 21..53;
    let mut bytes = std::fs::read(file).expect("it was written");
    let at = bytes.windows(from.len()).position(|part| part == from.as_bytes()).expect("its head has the text");
    bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    let sum = insula::Sha256::of(&bytes[SUM.end..]);
    bytes[SUM].copy_from_slice(&sum.0);
    let changed = file.with_file_name("changed.cwasm");
    std::fs::write(&changed, bytes).expect("it can be written");
    changed
}

fn is_refused(ran: &Ran, words: &[&str]) {
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.lines().count()), (Some(1), "", 1), "{ran:?}");
    for word in words {
        assert!(ran.stderr.contains(word), "{word} is not in {ran:?}");
    }
}

#[test]
fn what_was_compiled_runs_as_its_module_does() {
    let folder = Folder::new("compile");
    let mut command = harness::insula();
    command.arg("compile").arg(example("pingpong")).current_dir(folder.path());
    let ran = output(command);
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(0), "", ""), "{ran:?}");
    let ran = allowed(&folder.path().join("pingpong.cwasm"));
    assert_eq!(ran.stdout, "Worker received: ping\nMain received: pong\n", "{ran:?}");
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
}

#[test]
fn it_is_loaded_by_permit_only_and_whatever_its_name_is() {
    let folder = Folder::new("compile");
    for name in ["program.cwasm", "looks-like-a-module.wasm"] {
        let file = compiled(&folder, name);
        is_refused(&run([&file]), &[name, "--allow-precompiled", ".wasm"]);
        assert_eq!(allowed(&file).code, Some(0));
    }
    // The flag takes nothing away: modules run as before, and wasmtime's code is nobody's.
    assert_eq!(allowed(&folder.path().join("program.wat")).code, Some(0));
    is_refused(&allowed(&folder.file("elf.cwasm", b"\x7fELF\x02\x01\x01 and so on")), &["elf.cwasm"]);
}

#[test]
fn another_version_and_another_machine_are_named() {
    let folder = Folder::new("compile");
    let file = compiled(&folder, "program.cwasm");
    let version = env!("CARGO_PKG_VERSION");
    let older = changed(&file, version, &"9".repeat(version.len()));
    is_refused(&allowed(&older), &["changed.cwasm", "99999", version, "compile it again"]);
    let machine = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
    let elsewhere = changed(&file, &machine, &"m".repeat(machine.len()));
    is_refused(&allowed(&elsewhere), &["changed.cwasm", "mmmmm", &machine, "compile it again"]);
}

#[test]
fn a_file_that_was_cut_or_changed_is_refused() {
    let folder = Folder::new("compile");
    let file = compiled(&folder, "program.cwasm");
    let bytes = std::fs::read(&file).expect("it was written");
    let cut = folder.file("cut.cwasm", &bytes[..bytes.len() / 2]);
    is_refused(&allowed(&cut), &["cut.cwasm", "was cut or changed"]);
}

#[test]
fn what_cannot_be_compiled_leaves_no_file() {
    let folder = Folder::new("compile");
    let module = folder.file("imports.wat", "(module (import \"env\" \"nothing\" (func)))");
    let file = folder.path().join("out.cwasm");
    let to_file = |file: &Path| insula(["compile".as_ref(), "--output".as_ref(), file.as_os_str(), module.as_os_str()]);
    is_refused(&to_file(&file), &["imports.wat", "nothing"]);
    assert!(!file.exists());
    is_refused(&to_file(&module), &["imports.wat", "the module itself", "-o"]);
    assert!(std::fs::read(&module).is_ok_and(|text| text.starts_with(b"(module")), "the module is as it was");
    let module = folder.file("good.wat", "(module)");
    let nowhere = folder.path().join("no-folder/out.cwasm");
    is_refused(&insula(["compile".as_ref(), "-o".as_ref(), nowhere.as_os_str(), module.as_os_str()]), &["no-folder"]);
}

#[test]
fn it_is_inspected_without_running() {
    let folder = Folder::new("compile");
    let file = compiled(&folder, "program.cwasm");
    let ran = insula(["inspect".as_ref(), file.as_os_str()]);
    let said = format!("by insula {} for {}", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH);
    assert!(ran.code == Some(0) && ran.stdout.contains(&said) && ran.stdout.contains("_start"), "{ran:?}");
}
