//! A strict reader of the text format of OpenMetrics 1.0, as far as it is used here: it refuses what the specification
//! does not allow, so that whoever reads insula's metrics need not be lenient.

use std::collections::{BTreeMap, BTreeSet};

/// A family of metrics: what is said of it before its samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Family {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) unit: Option<String>,
    pub(crate) help: String,
}

/// What a text says.
#[derive(Debug)]
pub(crate) struct Exposition {
    /// In the order of the text.
    pub(crate) families: Vec<Family>,
    /// By name and labels, as they are written.
    samples: BTreeMap<String, f64>,
}

impl Exposition {
    /// Reads a text.
    ///
    /// # Panics
    /// Where it is not as the specification has it, with the line.
    pub(crate) fn parse(text: &str) -> Exposition {
        let body = text.strip_suffix("# EOF\n").expect("the last line is # EOF");
        let (mut families, mut samples) = (Vec::<Family>::new(), BTreeMap::new());
        for line in body.lines() {
            assert!(!line.is_empty() && line.trim() == line, "{line:?}");
            match line.strip_prefix("# ") {
                Some(said) => describe(&mut families, said),
                None => sample(families.last().expect("a family comes before its samples"), line, &mut samples),
            }
        }
        assert!(body.is_empty() || body.ends_with('\n'), "a line has an end");
        let names: BTreeSet<&str> = families.iter().map(|family| family.name.as_str()).collect();
        assert_eq!(names.len(), families.len(), "a family stands in one place: {families:?}");
        families.iter().for_each(|family| is_whole(family, &samples));
        Exposition { families, samples }
    }

    /// The value of a sample, by its name and labels as they are written.
    ///
    /// # Panics
    /// Where there is none.
    #[track_caller]
    pub(crate) fn value(&self, sample: &str) -> f64 {
        let value = self.samples.get(sample);
        *value.unwrap_or_else(|| panic!("there is no {sample} in {:#?}", self.samples))
    }

    /// All samples.
    pub(crate) fn samples(&self) -> &BTreeMap<String, f64> {
        &self.samples
    }
}

/// HELP, TYPE and UNIT of a family, in this order, and each once.
fn describe(families: &mut Vec<Family>, said: &str) {
    let mut words = said.splitn(3, ' ');
    let (what, name, text) = (words.next(), words.next(), words.next());
    let (Some(what), Some(name), Some(text)) = (what, name, text) else { panic!("{said:?}") };
    match what {
        "HELP" => {
            let is_name = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
            assert!(name.bytes().all(is_name), "a name in the style of OpenMetrics: {name}");
            assert!(text.ends_with('.') && !text.contains('\\'), "{said}");
            let (kind, help) = (String::new(), text.to_owned());
            families.push(Family { name: name.to_owned(), kind, unit: None, help });
        }
        "TYPE" => {
            let family = families.last_mut().filter(|family| family.name == name && family.kind.is_empty());
            let family = family.unwrap_or_else(|| panic!("not behind its help: {said}"));
            assert!(["counter", "gauge", "histogram", "info"].contains(&text), "{said}");
            assert!(!name.ends_with("_total") && !name.ends_with("_info"), "that is the sample's to say: {name}");
            text.clone_into(&mut family.kind);
        }
        "UNIT" => {
            let family = families.last_mut().filter(|family| family.name == name && !family.kind.is_empty());
            let family = family.unwrap_or_else(|| panic!("not behind its type: {said}"));
            assert!(name.ends_with(&format!("_{text}")), "a name ends with its unit: {said}");
            assert!(family.unit.replace(text.to_owned()).is_none(), "{said}");
        }
        _ => panic!("{said}"),
    }
}

/// A line `name{labels} value` of the family that was described last.
fn sample(family: &Family, line: &str, samples: &mut BTreeMap<String, f64>) {
    let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
    let (name, labels) = series.split_once('{').map_or((series, None), |(name, labels)| (name, Some(labels)));
    let labels = labels.map(|labels| labels.strip_suffix('}').unwrap_or_else(|| panic!("{line}")));
    let suffix = name.strip_prefix(family.name.as_str()).unwrap_or_else(|| panic!("of no family here: {line}"));
    let suffixes: &[&str] = match family.kind.as_str() {
        "counter" => &["_total"],
        "gauge" => &[""],
        "histogram" => &["_bucket", "_count", "_sum"],
        _ => &["_info"],
    };
    assert!(suffixes.contains(&suffix), "a {} has no `{suffix}`: {line}", family.kind);
    for label in labels.into_iter().flat_map(|labels| labels.split(',')) {
        let (name, value) = label.split_once('=').unwrap_or_else(|| panic!("{line}"));
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        assert!(["reason", "le", "version"].contains(&name) && value.is_some_and(|value| !value.is_empty()), "{line}");
    }
    let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
    assert!(value.is_finite() && value >= 0.0, "{line}");
    assert!(samples.insert(series.to_owned(), value).is_none(), "a series has one sample: {line}");
}

/// Whether a family has its samples, and a histogram's agree.
fn is_whole(family: &Family, samples: &BTreeMap<String, f64>) {
    let name = &family.name;
    assert!(!family.kind.is_empty(), "{name} has no type");
    let own = samples.keys().filter(|series| series.starts_with(name.as_str()));
    assert!(own.count() > 0, "{name} has no sample");
    if family.kind == "histogram" {
        let bound = |series: &String| {
            let bound = series.strip_prefix(&format!("{name}_bucket{{le=\""))?.strip_suffix("\"}")?;
            Some(if bound == "+Inf" { f64::INFINITY } else { bound.parse().expect("a bound is a number") })
        };
        let mut buckets: Vec<(f64, f64)> =
            samples.iter().filter_map(|(series, count)| Some((bound(series)?, *count))).collect();
        buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
        assert!(buckets.is_sorted_by(|one, other| one.1 <= other.1), "a bucket holds those below it: {buckets:?}");
        let last = buckets.last().expect("a histogram has buckets");
        assert_eq!(*last, (f64::INFINITY, samples[&format!("{name}_count")]));
        assert!(samples.contains_key(&format!("{name}_sum")));
    }
}

#[test]
fn what_the_specification_does_not_allow_is_refused() {
    let good =
        "# HELP a_bytes A.\n# TYPE a_bytes counter\n# UNIT a_bytes bytes\na_bytes_total{reason=\"x\"} 1\n# EOF\n";
    assert_eq!(Exposition::parse(good).value("a_bytes_total{reason=\"x\"}"), 1.0);
    for (from, to) in [
        ("# EOF\n", ""),
        ("# EOF\n", "# EOF\n\n"),
        ("_total", ""),
        ("counter", "summary"),
        ("a_bytes_total{", "b_bytes_total{"),
        ("} 1", "} -1"),
        ("reason", "isolate"),
        ("# UNIT a_bytes bytes", "# UNIT a_bytes seconds"),
        ("# TYPE a_bytes counter\n# UNIT", "# UNIT"),
        ("# UNIT a_bytes bytes\n", "\n"),
        ("a_bytes_total{reason=\"x\"} 1\n", ""),
        ("a_bytes_total{reason=\"x\"} 1\n", "a_bytes_total{reason=\"x\"} 1\na_bytes_total{reason=\"x\"} 1\n"),
    ] {
        let bad = good.replace(from, to);
        assert!(std::panic::catch_unwind(|| Exposition::parse(&bad)).is_err(), "{bad}");
    }
}
