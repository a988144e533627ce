//! Filters of images. Each entry is a service that answers an image with an image of the same size.

use insula_guest::Blob;
use serde::{Deserialize, Serialize};

/// As the program has it: four bytes for each pixel, red, green, blue and alpha, row by row.
#[derive(Serialize, Deserialize)]
struct Image {
    width: u32,
    height: u32,
    pixels: Blob,
}

type Answer = Result<Image, String>;

/// Has `filter` make new pixels of the old ones and the width of a row.
fn filtered(image: Image, filter: impl FnOnce(&mut [[u8; 4]], usize)) -> Answer {
    let bytes = image.pixels.into_bytes().map_err(|refused| refused.to_string())?;
    let (mut pixels, rest): (Vec<[u8; 4]>, _) = (bytes.chunks_exact(4).map(pixel).collect(), bytes.len() % 4);
    if rest != 0 || pixels.len() as u64 != u64::from(image.width) * u64::from(image.height) {
        return Err(format!("{} bytes are no image of {} x {}", bytes.len(), image.width, image.height));
    }
    filter(&mut pixels, image.width as usize);
    let pixels = Blob::new(pixels.as_flattened()).map_err(|refused| refused.to_string())?;
    Ok(Image { pixels, ..image })
}

fn pixel(bytes: &[u8]) -> [u8; 4] {
    [bytes[0], bytes[1], bytes[2], bytes[3]]
}

/// How bright it looks: Rec. 601, in whole numbers.
fn luma([red, green, blue, _]: [u8; 4]) -> u8 {
    let sum = 299 * u32::from(red) + 587 * u32::from(green) + 114 * u32::from(blue);
    (sum / 1_000).min(255) as u8
}

fn gray(image: Image) -> Answer {
    filtered(image, |pixels, _| {
        for pixel in pixels {
            let gray = luma(*pixel);
            *pixel = [gray, gray, gray, pixel[3]];
        }
    })
}

fn invert(image: Image) -> Answer {
    filtered(image, |pixels, _| {
        for [red, green, blue, _] in pixels {
            (*red, *green, *blue) = (!*red, !*green, !*blue);
        }
    })
}

/// Each pixel becomes the mean of itself and its neighbours.
fn blur(image: Image) -> Answer {
    filtered(image, |pixels, width| {
        let old = pixels.to_vec();
        for (at, pixel) in pixels.iter_mut().enumerate() {
            let near: Vec<[u8; 4]> = neighbours(&old, width, at).collect();
            let mean = |part: usize| near.iter().map(|pixel| usize::from(pixel[part])).sum::<usize>() / near.len();
            *pixel = [mean(0) as u8, mean(1) as u8, mean(2) as u8, pixel[3]];
        }
    })
}

/// Each pixel becomes as bright as its neighbours differ.
fn edges(image: Image) -> Answer {
    filtered(image, |pixels, width| {
        let old = pixels.to_vec();
        for (at, pixel) in pixels.iter_mut().enumerate() {
            let (darkest, brightest) = neighbours(&old, width, at)
                .map(luma)
                .fold((u8::MAX, u8::MIN), |(low, high), luma| (low.min(luma), high.max(luma)));
            let edge = brightest - darkest;
            *pixel = [edge, edge, edge, pixel[3]];
        }
    })
}

/// The pixel itself and those around it, as far as there are any.
fn neighbours(pixels: &[[u8; 4]], width: usize, at: usize) -> impl Iterator<Item = [u8; 4]> {
    let (column, row, height) = (at % width, at / width, pixels.len() / width);
    let rows = row.saturating_sub(1)..(row + 2).min(height);
    let columns = column.saturating_sub(1)..(column + 2).min(width);
    rows.flat_map(move |row| columns.clone().map(move |column| pixels[row * width + column]))
}

insula_guest::export_service!(gray as "gray");
insula_guest::export_service!(invert as "invert");
insula_guest::export_service!(blur as "blur");
insula_guest::export_service!(edges as "edges");

fn main() {}
