//! Results as JUnit XML: a suite for each binary, in the shape that nextest writes and that CI systems read.
//!
//! Written out here: the crates that do it bring a calendar, numbers drawn by chance and an XML parser along, for five
//! elements.

use std::fmt::Write as _;
use std::time::Duration;

use anstream::adapter::strip_str;

use super::each::{Done, Verdict};
use super::show::Sum;

/// A document that grows, a suite at a time.
#[derive(Default)]
pub(super) struct Junit {
    title: String,
    /// The cases of the suite that is under way.
    cases: String,
    timed_out: usize,
    suites: String,
    total: [usize; 4],
}

impl Junit {
    pub(super) fn begins(&mut self, title: &str) {
        (self.title, self.cases, self.timed_out) = (escaped(title), String::new(), 0);
    }

    pub(super) fn ended(&mut self, done: &Done) {
        let time = seconds(done.took);
        let head = format!("<testcase name=\"{}\" classname=\"{}\" time=\"{time}\"", escaped(&done.name), self.title);
        let mut inner = match &done.verdict {
            Verdict::Passed => String::new(),
            Verdict::Ignored(None) => "      <skipped/>\n".to_owned(),
            Verdict::Ignored(Some(reason)) => format!("      <skipped message=\"{}\"/>\n", escaped(reason)),
            Verdict::Failed(_) => failure("failure", done),
            Verdict::TimedOut(_) => failure("error", done),
        };
        self.timed_out += usize::from(matches!(done.verdict, Verdict::TimedOut(_)));
        for (element, text) in [("system-out", &done.stdout), ("system-err", &done.stderr)] {
            if !text.is_empty() {
                let _ = writeln!(inner, "      <{element}>{}</{element}>", escaped(text));
            }
        }
        let _ = match inner.is_empty() {
            true => writeln!(self.cases, "    {head}/>"),
            false => writeln!(self.cases, "    {head}>\n{inner}    </testcase>"),
        };
    }

    pub(super) fn is_over(&mut self, sum: &Sum) {
        let tests = sum.passed + sum.failed + sum.ignored;
        let counts = [tests, sum.ignored, sum.failed - self.timed_out, self.timed_out];
        self.total.iter_mut().zip(counts).for_each(|(total, count)| *total += count);
        let (title, cases, time) = (&self.title, &self.cases, seconds(sum.took));
        let _ = write!(
            self.suites,
            "  <testsuite name=\"{title}\"{} time=\"{time}\">\n{cases}  </testsuite>\n",
            attributes(counts)
        );
    }

    pub(super) fn text(&self) -> String {
        let (suites, total) = (&self.suites, attributes(self.total));
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"insula test\"{total}>\n{suites}</testsuites>\n"
        )
    }
}

fn attributes([tests, skipped, failures, errors]: [usize; 4]) -> String {
    format!(" tests=\"{tests}\" skipped=\"{skipped}\" failures=\"{failures}\" errors=\"{errors}\"")
}

fn failure(element: &str, done: &Done) -> String {
    let (why, report) = (escaped(&done.why().unwrap_or_default()), escaped(&strip_str(&done.reports).to_string()));
    format!("      <{element} message=\"{why}\">{report}</{element}>\n")
}

fn seconds(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64())
}

/// As text of an element or an attribute. What XML has no way to say at all is left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in strip_str(text).to_string().chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(char),
            '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => {}
            _ => out.push(char),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_test_prints_breaks_the_document() {
        assert_eq!(escaped("a <b> & \"c\"\u{0}\u{1b}[31m\u{fffe}\n]]>"), "a &lt;b&gt; &amp; &quot;c&quot;\n]]&gt;");
    }
}
