//! Images through a chain of filters, each of them a plugin that nobody vouches for.
//!
//! ```sh
//! cargo run --release --example images
//! cargo run --release --example images -- --stages gray,loops,blur --out /tmp/filtered my.png
//! ```
//!
//! Every image comes out, whatever the plugins do: one that fails is named, with how it ended and where; the image goes on
//! without it, and the plugin begins anew, with fresh memory, or is left out when it failed too often.

mod chain;
mod picture;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use insula::Host;
use insula_embedding::Plugins;

use chain::{Chain, Failure, Outcome};
use picture::Picture;

/// Filters images by plugins.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    plugins: Plugins,
    /// The plugins that an image goes through: gray, invert, blur, edges; and traps, loops, hoards, lies, refuses
    #[arg(long, value_delimiter = ',', default_value = "gray,traps,blur,hoards,edges")]
    stages: Vec<String>,
    /// Milliseconds that a plugin has for an image
    #[arg(long, value_name = "MS", default_value_t = 2_000)]
    time: u64,
    /// Where the images go, under their own names
    #[arg(long, value_name = "FOLDER", default_value = "target/filtered")]
    out: PathBuf,
    /// PNG files; without any, those that lie beside this program's sources
    images: Vec<PathBuf>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let folder = arguments.plugins.folder()?;
    let images = if arguments.images.is_empty() { pictures()? } else { arguments.images };
    std::fs::create_dir_all(&arguments.out).with_context(|| format!("{}", arguments.out.display()))?;

    // Whatever ends badly is told below, once, by whom it concerns.
    let host = Host::builder().isolates(64).on_uncaught(|_| ()).build()?;
    let mut chain = Chain::open(&host, &folder, &arguments.stages, Duration::from_millis(arguments.time))?;
    for path in &images {
        let name = path.file_name().with_context(|| format!("{} is no file", path.display()))?;
        let filtered = through(&mut chain, Picture::read(path)?, &name.to_string_lossy());
        filtered.write(&arguments.out.join(name))?;
    }
    println!("{} images in {}", images.len(), arguments.out.display());
    Ok(())
}

/// Takes an image through all stages, and tells what became of it.
fn through(chain: &mut Chain, mut picture: Picture, name: &str) -> Picture {
    let mut passed = Vec::new();
    let mut failures = Vec::new();
    for stage in chain.stages() {
        match stage.filter(&picture) {
            Outcome::Filtered(filtered) => {
                picture = filtered;
                passed.push(stage.name());
            }
            Outcome::Failed(failure) => failures.push(failure),
            Outcome::LeftOut => {}
        }
    }
    println!("{name}: {} x {}: {}", picture.width, picture.height, passed.join(", "));
    failures.iter().for_each(tell);
    picture
}

fn tell(failure: &Failure) {
    println!("  {} failed: {}", failure.stage, failure.what);
    for frame in &failure.frames {
        println!("    at {frame}");
    }
    println!("  {} {}", failure.stage, failure.then);
}

/// The images that come with this program, in the order of their names.
fn pictures() -> Result<Vec<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("pictures");
    let entries = std::fs::read_dir(&folder).with_context(|| format!("{}", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}
