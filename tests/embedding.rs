//! What an embedder can rely on: loading, spawning, limits, handles, and every way to end as a value.

mod asleep;
mod ends;
mod handles;
mod listeners;
mod rules;
mod start;
mod trusted;
mod values;
