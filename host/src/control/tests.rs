//! Tests of control without wasm.
