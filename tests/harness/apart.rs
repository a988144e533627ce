//! A test in a process of its own: where what is measured, or used up, is the process's.

use std::process::Command;

/// Says to a test binary that it was started for one test.
const MARK: &str = "INSULA_TEST_APART";

/// Runs the body of the test `name` of a module in a process of its own, which is this test binary, started again for
/// that test alone.
///
/// # Panics
/// When it fails there, with what it printed.
pub(crate) fn apart(module: &str, name: &str, body: impl FnOnce()) {
    if std::env::var_os(MARK).is_some() {
        return body();
    }
    let (_, module) = module.split_once("::").expect("a module of the tests is in their crate");
    let test = format!("{module}::{name}");
    let mut again = Command::new(std::env::current_exe().expect("a running program has a path"));
    let output = again.args(["--exact", &test, "--nocapture"]).env(MARK, "1").output().expect("it can be run again");
    let printed = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && printed.contains("1 passed"), "{test} in its own process:\n{printed}{errors}");
}

/// What this process has of main memory now and had at most since [`measure_from_here`], in bytes.
pub(crate) fn resident() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").expect("a process can read its own status");
    let kibibytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        number.expect("the status has a number for each") << 10
    };
    (kibibytes("VmRSS:"), kibibytes("VmHWM:"))
}

/// From here on the most that [`resident`] tells is counted anew.
pub(crate) fn measure_from_here() {
    std::fs::write("/proc/self/clear_refs", "5").expect("a process may have its own peak forgotten");
}
