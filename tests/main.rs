//! The promises of insula, held through the real host: one binary, a module for each kind of promise.
//!
//! | module | promise |
//! |---|---|
//! | [`semantics`] | what isolates do, told by guest programs under both schedulers |
//! | [`conformance`] | the scenarios of Dart's suites, and every death as its observers are told of it |
//! | [`embedding`] | what an embedder can rely on |
//! | [`cli`] | what the command line prints, and the code it ends with |
//! | [`hostile`] | what a guest that means harm cannot do |
//! | [`public_api`] | what an embedder sees: no type of other crates, and a test for every call that may wait |
//! | [`random`] | random programs keep the laws of the model |
//! | [`scale`] | many isolates at once |
//! | [`readme`] | what the README shows compiles and runs |
//! | [`docs`] | every link leads somewhere, and every program in the guides is compiled |
//! | [`sentences`] | every sentence of the semantics has a test, and docs/semantics.md says which |
//! | [`contract`] | the WIT, the host's linker and the SDK say the same |
//! | [`interleavings`] | layer 2 is right in every interleaving of a few threads |
//! | [`instructions`] | no hot path takes more instructions than is written down |
//! | [`tidy`] | the code reads as CONTRIBUTING.md says |

mod cli;
mod conformance;
mod contract;
mod docs;
mod embedding;
mod harness;
mod hostile;
mod instructions;
mod interleavings;
mod public_api;
mod random;
mod readme;
mod scale;
mod semantics;
mod sentences;
mod tidy;
