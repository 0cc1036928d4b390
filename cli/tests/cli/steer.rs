//! Steering jobs, and reading why they do not move.
use crate::house::Dev;
use serde_json::Value;

#[test]
fn a_paused_job_goes_on_when_it_is_resumed() {
    let dev = Dev::start();
    let id = dev.submit(&["mersenne", "--range", "10001:10009:2", "--grain", "1"]);
    dev.run(&["pause", &id]).ok();
    let told = dev.run(&["explain", &id]).ok();
    assert!(told.contains("paused"), "{told}");
    assert!(dev.run(&["results", &id]).err.contains("there is more to come"));
    dev.run(&["resume", &id]).ok();
    dev.run(&["watch", &id]).ok();
    assert_eq!(dev.run(&["results", &id]).ok().lines().count(), 4);
}

#[test]
fn why_nothing_moves_is_explained() {
    let dev = Dev::without_worker();
    let id = dev.submit(&["null", "1", "--name", "lonely", "--label", "team=a"]);
    let told = dev.run(&["explain", &id]).ok();
    assert!(told.contains("worker") && told.contains('→'), "{told}");
    let told: Value = serde_json::from_str(&dev.run(&["explain", &id, "-o", "json"]).ok()).unwrap();
    assert!(told["reasons"][0]["code"].is_string());
    assert!(
        dev.run(&["job", "list", "--label", "team=a"])
            .ok()
            .contains("lonely")
    );
    assert!(
        !dev.run(&["job", "list", "--label", "team=b"])
            .ok()
            .contains("lonely")
    );
}

#[test]
fn the_same_key_is_the_same_job() {
    let dev = Dev::without_worker();
    let submit = |items: &[&str]| dev.run(&[&["submit", "null", "--idempotency-key", "k1"], items].concat());
    let first = submit(&["1", "2"]).ok();
    assert_eq!(submit(&["1", "2"]).ok(), first);
    dev.run(&["job", "info", first.trim()]).ok();
}
