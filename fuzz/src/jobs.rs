//! A job as it is submitted.
use protocol::job::JobSpec;

/// What is read is written and read again to the same job.
pub(crate) fn run(bytes: &[u8]) {
    if let Ok(spec) = serde_json::from_slice::<JobSpec>(bytes) {
        let written = serde_json::to_vec(&spec).expect("a job is written");
        assert_eq!(serde_json::from_slice::<JobSpec>(&written).ok(), Some(spec));
    }
}
