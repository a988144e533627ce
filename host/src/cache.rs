//! Compiled modules on disk: written by us, authenticated by us, and otherwise not believed.
//!
//! wasmtime's compiled form is machine code: who can slip us a file of it runs what they like, outside of the sandbox.
//! So a folder holds a key that only this user can read, and every entry carries a keyed BLAKE3 under that key, over
//! what it is for (module, kind of code, versions) and over its bytes. An entry that is cut, flipped, of another key,
//! another kind or another version is no entry, nor is one for another processor: the module is compiled again. Nothing
//! here ever fails a run: a folder that cannot be used, or that others could write to, means that nothing is cached.
//!
//! Here is the one function that makes code of bytes ([`deserialize`]), and it takes only what is [`Vouched`] for. What is
//! refused: a folder or a key that belongs to another user or that others may write to, and every file that we did not
//! sign ourselves.

#[cfg(target_os = "linux")]
mod sealed;

use std::ffi::OsString;
use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use blake3::Hasher as Blake3;
use wasmtime::{Engine, Module, ModuleVersionStrategy};

use crate::engine::{SETTINGS, Trial};
use crate::error::machine;

/// What an entry begins with; a change of the format changes it.
const MAGIC: &[u8; 16] = b"insula-module-2\n";
/// Bytes of a tag, and of the key: BLAKE3 has both of this length.
const TAG_BYTES: usize = 32;
const HEAD_BYTES: usize = MAGIC.len() + TAG_BYTES;
/// A larger entry is neither written nor read.
const ENTRY_BYTES_MAX: u64 = 512 << 20;
/// What all entries may take; the oldest go first.
const FOLDER_BYTES_MAX: u64 = 1 << 30;
const KEY_FILE: &str = "key";

/// Compiled modules of earlier runs.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
    /// Opened when it is first asked for.
    place: OnceLock<Option<Place>>,
}

/// A folder that we trust, and the key to what lies in it.
#[derive(Debug)]
struct Place {
    folder: PathBuf,
    key: [u8; TAG_BYTES],
    bytes_max: u64,
}

impl Cache {
    /// The cache in `folder`, which is made where it is missing. One that cannot be used caches nothing.
    pub(crate) fn open(folder: PathBuf) -> Cache {
        Cache { folder, place: OnceLock::new() }
    }

    /// Where it is.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    fn place(&self) -> Option<&Place> {
        self.place.get_or_init(|| Place::open(self.folder.clone()).ok()).as_ref()
    }

    /// The module of an entry, if we have it and the engine takes its code.
    pub(crate) fn load(&self, engine: &Engine, name: &EntryName) -> Option<Module> {
        self.find(name)?.load(engine)
    }

    /// The code of an entry.
    pub(crate) fn find(&self, EntryName(name): &EntryName) -> Option<Authentic> {
        let place = self.place()?;
        let entry = place.read(name).ok()?;
        place.authentic(name, entry)
    }

    /// Keeps a compiled module for later runs; on any trouble it is not kept.
    pub(crate) fn store(&self, EntryName(name): &EntryName, module: &Module) {
        let Some(place) = self.place() else { return };
        let Ok(compiled) = module.serialize() else { return };
        // A full disk or a folder that became read-only costs the next run its compile time, and nothing else.
        let _ = place.write(name, &compiled);
        let _ = place.prune();
    }
}

impl Authentic {
    /// The module, in an engine that takes its code.
    pub(crate) fn load(&self, engine: &Engine) -> Option<Module> {
        match deserialize(engine, Vouched(self.0.bytes())) {
            Ok(module) => Some(module),
            // A system may forbid that such a file is mapped as code.
            Err(_) => deserialize(engine, Vouched(Bytes::Ours(&self.0.copied()?))).ok(),
        }
    }
}

/// Compiled code, and somebody who answers for it that `serialize` or `precompile_module` made these very bytes.
#[derive(Clone, Copy)]
pub(crate) struct Vouched<'a>(Bytes<'a>);

