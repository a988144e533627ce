//! Files in memory that nobody can change any more, not even we: the kernel copies into them and maps them, and no byte of
//! them has to be touched on the way.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create, sendfile};
use rustix::process::{Resource, getrlimit};

/// Bytes that are read at a time.
const PIECE_BYTES: usize = 16 << 10;

/// So many bytes of a file, from where it is.
pub(super) fn copy(file: &File, length: u64) -> io::Result<File> {
    // Who writes more than that is killed, also to a file in memory.
    if getrlimit(Resource::Fsize).current.is_some_and(|bytes_max| bytes_max < length) {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let copied = memfd_create("insula-code", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let mut left = usize::try_from(length).map_err(|_| io::ErrorKind::FileTooLarge)?;
    while left > 0 {
        match sendfile(&copied, file, None, left)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            some => left -= some,
        }
    }
    // Refused where somebody has mapped it to write to it.
    fcntl_add_seals(&copied, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
    Ok(File::from(copied))
}

/// Hands on all that it holds, piece by piece.
pub(super) fn read(file: &File, mut piece: impl FnMut(&[u8])) -> io::Result<()> {
    let (mut bytes, mut at) = ([0; PIECE_BYTES], 0);
    loop {
        match file.read_at(&mut bytes, at)? {
            0 => return Ok(()),
            some => {
                piece(&bytes[..some]);
                at += some as u64;
            }
        }
    }
}
