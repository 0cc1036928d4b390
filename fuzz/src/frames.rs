//! Frames of both directions, and the framing of items and outputs inside them.
use protocol::frame::{decode_from_worker, decode_to_worker, encode_from_worker, encode_to_worker};
use protocol::limits::LEASE_SHARDS_MAX;
use protocol::wire::FromWorker;

/// What decodes is encoded and decoded again to the same message.
pub(crate) fn run(bytes: &[u8]) {
    if let Ok(message) = decode_from_worker(bytes) {
        if let FromWorker::Finished { outputs, .. } = &message
            // A session ends over more, before anybody walks over them.
            && outputs.run.count <= LEASE_SHARDS_MAX
        {
            let walked = outputs.iter().count();
            assert_eq!(walked, outputs.run.count as usize, "an output is missing");
        }
        let again = encode_from_worker(&message);
        assert_eq!(decode_from_worker(&again).ok(), Some(message));
    }
    if let Ok(message) = decode_to_worker(bytes) {
        let again = encode_to_worker(&message);
        assert_eq!(decode_to_worker(&again).ok(), Some(message));
    }
    items(bytes);
}

/// A list says how many items it has, and then has as many.
fn items(bytes: &[u8]) {
    if let Ok(kernel_abi::Input {
        items: kernel_abi::Items::List(list),
        ..
    }) = kernel_abi::decode(bytes)
    {
        for item in list.iter() {
            assert!(item.is_err() || item.is_ok_and(|item| item.len() <= bytes.len()));
        }
    }
    let whole: usize = kernel_abi::split_framed(bytes).flatten().map(<[u8]>::len).sum();
    assert!(whole <= bytes.len(), "outputs are longer than what they came in");
}
