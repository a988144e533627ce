//! The promises of insula, held through the real host: one binary, a module for each kind of promise.
//!
//! | module | promise |
//! |---|---|
//! | [`semantics`] | what isolates do, told by guest programs under both schedulers |
//! | [`embedding`] | what an embedder can rely on |
//! | [`cli`] | what the command line prints, and the code it ends with |
//! | [`hostile`] | what a guest that means harm cannot do |
//! | [`random`] | random programs keep the laws of the model |
//! | [`scale`] | many isolates at once |
//! | [`readme`] | what the README shows compiles and runs |
//! | [`contract`] | the WIT, the host's linker and the SDK say the same |
//! | [`interleavings`] | layer 2 is right in every interleaving of a few threads |
//! | [`tidy`] | the code reads as CONTRIBUTING.md says |

mod cli;
mod contract;
mod embedding;
mod harness;
mod hostile;
mod interleavings;
mod random;
mod readme;
mod scale;
mod semantics;
mod tidy;
