//! Links the guest for density, as docs/performance.md says: the shadow stack is so long that data, `.bss` and what the
//! heap holds while the program waits lie in the last page of 4 KiB of the memory that it is born with.

/// Programs, and the bytes of their data and `.bss`.
const PROGRAMS: [(&str, usize); 2] = [("insula-compare-guest", 21_112), ("insula-compare-lives", 14_938)];

/// Bytes of the memory that a program is born with.
const MEMORY_BYTES: usize = 128 << 10;

/// What the heap needs while the program waits.
const HEAP_BYTES: usize = 3_160;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_FAMILY").is_ok_and(|family| family == "wasm") {
        for (program, data_bytes) in PROGRAMS {
            // The stack is aligned to 16.
            let stack_bytes = (MEMORY_BYTES - HEAP_BYTES - data_bytes) / 16 * 16;
            println!("cargo:rustc-link-arg-bin={program}=-zstack-size={stack_bytes}");
        }
    }
}
