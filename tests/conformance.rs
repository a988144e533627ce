//! Scenarios of Dart's own suites for isolates, restated for wasm guests, and some that go beyond Dart.
//!
//! A test carries its origin in its name: `dart_` and what Dart's scenario pins, or `beyond_` where Dart has no such
//! thing. The deaths are judged by a [`ledger`], which is tested with faults planted in what it judges.

mod beyond;
mod control;
mod deaths;
mod handles;
mod ledger;
mod life;
mod ports;
mod scale;
mod wire;
