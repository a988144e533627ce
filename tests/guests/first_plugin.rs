//! The README's plugin.

fn score(text: String) -> Result<u64, String> {
    text.lines().map(|line| line.parse::<u64>().map_err(|error| format!("{line}: {error}"))).sum()
}

insula_guest::export_service!(score as "score");

fn main() {}
