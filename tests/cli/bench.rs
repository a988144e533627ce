//! `insula bench`: that every job is measured, and told for people and programs. How fast anything is, no test asks.

use super::insula;

const JOBS: [&str; 7] = ["spawn", "spawn-many", "ping-pong", "messages", "throughput", "kill-waiting", "kill-running"];

#[test]
fn every_job_is_measured_and_told() {
    let ran = insula(["bench", "--quick", "--json"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    let told: serde_json::Value = serde_json::from_str(&ran.stdout).expect("it is JSON");
    let names: Vec<&str> = told.as_array().expect("a list").iter().filter_map(|job| job["name"].as_str()).collect();
    assert_eq!(names, JOBS);
    for job in told.as_array().expect("a list") {
        let number = |name: &str| job[name].as_f64().expect("a number");
        assert!(0.0 < number("from") && number("from") <= number("median"), "{job}");
        assert!(number("median") <= number("to") && number("walks") >= 3.0, "{job}");
    }
}

#[test]
fn people_get_a_table() {
    let ran = insula(["bench", "--quick"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    let first: Vec<&str> = ran.stdout.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(first[0], "median");
    assert_eq!(first[1..], JOBS);
}
