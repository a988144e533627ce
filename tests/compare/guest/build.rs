//! Links the guest for density, as docs/performance.md says: the shadow stack is so long that data, `.bss` and what the
//! heap holds while the program waits lie in the last page of 4 KiB of the memory that it is born with.

/// Bytes of the shadow stack: 128 KiB, less data and `.bss` (21,832), less 3,160 for the heap.
const STACK_BYTES: usize = 106_080;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_FAMILY").is_ok_and(|family| family == "wasm") {
        println!("cargo:rustc-link-arg-bin=insula-compare-guest=-zstack-size={STACK_BYTES}");
    }
}