/// Bytes that nobody else can change.
#[derive(Clone, Copy)]
enum Bytes<'a> {
    Ours(&'a [u8]),
    #[cfg(target_os = "linux")]
    Sealed(&'a File),
}

/// A file of this folder, read once: its tag, and its code.
struct Entry {
    tag: [u8; TAG_BYTES],
    code: Code,
}

/// The code of an entry that we wrote.
pub(crate) struct Authentic(Code);

/// Where an entry's code was read to.
enum Code {
    Ours(Vec<u8>),
    /// Mapped as it is, where a copy of ours would be copied once more.
    #[cfg(target_os = "linux")]
    Sealed(File),
}

impl<'a> Vouched<'a> {
    /// What a child of ours wrote to the pipe that only it has. The embedder answers for it: it named the program.
    pub(crate) fn by_child(code: &'a [u8]) -> Vouched<'a> {
        Vouched(Bytes::Ours(code))
    }

    /// What an embedder kept.
    ///
    /// # Safety
    /// The bytes are what [`serialized`] returned, unchanged.
    #[allow(unsafe_code, reason = "a promise that nothing here can check")]
    pub(crate) unsafe fn by_embedder(code: &'a [u8]) -> Vouched<'a> {
        Vouched(Bytes::Ours(code))
    }
}

/// The same module for another engine that takes its code.
///
/// # Errors
/// Where the system has no memory for it.
pub(crate) fn loaded_again(engine: &Engine, module: &Module) -> wasmtime::Result<Module> {
    deserialize(engine, Vouched(Bytes::Ours(&module.serialize()?)))
}

/// Compiled code as bytes.
pub(crate) fn serialized(module: &Module) -> Vec<u8> {
    module.serialize().expect("only a part of a component has no bytes of its own")
}

/// The module that these bytes are the code of.
///
/// # Errors
/// Where they are of another engine, or the engine's pool has no room for such a module.
#[allow(unsafe_code, reason = "the one place where bytes become machine code")]
pub(crate) fn deserialize(engine: &Engine, Vouched(compiled): Vouched<'_>) -> wasmtime::Result<Module> {
    // SAFETY: both calls ask for bytes that `serialize` or `precompile_module` made, unchanged for as long as they are used:
    // one reads them from our memory, and the other maps a file that was sealed, so that nobody can write to it, before it
    // was looked at. There are four who make a `Vouched`: `Authentic::load`, of what `Place::authentic` saw our tag over
    // (only this user can read the key, and `Place::write` signs only what `serialize` returned; the signed name holds the
    // kind of code, its settings and both versions, and wasmtime refuses code of a processor that has more);
    // `loaded_again`, of what `serialize` returned to it; `Vouched::by_child`, of a program that the embedder named for this;
    // and `Vouched::by_embedder`, whose caller promises it.
    unsafe {
        match compiled {
            Bytes::Ours(bytes) => Module::deserialize(engine, bytes),
            #[cfg(target_os = "linux")]
            Bytes::Sealed(file) => Module::deserialize_open_file(engine, file.try_clone()?),
        }
    }
}

impl Place {
    fn open(folder: PathBuf) -> io::Result<Place> {
        private::create_folder(&folder)?;
        private::check(&fs::metadata(&folder)?)?;
        let key = load_key(&folder)?;
        Ok(Place { folder, key, bytes_max: FOLDER_BYTES_MAX })
    }

    /// The whole entry, in memory of ours: what is authenticated is what is used, whatever happens to the file.
    fn read(&self, name: &str) -> io::Result<Entry> {
        let mut file = File::open(self.folder.join(name))?;
        let length = file.metadata()?.len();
        if length > ENTRY_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let (mut magic, mut tag) = ([0; MAGIC.len()], [0; TAG_BYTES]);
        file.read_exact(&mut magic)?;
        file.read_exact(&mut tag)?;
        if magic != *MAGIC {
            return Err(io::ErrorKind::InvalidData.into());
        }
        // An entry is renamed into its place whole: one that ends sooner now is broken, and one that goes on is not read on.
        let code = Code::read(&mut file, length.saturating_sub(HEAD_BYTES as u64))?;
        Ok(Entry { tag, code })
    }

    /// The code of an entry, if we wrote it under this name.
    fn authentic(&self, name: &str, Entry { tag, code }: Entry) -> Option<Authentic> {
        let mut mac = self.mac();
        code.read_into(&mut mac).ok()?;
        // Compared in constant time, as all hashes of BLAKE3's are.
        (tag_of(mac, name) == tag).then_some(Authentic(code))
    }

    /// Writes beside and renames, so that readers and other writers see a whole entry or none.
    fn write(&self, name: &str, compiled: &[u8]) -> io::Result<()> {
        if compiled.len() as u64 > ENTRY_BYTES_MAX - HEAD_BYTES as u64 {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let temporary = self.folder.join(temporary_name(name));
        let written = write_new(&temporary, |file| {
            file.write_all(MAGIC)?;
            let mut mac = self.mac();
            mac.update(compiled);
            file.write_all(tag_of(mac, name).as_bytes())?;
            file.write_all(compiled)
        });
        let kept = written.and_then(|()| fs::rename(&temporary, self.folder.join(name)));
        if kept.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        kept
    }

    /// What code is signed with; see [`tag_of`].
    fn mac(&self) -> Blake3 {
        Blake3::new_keyed(&self.key)
    }

    /// Drops the oldest files until the rest fits; what a killed writer left behind goes the same way.
    fn prune(&self) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if metadata.is_file() && entry.file_name() != KEY_FILE {
                files.push((metadata.modified()?, metadata.len(), entry.path()));
            }
        }
        files.sort();
        let mut total: u64 = files.iter().map(|(_, length, _)| length).sum();
        for (_, length, path) in files {
            if total <= self.bytes_max {
                break;
            }
            // Somebody else may have removed it: gone is gone.
            let _ = fs::remove_file(path);
            total -= length;
        }
        Ok(())
    }
}

impl Code {
    /// So many bytes of a file, from where it is.
    fn read(file: &mut File, length: u64) -> io::Result<Code> {
        #[cfg(target_os = "linux")]
        if let Ok(sealed) = sealed::copy(file, length) {
            return Ok(Code::Sealed(sealed));
        }
        Code::ours(file, length)
    }

    /// The same, in memory of ours.
    fn ours(file: &mut File, length: u64) -> io::Result<Code> {
        file.seek(SeekFrom::Start(HEAD_BYTES as u64))?;
        let mut bytes = vec![0; usize::try_from(length).map_err(|_| io::ErrorKind::FileTooLarge)?];
        file.read_exact(&mut bytes)?;
        Ok(Code::Ours(bytes))
    }

    fn bytes(&self) -> Bytes<'_> {
        match self {
            Code::Ours(bytes) => Bytes::Ours(bytes),
            #[cfg(target_os = "linux")]
            Code::Sealed(file) => Bytes::Sealed(file),
        }
    }

    /// What lies in no memory of ours yet.
    fn copied(&self) -> Option<Vec<u8>> {
        match self {
            Code::Ours(_) => None,
            #[cfg(target_os = "linux")]
            Code::Sealed(file) => {
                let mut bytes = Vec::new();
                sealed::read(file, |piece| bytes.extend_from_slice(piece)).ok()?;
                Some(bytes)
            }
        }
    }

    /// Adds it to what is signed.
    fn read_into(&self, mac: &mut Blake3) -> io::Result<()> {
        match self {
            Code::Ours(bytes) => _ = mac.update(bytes),
            #[cfg(target_os = "linux")]
            Code::Sealed(file) => sealed::read(file, |bytes| _ = mac.update(bytes))?,
        }
        Ok(())
    }
}

/// The tag of an entry of this name, once its code was added. The name comes last, so that the code is hashed in whole
/// blocks; it has one length, so no other pair of name and code makes the same input.
fn tag_of(mut mac: Blake3, name: &str) -> blake3::Hash {
    mac.update(MAGIC).update(name.as_bytes()).finalize()
}

/// A digest of all that makes this engine's code: settings, processor, version. Engines of two processes that have the
/// same one take each other's code.
pub(crate) fn engine_digest(engine: &Engine) -> [u8; 32] {
    let mut all = Digested(Blake3::new());
    engine.precompile_compatibility_hash().hash(&mut all);
    all.0.finalize().into()
}

/// The name of an entry: a digest of what code depends on that is known before there is an engine.
///
/// What a processor has besides its architecture is no part of it, and wasmtime looks at that: of several that share a
/// folder, each takes code that it can run, and what it compiles itself takes the place of other code.
#[derive(PartialEq, Eq)]
pub(crate) struct EntryName(String);

impl EntryName {
    /// Of the code of the module whose bytes have this digest, made so by this wasmtime.
    pub(crate) fn of(Trial { kind, shape }: &Trial, digest: &[u8; 32]) -> EntryName {
        let mut all = Digested(Blake3::new());
        all.write(digest);
        (kind, shape.memory_reservation_bytes, SETTINGS, env!("CARGO_PKG_VERSION"), machine()).hash(&mut all);
        ModuleVersionStrategy::WasmtimeVersion.hash(&mut all);
        EntryName(all.0.finalize().to_hex().to_string())
    }
}

/// Feeds what `Hash` visits to BLAKE3: 64 bits of a `Hasher` would be too few to tell engines apart.
struct Digested(Blake3);

impl Hasher for Digested {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        unreachable!("the digest is taken from the field")
    }
}

