//! What wasmtime's command line has and insula's has not, and what there is instead.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::Run;

/// Flags of wasmtime's, in both spellings, and what to do without them.
const FLAGS: [(&[&str], &str); 5] = [
    (&["-O", "--optimize"], "all isolates share one engine, whose settings are fixed"),
    (&["-C", "--codegen"], "all isolates share one engine, whose settings are fixed"),
    (&["-S", "--wasi"], "what a program has is said by --dir, --env and --module"),
    (&["--preload"], "a module that the program may spawn is given by --module NAME=TARGET"),
    (&["--argv0"], "a program's own name is that of its file"),
];

/// The same error, or one that says what to do where wasmtime has a flag that is not known here.
pub(in crate::cli) fn explained(error: clap::Error) -> clap::Error {
    let Some(ContextValue::String(given)) = error.get(ContextKind::InvalidArg) else { return error };
    let known = FLAGS.iter().find(|(names, _)| names.iter().any(|name| name == given));
    match known {
        Some((_, instead)) if error.kind() == ErrorKind::UnknownArgument => {
            let text = format!("insula run has no `{given}`: {instead}");
            Run::command().error(ErrorKind::UnknownArgument, text)
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_wasmtime_has_is_explained_and_all_else_is_left_alone() {
        let error = |line: &[&str]| {
            let command = Run::command().no_binary_name(true);
            explained(command.try_get_matches_from(line).expect_err("it is wrong")).to_string()
        };
        for (names, instead) in FLAGS {
            for name in names {
                assert!(error(&[name, "x", "app.wasm"]).contains(instead), "{name}");
            }
        }
        assert!(error(&["--profile=perfmap", "app.wasm"]).contains("--profile guest[,FILE[,INTERVAL]]"));
        assert!(error(&["--labl", "app.wasm"]).contains("--label"), "clap's own suggestion");
    }
}
