//! A trace as a sequence diagram, in the language of Mermaid: one line for each message that was received, each birth and
//! each end, in the order of time.

use std::io::Write;

use anyhow::Result;

use super::file::{Mark, Trace};

/// Prints the diagram of the first so many.
pub(super) fn print(trace: &Trace, limit: usize) -> Result<()> {
    std::io::stdout().lock().write_all(diagram(trace, limit).as_bytes())?;
    Ok(())
}

fn diagram(trace: &Trace, limit: usize) -> String {
    let mut lines: Vec<(f64, String)> = Vec::new();
    for message in &trace.messages {
        let (from, to, bytes) = (message.from, message.to, message.bytes);
        let arrow = if message.received.is_some() || to == 0 { "->>" } else { "-x" };
        lines.push((message.sent, format!("  i{from}{arrow}i{to}: {bytes} bytes")));
    }
    for mark in &trace.marks {
        lines.extend(line(mark).map(|line| (mark.at, line)));
    }
    lines.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut text = "sequenceDiagram\n".to_owned();
    for track in trace.tracks.keys() {
        text.push_str(&format!("  participant i{track} as {}\n", plain(&trace.name(*track))));
    }
    let more = lines.len().saturating_sub(limit);
    for (_, line) in lines.into_iter().take(limit) {
        text.push_str(&line);
        text.push('\n');
    }
    if more > 0 {
        text.push_str(&format!("  %% and {more} more: `--limit` says how many\n"));
    }
    text
}

fn line(mark: &Mark) -> Option<String> {
    let (track, text) = (mark.track, plain(&mark.text));
    match mark.kind.as_str() {
        "born" => Some(format!("  i{}-->>i{track}: spawns", mark.parent)).filter(|_| mark.parent != 0),
        "error" => Some(format!("  note over i{track}: error: {text}")),
        "end" => Some(format!("  note over i{track}: {text}")),
        _ => None,
    }
}

/// What has no meaning in Mermaid's language, on one line; `#` and `;` have one there.
fn plain(text: &str) -> String {
    let text = insula::printable_line(text);
    let escaped = text.chars().take(80).map(|character| match character {
        '#' | ';' | '%' | '{' | '}' | '<' | '>' | '$' => format!("#{};", u32::from(character)),
        other => other.to_string(),
    });
    escaped.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_guest_calls_itself_is_no_line_of_the_diagram() {
        assert_eq!(plain("#1 x; end\nnote"), "#35;1 x#59; end\\nnote");
    }
}
