//! What once broke something breaks nothing any more, and every target takes its seeds.
use fuzz::TARGETS;
use std::fs;
use std::path::Path;

#[test]
fn what_is_kept_passes() {
    for target in TARGETS {
        (target.run)(b"");
        for folder in ["kept", "seeds"] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join(folder)
                .join(target.name);
            for entry in fs::read_dir(folder).into_iter().flatten() {
                (target.run)(&fs::read(entry.unwrap().path()).unwrap());
            }
        }
    }
}
