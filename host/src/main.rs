//! The command `insula`.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::main() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("insula: error: {error:#}");
            ExitCode::from(cli::FAILED)
        }
    }
}
