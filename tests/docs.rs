//! What people read: every link leads somewhere, every page is found from another, every program is compiled, and every
//! public type shows how it is used.
//!
//! The programs are compiled, or run, as doctests of the crate that they are about, which includes the page for that.

use std::collections::BTreeSet;

use crate::tidy::source::{Source, sources};

/// Where a link leads: a page's path from the root of the repository, and a heading in it.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    path: String,
    heading: Option<String>,
}

fn pages() -> impl Iterator<Item = &'static Source> {
    sources().iter().filter(|source| source.path().ends_with(".md"))
}

/// The lines outside of blocks of code, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut in_block = false;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        in_block ^= fence;
        !in_block && !fence
    })
}

/// The targets of a page's links, with the numbers of their lines; those that leave the repository aside.
fn links(page: &Source) -> Vec<(usize, Target)> {
    let mut found = Vec::new();
    for (number, line) in prose(page.text()) {
        // What stands between backticks is code.
        let text: String = line.split('`').step_by(2).collect();
        let links = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        let inner = links.map(|(link, _)| link).filter(|link| !link.contains("://"));
        found.extend(inner.map(|link| (number, target(page.path(), link))));
    }
    found
}

fn target(from: &str, link: &str) -> Target {
    let (path, heading) = link.split_once('#').map_or((link, None), |(path, heading)| (path, Some(heading)));
    let mut parts: Vec<&str> = from.split('/').collect();
    if !path.is_empty() {
        parts.pop();
    }
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." {
            assert!(parts.pop().is_some(), "{from}: {link} leaves the repository");
        } else {
            parts.push(part);
        }
    }
    Target { path: parts.join("/"), heading: heading.map(str::to_owned) }
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for (_, line) in prose(text) {
        let title = line.trim_start_matches('#');
        if title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        let kept = title.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect::<String>().to_lowercase();
        let again = (1..).map(|number| format!("{anchor}-{number}"));
        let free = std::iter::once(anchor.clone()).chain(again).find(|anchor| !anchors.contains(anchor));
        anchors.extend(free);
    }
    anchors
}

/// What follows the fence of each block of code.
fn languages(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.trim_start().strip_prefix("```")).step_by(2).collect()
}

/// The public types of a file whose documentation has no example. What is hidden from people needs none.
fn without_example(source: &Source) -> Vec<String> {
    let (mut found, mut example, mut hidden) = (Vec::new(), false, false);
    for (number, line) in (1..).zip(source.text().lines()) {
        if line.starts_with("pub struct ") || line.starts_with("pub enum ") || line.starts_with("pub trait ") {
            if !example && !hidden {
                found.push(source.finding(number, "a public type without an example"));
            }
        } else if line.starts_with("///") || line.starts_with("#[") {
            example |= line.starts_with("/// ```");
            hidden |= line == "#[doc(hidden)]";
            continue;
        } else if line.starts_with(')') {
            continue; // of an attribute of several lines
        }
        (example, hidden) = (false, false);
    }
    found
}

#[test]
fn every_public_type_has_an_example() {
    let crates = ["guest/src/", "host/src/"];
    let library = sources().iter().filter(|source| crates.iter().any(|folder| source.is_in(folder)));
    let found: Vec<String> = library.filter(|source| source.is_rust()).flat_map(without_example).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_link_leads_somewhere() {
    let mut lost = Vec::new();
    for page in pages() {
        for (number, Target { path, heading }) in links(page) {
            if !crate::harness::repository().join(&path).exists() {
                lost.push(page.finding(number, format!("there is no {path}")));
            } else if let Some(heading) = heading
                && !pages().any(|page| page.path() == path && anchors(page.text()).contains(&heading))
            {
                lost.push(page.finding(number, format!("{path} has no heading #{heading}")));
            }
        }
    }
    assert!(lost.is_empty(), "{} links:\n{}", lost.len(), lost.join("\n"));
}

#[test]
fn every_guide_is_found_from_another_page() {
    for guide in pages().filter(|page| page.is_in("docs/")) {
        let leads = |page: &&Source| links(page).iter().any(|(_, target)| target.path == guide.path());
        let found = pages().filter(|page| page.path() != guide.path()).any(|page| leads(&page));
        assert!(found, "no page has a link to {}", guide.path());
    }
}

#[test]
fn every_program_in_a_guide_is_compiled() {
    let mut programs = 0;
    for guide in pages().filter(|page| page.is_in("docs/")) {
        let languages = languages(guide.text());
        let rust = languages.iter().filter(|language| language.split(',').any(|word| word == "rust")).count();
        let known = ["rust", "rust,no_run", "text", "toml", "sh"];
        assert!(languages.iter().all(|language| known.contains(language)), "{}: {languages:?}", guide.path());
        programs += rust;
        let includes = format!("include_str!(\"../../{}\")", guide.path());
        let crates = ["guest/src/lib.rs", "host/src/lib.rs"];
        let included = sources().iter().any(|lib| crates.contains(&lib.path()) && lib.text().contains(&includes));
        assert_eq!(included, rust > 0, "{} and the lib.rs of its crate", guide.path());
    }
    assert!(programs > 20, "the guides have {programs} programs");
}

/// The rows of a table of a page: what stands between `|` and `|`, without spaces. The head of the table is left out.
fn rows<'a>(text: &'a str, head: &str) -> Vec<Vec<&'a str>> {
    let lines = text.lines().skip_while(|line| !line.starts_with(head)).skip(2);
    let rows = lines.take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

