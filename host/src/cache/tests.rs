//! What is written comes back, and nothing else is believed.

use std::os::unix::fs::PermissionsExt;
use std::sync::Barrier;

use super::*;
use crate::engine::{Kind, Trial};

/// A folder of this test's own, removed at its end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("insula-cache-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Scratch(path)
    }

    fn entries(&self) -> Vec<PathBuf> {
        let all = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path());
        all.filter(|path| !path.ends_with(KEY_FILE)).collect()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn compiled(engine: &Engine) -> ([u8; 32], Module) {
    let wasm = wat::parse_str("(module (func (export \"answer\") (result i32) i32.const 42))").unwrap();
    (crate::compile::digest(&wasm), Module::new(engine, &wasm).unwrap())
}

#[test]
fn a_module_comes_back_in_another_process_life() {
    let (scratch, engine) = (Scratch::new("back"), Engine::default());
    let (digest, module) = compiled(&engine);
    Cache::open(scratch.0.clone()).store(&entry(&digest), &module);
    let loaded = Cache::open(scratch.0.clone()).load(&engine, &entry(&digest)).unwrap();
    assert_eq!(loaded.exports().map(|export| export.name().to_owned()).collect::<Vec<_>>(), ["answer"]);
    assert!(Cache::open(scratch.0.clone()).load(&engine, &entry(&[0; 32])).is_none());
    assert_eq!((mode(&scratch.0), mode(&scratch.0.join(KEY_FILE))), (0o700, 0o600));
    assert_eq!(scratch.entries().iter().map(|path| mode(path)).collect::<Vec<_>>(), [0o600]);
}

fn entry(digest: &[u8; 32]) -> EntryName {
    EntryName::of(&Trial::of(Kind::Checked, 64 << 10), digest)
}

/// The engines of a host: code without epoch checks must never come where they are counted on.
#[test]
fn an_engine_of_another_kind_has_entries_of_its_own() {
    let scratch = Scratch::new("kind");
    let trials = [Kind::Checked, Kind::Trusted].map(|kind| Trial::of(kind, 64 << 10));
    let [checked, trusted] = trials.map(|trial| (trial, crate::engine::engine(trial.kind, &trial.shape).unwrap()));
    let cache = Cache::open(scratch.0.clone());
    for ((trial, engine), (other_trial, other)) in [(&checked, &trusted), (&trusted, &checked)] {
        let (digest, module) = compiled(engine);
        let name = EntryName::of(trial, &digest);
        cache.store(&name, &module);
        assert!(cache.load(engine, &name).is_some());
        assert!(cache.load(other, &EntryName::of(other_trial, &digest)).is_none());
        assert!(cache.load(other, &name).is_none(), "wasmtime itself refuses it");
        scratch.entries().iter().for_each(|entry| fs::remove_file(entry).unwrap());
    }
}

#[test]
fn what_code_depends_on_is_in_the_name_of_its_entry() {
    let of = |kind, bytes, digest| EntryName::of(&Trial::of(kind, bytes), &[digest; 32]).0;
    let names = [
        of(Kind::Checked, 64 << 10, 0),
        of(Kind::Counted, 64 << 10, 0),
        of(Kind::Trusted, 64 << 10, 0),
        of(Kind::Checked, 128 << 10, 0),
        of(Kind::Checked, 64 << 10, 1),
    ];
    assert_eq!(names.iter().collect::<std::collections::BTreeSet<_>>().len(), names.len());
    assert_eq!(names[0], of(Kind::Checked, 64 << 10, 0));
}

/// As one of another processor is, of those that share a folder.
#[test]
fn code_that_the_engine_does_not_take_is_replaced() {
    let scratch = Scratch::new("settings");
    let [one, other] = [true, false].map(|fuel| Engine::new(wasmtime::Config::new().consume_fuel(fuel)).unwrap());
    let (cache, (digest, module)) = (Cache::open(scratch.0.clone()), compiled(&one));
    cache.store(&entry(&digest), &module);
    assert!(cache.load(&other, &entry(&digest)).is_none());
    cache.store(&entry(&digest), &compiled(&other).1);
    assert!(cache.load(&other, &entry(&digest)).is_some() && scratch.entries().len() == 1);
}

