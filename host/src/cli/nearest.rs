//! What somebody meant who wrote a name that nothing has.

/// How alike two names are, of 1, from which on one is taken for the other. clap suggests flags from there on as well.
const ALIKE: f64 = 0.7;

/// The name that is most like `given`, where one is like it at all.
pub(super) fn nearest<'a>(given: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = names.into_iter().map(|name| (likeness(given, name), name));
    let alike = likeness.filter(|(likeness, _)| *likeness > ALIKE);
    alike.max_by(|one, other| one.0.total_cmp(&other.0)).map(|(_, name)| name)
}

/// Two letters in each other's place, one more or one less, are a slip in a short name too, which the measure for longer
/// ones takes for another word.
fn likeness(given: &str, name: &str) -> f64 {
    let is_slip = given.len() > 1 && strsim::osa_distance(given, name) == 1;
    strsim::jaro(given, name).max(if is_slip { ALIKE + 0.1 } else { 0.0 })
}

/// What to add to a message about `given`: a question, or nothing.
pub(super) fn did_you_mean<'a>(given: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    nearest(given, names).map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_hand_is_recognised_and_another_word_is_not() {
        let names = ["timeout", "cpu-time", "max-memory-size"];
        assert_eq!(nearest("timout", names), Some("timeout"));
        assert_eq!(nearest("max-memory", names), Some("max-memory-size"));
        assert_eq!(nearest("rnu", ["test", "run"]), Some("run"));
        assert_eq!(nearest("colour", names), None);
        assert_eq!(did_you_mean("cputime", names), "; did you mean `cpu-time`?");
        assert_eq!(did_you_mean("", names), "");
    }
}
