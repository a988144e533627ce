//! What the measurements come to: rows, as text and as JSON.

use std::fmt::Write as _;

use serde::Serialize;

/// One row. Numbers have the unit that the target names.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) job: String,
    pub(crate) ours: f64,
    pub(crate) reference: Option<f64>,
    /// How many times as good as the reference ours is: above 1 is better than it.
    pub(crate) ratio: Option<f64>,
    pub(crate) target: String,
    /// None where there is nothing to meet: the number is published.
    pub(crate) pass: Option<bool>,
}

impl Row {
    /// A number without a reference, to be at most `most`.
    pub(crate) fn at_most(job: impl Into<String>, ours: f64, most: f64, unit: &str) -> Row {
        let target = format!("at most {} {unit}", short(most));
        Row { job: job.into(), ours, reference: None, ratio: None, target, pass: Some(ours <= most) }
    }

    /// A number without a reference, to be at least `least`.
    pub(crate) fn at_least(job: impl Into<String>, ours: f64, least: f64, unit: &str) -> Row {
        let target = format!("at least {} {unit}", short(least));
        Row { job: job.into(), ours, reference: None, ratio: None, target, pass: Some(ours >= least) }
    }

    /// A time, or another cost, which is better the smaller it is: at least `least` times as good as the reference.
    pub(crate) fn cost(job: impl Into<String>, ours: f64, reference: f64, least: f64, unit: &str) -> Row {
        Row::compared(job, ours, reference, reference / ours, least, unit)
    }

    /// A rate, which is better the larger it is: at least `least` times as good as the reference.
    pub(crate) fn rate(job: impl Into<String>, ours: f64, reference: f64, least: f64, unit: &str) -> Row {
        Row::compared(job, ours, reference, ours / reference, least, unit)
    }

    fn compared(job: impl Into<String>, ours: f64, reference: f64, ratio: f64, least: f64, unit: &str) -> Row {
        let target = format!("{unit}; ratio at least {}", short(least));
        Row {
            job: job.into(),
            ours,
            reference: Some(reference),
            ratio: Some(ratio),
            target,
            pass: Some(ratio >= least),
        }
    }

    /// A rate that is told beside its reference, and has no target.
    pub(crate) fn told_rate(job: impl Into<String>, ours: f64, reference: f64, unit: &str) -> Row {
        Row { ratio: Some(ours / reference), ..Row::told(job, ours, Some(reference), unit) }
    }

    /// A cost that is told and has no target; `reference` is told beside it.
    pub(crate) fn told(job: impl Into<String>, ours: f64, reference: Option<f64>, unit: &str) -> Row {
        let ratio = reference.map(|reference| reference / ours);
        Row { job: job.into(), ours, reference, ratio, target: format!("{unit}; told"), pass: None }
    }
}

/// Three digits that matter.
pub(crate) fn short(number: f64) -> String {
    match number.abs() {
        at if at >= 1e7 => format!("{:.1} M", number / 1e6),
        at if at >= 1e5 => format!("{:.0} k", number / 1e3),
        at if at >= 100.0 => format!("{number:.0}"),
        at if at >= 10.0 => format!("{number:.1}"),
        at if at == at.trunc() => format!("{number:.0}"),
        _ => format!("{number:.2}"),
    }
}

/// The table for a terminal.
pub(crate) fn text(rows: &[Row]) -> String {
    let head = ["job", "ours", "reference", "ratio", "target", "pass"].map(str::to_owned);
    let told = |number: Option<f64>| number.map(short).unwrap_or_default();
    let cells = rows.iter().map(|row| {
        let pass = row.pass.map_or("", |pass| if pass { "yes" } else { "NO" });
        let (reference, ratio) = (told(row.reference), told(row.ratio));
        [row.job.clone(), short(row.ours), reference, ratio, row.target.clone(), pass.to_owned()]
    });
    let lines: Vec<_> = std::iter::once(head).chain(cells).collect();
    let widths: [usize; 6] =
        std::array::from_fn(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0));
    let mut text = String::new();
    for line in &lines {
        for (column, (cell, width)) in line.iter().zip(widths).enumerate() {
            let number = (1..=3).contains(&column);
            let padded = if number { format!("{cell:>width$}") } else { format!("{cell:<width$}") };
            text.push_str(&padded);
            text.push_str("  ");
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    let met = rows.iter().filter(|row| row.pass == Some(true)).count();
    let targets = rows.iter().filter(|row| row.pass.is_some()).count();
    writeln!(text, "{met} of {targets} targets met").expect("writing to a String succeeds");
    text
}

/// The table as JSON.
pub(crate) fn json(rows: &[Row]) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(rows)? + "\n")
}