/// A name that no other writer of any process uses.
fn temporary_name(name: &str) -> OsString {
    static WRITES: AtomicU64 = AtomicU64::new(0);
    let number = WRITES.fetch_add(1, Ordering::Relaxed);
    format!("{name}.{}-{number}.new", std::process::id()).into()
}

/// Creates the file, which must not be there, readable by this user only.
fn write_new(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    match private::create_file(path) {
        Ok(mut file) => fill(&mut file),
        // A process that died had our number: its rest is in the way, and nobody else's.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(path)?;
            fill(&mut private::create_file(path)?)
        }
        Err(error) => Err(error),
    }
}

/// This user's key; the first process makes it.
fn load_key(folder: &Path) -> io::Result<[u8; TAG_BYTES]> {
    let path = folder.join(KEY_FILE);
    match read_key(&path) {
        Ok(key) => return Ok(key),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        // Cut short, by a full disk or a lost write: no entry can be worth anything now.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => fs::remove_file(&path)?,
        Err(error) => return Err(error),
    }
    make_key(folder, &path)?;
    // Read back, since another process may have been first.
    read_key(&path)
}

fn read_key(path: &Path) -> io::Result<[u8; TAG_BYTES]> {
    let mut file = File::open(path)?;
    // Asked of the open file: a path may name another one a moment later.
    private::check(&file.metadata()?)?;
    let mut key = [0; TAG_BYTES];
    file.read_exact(&mut key)?;
    Ok(key)
}

