//! What an embedder can rely on: loading, spawning, limits, handles, and every way to end as a value.

mod asleep;
mod calls;
mod children;
mod compile_child;
mod compiling;
mod ends;
mod examples;
mod functions;
mod grants;
mod handles;
mod joining;
mod last_words;
mod listeners;
mod phases;
mod plugins;
mod rules;
mod service_pool;
mod shares;
mod start;
mod stdio;
mod testing;
mod trusted;
mod usage;
mod values;
mod warnings;
mod worst_moments;
