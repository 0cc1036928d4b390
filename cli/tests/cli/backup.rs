//! A backup of a running server, brought back elsewhere.
use crate::house::{Dev, Ended, elytra};

#[test]
fn a_running_server_is_copied_and_brought_back() {
    let dev = Dev::without_worker();
    dev.submit(&["null", "1", "2", "--name", "kept"]);
    let told = dev
        .run(&["backup", "--out", "copy", "--data-dir", ".elytra"])
        .ok();
    assert!(told.contains("copy") && told.contains("blob"), "{told}");
    let again = dev.run(&["backup", "--out", "copy", "--data-dir", ".elytra"]);
    assert!(again.err.contains("taken in"), "{}", again.err);
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = dev.path().join("copy");
    let restore = |from: &std::path::Path| {
        let mut command = elytra(elsewhere.path());
        command.arg("restore").arg(from).args(["--data-dir", ".elytra"]);
        Ended::of(command.output().unwrap())
    };
    let told = restore(&elsewhere.path().join("nothing")).failed(1);
    assert!(told.contains("not a whole backup"), "{told}");
    assert!(restore(&copy).err.contains("start the server"));
    let told = restore(&copy).failed(1);
    assert!(told.contains("is there already"), "{told}");
    let told = dev.run(&["backup", "--out", "x", "--store", "redis"]).failed(2);
    assert!(told.contains("Redis"), "{told}");
}
