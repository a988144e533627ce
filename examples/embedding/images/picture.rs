//! Images as the program has them, and as PNG files.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use png::{BitDepth, ColorType, Decoder, Encoder, Transformations};

/// An image: four bytes for each pixel, red, green, blue and alpha, row by row.
pub(crate) struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) pixels: Vec<u8>,
}

impl Picture {
    /// Reads a PNG file of any kind, with colours of 8 bits.
    pub(crate) fn read(path: &Path) -> Result<Picture> {
        let name = || format!("{}", path.display());
        let mut decoder = Decoder::new(BufReader::new(File::open(path).with_context(name)?));
        decoder.set_transformations(Transformations::ALPHA | Transformations::STRIP_16);
        let mut reader = decoder.read_info().with_context(name)?;
        let size = reader.output_buffer_size().with_context(|| format!("{}: it is too large", path.display()))?;
        let mut pixels = vec![0; size];
        let info = reader.next_frame(&mut pixels).with_context(name)?;
        pixels.truncate(info.buffer_size());
        if info.color_type == ColorType::GrayscaleAlpha {
            pixels = pixels.chunks_exact(2).flat_map(|pixel| [pixel[0], pixel[0], pixel[0], pixel[1]]).collect();
        }
        let picture = Picture { width: info.width, height: info.height, pixels };
        ensure!(picture.is_whole(), "{}: {:?} is more than this program reads", path.display(), info.color_type);
        Ok(picture)
    }

    /// Writes it as a PNG file.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let name = || format!("{}", path.display());
        let file = BufWriter::new(File::create(path).with_context(name)?);
        let mut encoder = Encoder::new(file, self.width, self.height);
        encoder.set_color(ColorType::Rgba);
        encoder.set_depth(BitDepth::Eight);
        let mut writer = encoder.write_header().with_context(name)?;
        writer.write_image_data(&self.pixels).with_context(name)?;
        writer.finish().with_context(name)
    }

    /// Whether there are as many pixels as its size says.
    pub(crate) fn is_whole(&self) -> bool {
        self.pixels.len() as u64 == 4 * u64::from(self.width) * u64::from(self.height)
    }
}
