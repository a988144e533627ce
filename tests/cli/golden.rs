//! What commands print, kept as text files beside this one: looked at by eye once, and compared ever since.
//!
//! snapbox does it, since what it keeps is the very text and nothing around it, and `[..]` stands for what differs from
//! machine to machine. `SNAPSHOTS=overwrite cargo test cli` writes the files anew; what changed is then in the diff.

use snapbox::Data;
use snapbox::assert::DEFAULT_ACTION_ENV;
use snapbox::data::DataFormat;

use crate::harness::repository;

/// Compares with the file of this name, which the variable of snapbox's has written instead.
pub(super) fn golden(name: &str, printed: &str) {
    let path = repository().join("tests/cli/golden").join(name).with_extension("txt");
    let kept = Data::read_from(&path, Some(DataFormat::Text));
    snapbox::Assert::new().action_env(DEFAULT_ACTION_ENV).eq(Data::text(printed), kept);
}
