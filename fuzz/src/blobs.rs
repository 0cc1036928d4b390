//! A blob's lines, against the plain way of counting them.
use bytes::Bytes;
use coordinator::blobs::Blobs;
use std::sync::LazyLock;
use tokio::runtime::Runtime;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().expect("a runtime")
});

/// The offset of any line is where the plain way finds it. The first byte chooses the line.
pub(crate) fn run(bytes: &[u8]) {
    let Some((choice, text)) = bytes.split_first() else {
        return;
    };
    let lines = plain(text);
    let first = usize::from(*choice) % (lines.len() + 1);
    // A folder for each round, so that the disk does not fill.
    let folder = tempfile::tempdir().expect("a folder");
    let blobs = Blobs::open(folder.path()).expect("an empty folder of blobs");
    RUNTIME.block_on(async {
        let hash = blobs
            .put(Bytes::copy_from_slice(text))
            .await
            .expect("it is stored");
        let count = blobs.count_lines(hash).await.expect("it is read");
        assert_eq!(count, lines.len() as u64);
        let found = blobs.lines(hash, first as u64, count).await.expect("it is read");
        let offset: usize = lines.iter().take(first).map(|line| line.len()).sum();
        assert_eq!(found, (offset as u64, (text.len() - offset) as u64));
        let longest = blobs.longest_line(hash).await.expect("it is read");
        let wanted = lines
            .iter()
            .map(|line| line.strip_suffix(b"\n").unwrap_or(line).len())
            .max();
        assert_eq!(longest.bytes, wanted.unwrap_or(0) as u64);
    });
}

fn plain(text: &[u8]) -> Vec<&[u8]> {
    text.split_inclusive(|byte| *byte == b'\n').collect()
}
