//! What an embedder can rely on: loading, spawning, limits, and every way to end as a value.

mod ends;
mod rules;
mod start;
