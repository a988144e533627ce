//! `hotpaths NAME TIMES` walks one hot path so often and ends; the test of instructions runs it under callgrind.

use anyhow::Context as _;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, times] = &arguments[..] else { anyhow::bail!("usage: hotpaths NAME TIMES") };
    let path = insula_hotpaths::ALL.iter().find(|path| path.name == *name).context("there is no such path")?;
    (path.walk)(times.parse().context("TIMES is a number")?)
}
