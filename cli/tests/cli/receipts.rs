//! What an account gave, as receipts: they hold, and changed ones do not.
use crate::house::{Dev, WAIT_MAX};
use protocol::account::AccountKey;
use protocol::credit::Receipt;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// A worker, ended with the test.
struct Worker(Child);

impl Worker {
    fn start(dev: &Dev, cache: &str, more: &[&str]) -> Self {
        let mut worker = dev.elytra(&["worker", "--slots", "1", "--sandbox", "off", "--cache-dir", cache]);
        worker.args(more).stdout(Stdio::null()).stderr(Stdio::null());
        Self(worker.spawn().unwrap())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The receipts of an account, once there are some.
fn receipts(dev: &Dev, account: &str) -> Vec<Receipt> {
    let start = Instant::now();
    loop {
        let listed = dev.run(&["receipt", "list", account, "-o", "json"]).ok();
        let listed: Vec<Receipt> = serde_json::from_str(&listed).unwrap();
        if !listed.is_empty() {
            return listed;
        }
        assert!(start.elapsed() < WAIT_MAX, "nothing was ever booked");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_receipt_holds_and_a_changed_one_does_not() {
    let dev = Dev::without_worker();
    let token = dev
        .run(&["token", "create", "--name", "stranger", "--scope", "work"])
        .ok();
    std::fs::write(dev.path().join("lent"), token).unwrap();
    let _stranger = Worker::start(&dev, "stranger", &["--token-file", "lent"]);
    let id = dev.submit(&["null", "--range", "0:60", "--grain", "1", "--trust", "standard"]);
    dev.wait_for_job(&id, "computed by the stranger", |job| {
        job["counts"]["verifying"].as_u64().unwrap() > 0
    });
    // With the token of this folder, which allows everything: it is trusted.
    let _checker = Worker::start(&dev, "checker", &[]);
    dev.wait_for_job(&id, "over", |job| job["state"] == "succeeded");
    let key = std::fs::read_to_string(dev.path().join("stranger/account-key")).unwrap();
    let account = key.parse::<AccountKey>().unwrap().account();
    let booked = receipts(&dev, &account.to_string()).remove(0);

    let file = dev.path().join("receipt.json");
    let check = |receipt: &Receipt, more: &[&str]| {
        std::fs::write(&file, serde_json::to_string(receipt).unwrap()).unwrap();
        dev.run(&[&["receipt", "check", "receipt.json"], more].concat())
    };
    let text = dev.run(&["receipt", "get", &booked.booking.id.to_string()]).ok();
    let receipt: Receipt = serde_json::from_str(&text).unwrap();
    assert_eq!(receipt, booked);
    let held = check(&receipt, &[]);
    assert!(
        held.err.contains("the digests of its") && held.code == Some(0),
        "{}",
        held.err
    );
    assert!(
        check(&receipt, &["--offline"])
            .err
            .contains("signed by the server")
    );

    let mut more = receipt.clone();
    more.booking.items += 1;
    for offline in [&[][..], &["--offline"]] {
        let told = check(&more, offline).failed(1);
        assert!(told.contains("does not hold: it was changed"), "{told}");
    }
    // Whoever signs it anew needs the server's key.
    let forger = AccountKey::new([7; 32]);
    let told = check(&receipt.booking.clone().sealed(&forger), &[]).failed(1);
    assert!(told.contains("another key than the server's"), "{told}");
    let told = check(&more.booking.sealed(&forger), &[]).failed(1);
    assert!(told.contains("booked something else"), "{told}");
    std::fs::write(&file, "{}").unwrap();
    let told = dev.run(&["receipt", "check", "receipt.json"]).failed(2);
    assert!(told.contains("this is no receipt"), "{told}");
}
