//! Which bytes of a lease's input belong to which shard, and the kernel input made of them.
use crate::output::ShardInput;
use bytes::Bytes;
use kernel_abi::Encoding as AbiEncoding;
use protocol::cut::Piece;
use protocol::job::Encoding;
use protocol::wire::ItemSource;

/// A lease's items, with random access by shard.
#[derive(Debug)]
pub(crate) enum Items {
    /// Computed on the spot.
    Range { start: i64, step: i64 },
    /// Lines; `starts[k]` is where the lease's shard `k` begins, with the end behind the last.
    Lines {
        encoding: AbiEncoding,
        bytes: Bytes,
        starts: Vec<usize>,
    },
    /// Records of one length.
    Records { bytes: Bytes, record: usize },
}

/// Why items and bytes do not fit together.
pub(crate) type Mismatch = &'static str;

impl Items {
    /// Checks that the bytes hold exactly the piece's items, and finds where its shards begin.
    pub(crate) fn new(source: ItemSource, piece: &Piece, bytes: Bytes) -> Result<Self, Mismatch> {
        let items = piece.end_item - piece.first_item;
        match source {
            ItemSource::Range { start, step } => Ok(Self::Range { start, step }),
            ItemSource::Lines(encoding) => {
                let starts = line_starts(&bytes, items, u64::from(piece.grain))?;
                let encoding = match encoding {
                    Encoding::Json => AbiEncoding::Json,
                    Encoding::Text => AbiEncoding::Text,
                };
                Ok(Self::Lines {
                    encoding,
                    bytes,
                    starts,
                })
            }
            ItemSource::Records { bytes: record } => {
                let fits = record > 0 && (bytes.len() as u64).div_ceil(u64::from(record)) == items;
                let record = record as usize;
                fits.then_some(Self::Records { bytes, record })
                    .ok_or("the input does not hold as many records as the lease says")
            }
        }
    }

    /// All that a shard's program can read.
    pub(crate) fn shard(&self, piece: &Piece, shard: u32, params: &[u8]) -> ShardInput {
        let (first, end) = piece.items_of(shard);
        // A shard has at most GRAIN_MAX items, which the lease was checked for.
        let items = u32::try_from(end - first).unwrap_or(u32::MAX);
        let input = match self {
            // Checked when the lease came: the last item's value fits.
            Self::Range { start, step } => {
                let first = i128::from(*start) + i128::from(first) * i128::from(*step);
                let first = i64::try_from(first).unwrap_or(i64::MAX);
                kernel_abi::encode_range(params, first, *step, items)
            }
            Self::Lines {
                encoding,
                bytes,
                starts,
            } => {
                let k = (shard - piece.run.first) as usize;
                let lines: Vec<&[u8]> = lines(&bytes[starts[k]..starts[k + 1]]).collect();
                kernel_abi::encode_list(params, *encoding, lines.into_iter())
            }
            Self::Records { bytes, record } => {
                // The bytes hold the piece's items and memory holds the bytes, so these fit.
                let byte = |item: u64| ((item - piece.first_item) as usize * record).min(bytes.len());
                let records = bytes[byte(first)..byte(end)].chunks(*record);
                kernel_abi::encode_list(params, AbiEncoding::Text, records)
            }
        };
        ShardInput {
            shard,
            items,
            input: input.into(),
        }
    }
}

/// What the program of one shard reads, made of the bytes of its items as a lease would bring them. For those
/// who replay a shard; the error says what does not fit together.
pub fn shard_input(
    source: ItemSource,
    piece: &Piece,
    bytes: Bytes,
    params: &[u8],
) -> Result<Bytes, &'static str> {
    let items = Items::new(source, piece, bytes)?;
    Ok(items.shard(piece, piece.run.first, params).input)
}

/// Lines without their line feeds; a last line may lack it, and an empty last one is none.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes
        .split_inclusive(|&b| b == b'\n')
        .map(|line| line.strip_suffix(b"\n").unwrap_or(line))
}

fn line_starts(bytes: &[u8], items: u64, grain: u64) -> Result<Vec<usize>, Mismatch> {
    let (mut starts, mut at, mut line) = (Vec::new(), 0, 0);
    for length in bytes.split_inclusive(|&b| b == b'\n').map(<[u8]>::len) {
        if line % grain == 0 {
            starts.push(at);
        }
        at += length;
        line += 1;
    }
    starts.push(at);
    if line == items {
        Ok(starts)
    } else {
        Err("the input does not hold as many lines as the lease says")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::cut::ShardRun;

    fn piece(grain: u32, shards: u32, items: u64) -> Piece {
        Piece {
            run: ShardRun {
                first: 4,
                count: shards,
            },
            first_item: 10,
            grain,
            end_item: 10 + items,
        }
    }

    fn listed(items: &Items, piece: &Piece, shard: u32) -> Vec<String> {
        let input = items.shard(piece, shard, b"{}").input;
        let kernel_abi::Items::List(list) = kernel_abi::decode(&input).unwrap().items else {
            panic!("a list")
        };
        list.iter()
            .map(|item| String::from_utf8_lossy(item.unwrap()).into_owned())
            .collect()
    }

    #[test]
    fn lines_go_to_their_shards_whether_or_not_the_last_one_ends() {
        for text in ["a\nb\n\n", "a\nb\n\nd", "a\nb\n\nd\n"] {
            let count = lines(text.as_bytes()).count() as u64;
            let piece = piece(2, 2, count);
            let source = ItemSource::Lines(Encoding::Text);
            let items = Items::new(source, &piece, Bytes::from(text)).unwrap();
            assert_eq!(listed(&items, &piece, 4), ["a", "b"]);
            let rest: &[&str] = if count == 4 { &["", "d"] } else { &[""] };
            assert_eq!(listed(&items, &piece, 5), rest, "{text:?}");
        }
    }

    #[test]
    fn records_go_to_their_shards_and_the_last_may_be_short() {
        let piece = piece(2, 2, 3);
        let items = Items::new(ItemSource::Records { bytes: 3 }, &piece, Bytes::from("aaabbbcc")).unwrap();
        assert_eq!(listed(&items, &piece, 4), ["aaa", "bbb"]);
        assert_eq!(listed(&items, &piece, 5), ["cc"]);
    }

    #[test]
    fn too_few_and_too_many_items_are_refused() {
        let piece = piece(2, 2, 3);
        for text in ["a\nb\n", "a\nb\nc\nd"] {
            assert!(Items::new(ItemSource::Lines(Encoding::Json), &piece, Bytes::from(text)).is_err());
            assert!(Items::new(ItemSource::Records { bytes: 8 }, &piece, Bytes::from(text)).is_err());
        }
        assert!(Items::new(ItemSource::Records { bytes: 0 }, &piece, Bytes::new()).is_err());
    }

    #[test]
    fn a_range_counts_from_its_start() {
        let piece = piece(4, 2, 6);
        let items = Items::new(ItemSource::Range { start: 100, step: -2 }, &piece, Bytes::new()).unwrap();
        let input = items.shard(&piece, 5, b"");
        let expected = kernel_abi::Items::Range {
            first: 72,
            step: -2,
            count: 2,
        };
        assert_eq!(kernel_abi::decode(&input.input).unwrap().items, expected);
        assert_eq!(input.items, 2);
    }
}
