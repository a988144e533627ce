//! How many isolates a run may have, and on how many threads.

use super::run;
use crate::harness::guest;

#[test]
fn as_many_isolates_live_as_were_allowed() {
    let main = guest("main_first").display().to_string();
    let ran = run(["--isolates", "1", "--threads", "1", &main]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
    assert!(ran.stderr.contains("1 live isolates"), "{ran:?}");
    let ran = run(["--isolates", "2", "--threads", "1", &main]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "main ends\nthe child goes on\n"), "{ran:?}");
}
