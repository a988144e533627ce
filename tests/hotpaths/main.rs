//! `hotpaths NAME FEW MANY` walks one hot path so often, for the test of instructions, which runs it under callgrind.

use anyhow::Context as _;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, few, many] = &arguments[..] else { anyhow::bail!("usage: hotpaths NAME FEW MANY") };
    let path = insula_hotpaths::ALL.iter().find(|path| path.name == *name).context("there is no such path")?;
    path.measure(few.parse().context("FEW is a number")?, many.parse().context("MANY is a number")?)
}
