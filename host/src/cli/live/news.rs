//! What a run tells of its isolates' standard error, bit by bit: nothing is kept for who listens but how much they heard.
//!
//! The host keeps the last of each isolate. Whoever asks too seldom hears how much they missed; a run waits for nobody.

use std::collections::HashMap;

use insula::{Captured, Host};

use super::protocol::{Answer, Text};

/// Bytes of one answer, about.
const ANSWER_BYTES_MAX: usize = 256 << 10;

/// Bytes of the last answer of a run that is over.
const LAST_BYTES_MAX: usize = 4 << 20;

/// How much of each isolate's standard error somebody heard.
#[derive(Default)]
pub(super) struct Heard(HashMap<u64, u64>);

/// What one isolate's standard error has beyond what was heard.
struct New {
    isolate: u64,
    name: String,
    text: Captured,
    lives: bool,
}

impl Heard {
    /// What is new of all isolates, or of one. `is_last` where nobody can ask again.
    pub(super) fn news(&mut self, host: &Host, only: Option<u64>, is_last: bool) -> Answer {
        let mut room = if is_last { LAST_BYTES_MAX } else { ANSWER_BYTES_MAX };
        let news = self.beyond(host, only);
        let lives = |number: u64| news.iter().any(|new| new.isolate == number && new.lives);
        if let Some(number) = only.filter(|number| !lives(*number) && !self.knows(*number, &news)) {
            return Answer::Refused {
                why: format!("there is no isolate #{number}, or it has ended and wrote nothing"),
            };
        }
        let over = is_last || only.is_some_and(|number| !lives(number));
        let (mut texts, mut more) = (Vec::new(), false);
        let mut heard = HashMap::new();
        for New { isolate, name, text: Captured { bytes, bytes_cut, .. }, lives } in news {
            let before = self.0.get(&isolate).copied().unwrap_or_default();
            let missed = bytes_cut.saturating_sub(before);
            let (broken, end) = whole_characters(&bytes, missed > 0, !lives || over);
            let end = end.min(broken + room).max(broken);
            more |= end < bytes.len() && room < bytes.len();
            room -= end - broken;
            heard.insert(isolate, bytes_cut + end as u64);
            if end > broken || missed > 0 {
                let text = String::from_utf8_lossy(&bytes[broken..end]).into_owned();
                texts.push(Text { isolate, name, missed: missed + if missed > 0 { broken as u64 } else { 0 }, text });
            }
        }
        // Of those that are gone nothing new can come.
        self.0 = heard;
        Answer::Logs { texts, more, over }
    }

    fn knows(&self, number: u64, news: &[New]) -> bool {
        self.0.contains_key(&number) || news.iter().any(|new| new.isolate == number)
    }

    /// What was not heard, of those that live, and of those dead whose last words are kept, by number.
    fn beyond(&self, host: &Host, only: Option<u64>) -> Vec<New> {
        let heard = |isolate| self.0.get(&isolate).copied().unwrap_or_default();
        let is_meant = |number: u64| only.is_none_or(|only| only == number);
        // First: who dies meanwhile is among the dead.
        let isolates = host.isolates().into_iter().filter(|isolate| is_meant(isolate.id().number()));
        let living = isolates.map(|isolate| {
            let number = isolate.id().number();
            let text = isolate.stderr_since(heard(number));
            New { isolate: number, name: isolate.debug_name(), text, lives: isolate.exit().is_none() }
        });
        let mut news: Vec<New> = living.collect();
        for words in host.last_words() {
            let isolate = words.isolate.number();
            if !is_meant(isolate) {
                continue;
            }
            let mut text = words.stderr;
            let known = heard(isolate).saturating_sub(text.bytes_cut).min(text.bytes.len() as u64);
            text.bytes.drain(..usize::try_from(known).unwrap_or_default());
            text.bytes_cut += known;
            news.retain(|new| new.isolate != isolate);
            news.push(New { isolate, name: words.name, text, lives: false });
        }
        news.sort_by_key(|new| new.isolate);
        news
    }
}

/// From where to where the bytes are whole characters: a cut may have left the end of one at the start, and the rest of the
/// last one may be still to come, unless it is over.
fn whole_characters(bytes: &[u8], is_cut: bool, is_over: bool) -> (usize, usize) {
    let ends = |byte: &&u8| is_cut && **byte & 0xc0 == 0x80;
    let broken = bytes.iter().take(3).take_while(ends).count();
    let end = match bytes[broken..].utf8_chunks().last() {
        // What is not finished is at the very end, and shorter than a character.
        Some(last) if !is_over && is_begun(last.invalid()) => bytes.len() - last.invalid().len(),
        _ => bytes.len(),
    };
    (broken, end)
}

/// Whether these could be the first bytes of a character.
fn is_begun(bytes: &[u8]) -> bool {
    !bytes.is_empty() && std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_is_told_whole() {
        let text = "aé€".as_bytes();
        assert_eq!(whole_characters(text, false, false), (0, 6));
        assert_eq!(whole_characters(&text[..5], false, false), (0, 3), "the rest of it is to come");
        assert_eq!(whole_characters(&text[..5], false, true), (0, 5), "or it is not");
        assert_eq!(whole_characters(&text[2..], true, false), (1, 4));
        assert_eq!(whole_characters(b"\xff\xff", false, false), (0, 2), "what is no text is not waited for");
        assert_eq!(whole_characters(b"", true, false), (0, 0));
    }
}