/// A new key appears whole or not at all, and never replaces one that is there.
fn make_key(folder: &Path, path: &Path) -> io::Result<()> {
    let mut key = [0; TAG_BYTES];
    File::open("/dev/urandom")?.read_exact(&mut key)?;
    let temporary = folder.join(temporary_name(KEY_FILE));
    let linked = write_new(&temporary, |file| file.write_all(&key).and_then(|()| file.sync_all()))
        .and_then(|()| fs::hard_link(&temporary, path));
    let _ = fs::remove_file(&temporary);
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    }
}

/// Files and folders that are this user's alone.
#[cfg(unix)]
mod private {
    use std::fs::{DirBuilder, File, Metadata, OpenOptions};
    use std::io;
    use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
    use std::path::Path;

    pub(super) fn create_folder(path: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)
    }

    pub(super) fn create_file(path: &Path) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
    }

    /// Refuses what another user owns or may change; a key, that is a file, nobody else may even read.
    pub(super) fn check(metadata: &Metadata) -> io::Result<()> {
        let denied = if metadata.is_dir() { 0o022 } else { 0o077 };
        let kind = metadata.is_dir() || metadata.is_file();
        let ours = metadata.uid() == rustix::process::geteuid().as_raw();
        if kind && ours && metadata.mode() & denied == 0 {
            return Ok(());
        }
        Err(io::ErrorKind::PermissionDenied.into())
    }
}

/// Elsewhere we cannot tell whose a file is, so nothing is cached.
#[cfg(not(unix))]
mod private {
    use std::fs::{File, Metadata};
    use std::io;
    use std::path::Path;

    pub(super) fn create_folder(_: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn create_file(_: &Path) -> io::Result<File> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn check(_: &Metadata) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(test)]
mod tests;