#[test]
fn a_flipped_bit_anywhere_is_no_entry() {
    let (scratch, engine) = (Scratch::new("flip"), Engine::default());
    let (digest, module) = compiled(&engine);
    let cache = Cache::open(scratch.0.clone());
    cache.store(&entry(&digest), &module);
    let path = scratch.entries().remove(0);
    let whole = fs::read(&path).unwrap();
    for at in (0..HEAD_BYTES).chain((HEAD_BYTES..whole.len()).step_by(61)).chain([whole.len() - 1]) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        fs::write(&path, &bytes).unwrap();
        assert!(cache.load(&engine, &entry(&digest)).is_none(), "bit at byte {at} of {}", whole.len());
    }
    fs::write(&path, &whole).unwrap();
    assert!(cache.load(&engine, &entry(&digest)).is_some());
}

#[test]
fn a_cut_a_longer_and_a_renamed_file_are_no_entries() {
    let (scratch, engine) = (Scratch::new("cut"), Engine::default());
    let (digest, module) = compiled(&engine);
    let cache = Cache::open(scratch.0.clone());
    cache.store(&entry(&digest), &module);
    let path = scratch.entries().remove(0);
    let whole = fs::read(&path).unwrap();
    for length in [0, 1, MAGIC.len(), HEAD_BYTES - 1, HEAD_BYTES, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(cache.load(&engine, &entry(&digest)).is_none(), "{length} bytes");
    }
    fs::write(&path, [&whole[..], &[0]].concat()).unwrap();
    assert!(cache.load(&engine, &entry(&digest)).is_none());
    // Signed by us, but for another module.
    fs::write(path.with_file_name(entry(&[7; 32]).0), &whole).unwrap();
    assert!(cache.load(&engine, &entry(&[7; 32])).is_none());
}

#[test]
fn a_file_signed_with_another_key_is_no_entry() {
    let (scratch, engine) = (Scratch::new("key"), Engine::default());
    let (digest, module) = compiled(&engine);
    Cache::open(scratch.0.clone()).store(&entry(&digest), &module);
    fs::write(scratch.0.join(KEY_FILE), [0; TAG_BYTES]).unwrap();
    let cache = Cache::open(scratch.0.clone());
    assert!(cache.load(&engine, &entry(&digest)).is_none());
    cache.store(&entry(&digest), &module);
    assert!(cache.load(&engine, &entry(&digest)).is_some());
}

#[test]
fn a_key_that_was_cut_short_is_made_again() {
    let (scratch, engine) = (Scratch::new("short"), Engine::default());
    let (digest, module) = compiled(&engine);
    Cache::open(scratch.0.clone()).store(&entry(&digest), &module);
    fs::write(scratch.0.join(KEY_FILE), [1, 2, 3]).unwrap();
    let cache = Cache::open(scratch.0.clone());
    assert!(cache.load(&engine, &entry(&digest)).is_none());
    cache.store(&entry(&digest), &module);
    assert!(Cache::open(scratch.0.clone()).load(&engine, &entry(&digest)).is_some());
}

#[test]
fn what_others_may_write_to_or_read_the_key_of_is_refused() {
    let (scratch, engine) = (Scratch::new("open"), Engine::default());
    let (digest, module) = compiled(&engine);
    Cache::open(scratch.0.clone()).store(&entry(&digest), &module);
    for (path, bad, good) in
        [(scratch.0.clone(), [0o777, 0o770, 0o702], 0o700), (scratch.0.join(KEY_FILE), [0o666, 0o640, 0o604], 0o600)]
    {
        for bad in bad {
            chmod(&path, bad);
            let cache = Cache::open(scratch.0.clone());
            assert!(cache.place().is_none(), "{} with mode {bad:o}", path.display());
            assert!(cache.load(&engine, &entry(&digest)).is_none());
            cache.store(&entry(&digest), &module);
        }
        chmod(&path, good);
        assert!(Cache::open(scratch.0.clone()).load(&engine, &entry(&digest)).is_some());
    }
}

