//! Links the guest for density, as docs/performance.md says: the shadow stack is so long that data, `.bss` and the first
//! bytes of the heap share their last page, and the top of the stack the page of the first constants.

/// Bytes of the shadow stack: 128 KiB, less data and `.bss` (21,832), less 696 for the heap's first pieces.
const STACK_BYTES: usize = 108_544;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_FAMILY").is_ok_and(|family| family == "wasm") {
        println!("cargo:rustc-link-arg-bin=insula-compare-guest=-zstack-size={STACK_BYTES}");
    }
}