fn page(path: &str) -> &'static str {
    pages().find(|page| page.path() == path).map_or("", Source::text)
}

/// A limit as the README writes it; `bytes` where its name says that it is one of bytes.
fn shown(field: &str, value: &serde_json::Value) -> String {
    match value.as_u64() {
        None => "none".to_owned(),
        Some(25) if field == "sender_percent_max" => "a quarter".to_owned(),
        Some(bytes) if field.contains("_bytes_") && bytes >= 1 << 20 => format!("{} MiB", bytes >> 20),
        Some(bytes) if field.contains("_bytes_") => format!("{} KiB", bytes >> 10),
        Some(count) if count >= 1_000 => format!("{},{:03}", count / 1_000, count % 1_000),
        Some(count) => count.to_string(),
    }
}

/// Which field each row is about, from the top; one row is about three, and none of them is missing.
#[test]
fn the_table_of_limits_says_the_defaults() {
    let fields = [
        "memory_bytes_max",
        "table_elements_max",
        "cpu_time_max",
        "fuel_max",
        "deadline",
        "mailbox_messages_max",
        "mailbox_bytes_max",
        "message_bytes_max",
        "ports_max",
        "handles_max",
        "blob_bytes_max",
        "sender_percent_max",
        "file_operations_max",
        "stderr_bytes_max",
        "run_deadline",
        "descendants_max",
        "depth_max",
    ];
    let defaults = serde_json::to_value(insula::Limits::default()).expect("limits are plain data");
    let table = rows(page("README.md"), "| for one isolate |");
    let said: Vec<&str> = table.iter().map(|row| row[1].split(", 255").next().unwrap_or_default()).collect();
    let expected: Vec<String> = fields.iter().map(|field| shown(field, &defaults[field])).collect();
    assert_eq!(said, expected);
    let told = ["tree_memory_bytes_max", "tree_queued_bytes_max"]; // with the descendants
    assert!(told.iter().all(|field| defaults[field].is_null()), "{defaults}");
    let all = defaults.as_object().map_or(0, serde_json::Map::len);
    assert_eq!(all, fields.len() + told.len(), "the README has no row for some limit: {defaults}");
    let live = &rows(page("README.md"), "| for a host |")[0];
    let host = insula::Host::builder().build().expect("there is room for a host");
    assert!(live[1].starts_with(&shown("isolates", &host.isolates_max().into())), "{live:?}");
}

#[test]
fn every_test_that_the_page_of_threats_names_is_there() {
    let table = rows(page("docs/threats.md"), "| attack |");
    assert!(table.len() > 15, "the table has {} rows", table.len());
    let code: Vec<&str> = sources().iter().filter(|source| source.is_rust()).map(Source::text).collect();
    for row in table {
        let tests: Vec<&str> = row[2].split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "{row:?}");
        for test in tests {
            let head = format!("#[test]\nfn {test}()");
            let indented = head.replace('\n', "\n    ");
            assert!(
                code.iter().any(|text| text.contains(&head) || text.contains(&indented)),
                "there is no test {test}"
            );
        }
    }
}

#[test]
fn links_and_headings_are_read_as_github_reads_them() {
    let text = "# A `title`, and: more\n[a](b.md#c) `[not](x)` [d](../e)\n```sh\n# [no](y)\n```\n## Again\n## Again\n\
                [web](https://a.b/c) [f](#again-1) #no\n";
    let page = Source::new("docs/page.md", text);
    let of = |path: &str, heading: Option<&str>| Target { path: path.to_owned(), heading: heading.map(str::to_owned) };
    let found = [(2, of("docs/b.md", Some("c"))), (2, of("e", None)), (8, of("docs/page.md", Some("again-1")))];
    assert_eq!(links(&page), found);
    let anchors: Vec<String> = anchors(text).into_iter().collect();
    assert_eq!(anchors, ["a-title-and-more", "again", "again-1"]);
    assert_eq!(languages(text), ["sh"]);
}

#[test]
fn a_type_without_an_example_is_found() {
    let shown = "/// A.\n///\n/// ```\n/// A;\n/// ```\n#[derive(Clone)]\npub struct A;\n";
    let text =
        format!("{shown}\n/// B.\npub enum B {{}}\n\n#[doc(hidden)]\npub trait C {{}}\n\npub(crate) struct D;\n");
    assert_eq!(without_example(&Source::new("a.rs", &text)), ["a.rs:10: a public type without an example"]);
}
