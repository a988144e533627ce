//! Filters that mean no good, or are no good, each in its own way. What they do not spoil they leave as it is.

use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};

use insula_guest::Blob;
use serde::{Deserialize, Serialize};

/// As the program has it.
#[derive(Serialize, Deserialize)]
struct Image {
    width: u32,
    height: u32,
    pixels: Blob,
}

type Answer = Result<Image, String>;

/// Never answers.
fn loops(_: Image) -> Answer {
    loop {
        std::hint::spin_loop();
    }
}

/// Is well-behaved twice, and gives up at its third image: the trap `unreachable`, without a word.
fn traps(image: Image) -> Answer {
    static SEEN: AtomicU32 = AtomicU32::new(0);
    if SEEN.fetch_add(1, Ordering::Relaxed) == 2 {
        gives_up();
    }
    Ok(image)
}

#[inline(never)]
fn gives_up() {
    std::process::abort();
}

/// Takes all memory that there is.
fn hoards(_: Image) -> Answer {
    let mut all = Vec::new();
    loop {
        all.push(black_box(vec![1_u8; 1 << 20]));
    }
}

/// Answers with fewer pixels than it says.
fn lies(image: Image) -> Answer {
    let pixels = Blob::new(&[0; 4]).map_err(|refused| refused.to_string())?;
    Ok(Image { width: image.width, height: image.height, pixels })
}

/// Does not like any image, and says so.
fn refuses(image: Image) -> Answer {
    Err(format!("{} pixels are too many for me", u64::from(image.width) * u64::from(image.height)))
}

insula_guest::export_service!(loops as "loops");
insula_guest::export_service!(traps as "traps");
insula_guest::export_service!(hoards as "hoards");
insula_guest::export_service!(lies as "lies");
insula_guest::export_service!(refuses as "refuses");

fn main() {}