#[test]
fn a_folder_that_cannot_be_used_caches_nothing() {
    let engine = Engine::default();
    let (digest, module) = compiled(&engine);
    for folder in ["/dev/null/insula", "/proc/insula", "/dev/null"] {
        let cache = Cache::open(folder.into());
        cache.store(&entry(&digest), &module);
        assert!(cache.load(&engine, &entry(&digest)).is_none(), "{folder}");
    }
}

#[test]
fn first_users_that_race_agree_on_one_key_and_one_entry() {
    let (scratch, engine) = (Scratch::new("race"), Engine::default());
    let (digest, module) = compiled(&engine);
    let together = Barrier::new(8);
    std::thread::scope(|threads| {
        for _ in 0..8 {
            threads.spawn(|| {
                together.wait();
                let cache = Cache::open(scratch.0.clone());
                for _ in 0..10 {
                    cache.store(&entry(&digest), &module);
                    assert!(cache.load(&engine, &entry(&digest)).is_some());
                }
            });
        }
    });
    assert_eq!(scratch.entries().len(), 1, "{:?}", scratch.entries());
}

#[test]
fn the_oldest_entries_go_when_the_folder_is_full() {
    let (scratch, engine) = (Scratch::new("full"), Engine::default());
    let (_, module) = compiled(&engine);
    let mut cache = Cache::open(scratch.0.clone());
    cache.store(&entry(&[0; 32]), &module);
    let length = fs::metadata(&scratch.entries()[0]).unwrap().len();
    cache.place.get_mut().unwrap().as_mut().unwrap().bytes_max = length * 3;
    for number in 0..9 {
        cache.store(&entry(&[number; 32]), &module);
    }
    assert_eq!(scratch.entries().len(), 3);
    assert!(scratch.0.join(KEY_FILE).exists());
    assert!(cache.load(&engine, &entry(&[8; 32])).is_some());
}

#[cfg(target_os = "linux")]
#[test]
fn code_that_was_read_can_be_changed_by_nobody() {
    let scratch = Scratch::new("sealed");
    fs::create_dir_all(&scratch.0).unwrap();
    let path = scratch.0.join("file");
    fs::write(&path, [7; 100_000]).unwrap();
    let sealed = sealed::copy(&File::open(&path).unwrap(), 100_000).unwrap();
    let mut read = Vec::new();
    sealed::read(&sealed, |piece| read.extend_from_slice(piece)).unwrap();
    assert_eq!(read, [7; 100_000]);
    let refused = [(&sealed).write(&[1]).map(drop), sealed.set_len(1), sealed.set_len(200_000)];
    for refused in refused {
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }
    // One that was cut meanwhile is no entry.
    let short = sealed::copy(&File::open(&path).unwrap(), 100_001);
    assert_eq!(short.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
}

#[test]
fn code_that_cannot_be_sealed_is_read() {
    let scratch = Scratch::new("read");
    fs::create_dir_all(&scratch.0).unwrap();
    let path = scratch.0.join("file");
    fs::write(&path, [7; HEAD_BYTES + 10]).unwrap();
    let mut file = File::open(&path).unwrap();
    file.seek(SeekFrom::End(0)).unwrap();
    match Code::ours(&mut file, 10).unwrap() {
        Code::Ours(bytes) => assert_eq!(bytes, [7; 10]),
        #[cfg(target_os = "linux")]
        Code::Sealed(_) => panic!("nobody sealed it"),
    }
    assert!(Code::ours(&mut file, 11).is_err());
}
