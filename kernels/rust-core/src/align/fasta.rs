//! Reads FASTA: records of a `>` line and sequence lines. Text without `>` is one bare sequence.

/// One sequence.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    /// The first word after `>`; empty for a bare sequence.
    pub(super) name: &'a str,
    /// The letters, in capitals, without white space.
    pub(super) letters: Vec<u8>,
}

/// The records in their order; none where there is no letter and no name.
pub(super) fn parse(text: &str) -> Vec<Record<'_>> {
    let mut records: Vec<Record<'_>> = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('>') {
            let name = header.split_whitespace().next().unwrap_or("");
            records.push(Record {
                name,
                letters: Vec::new(),
            });
            continue;
        }
        if line.is_empty() || line.starts_with(';') {
            continue;
        }
        if records.is_empty() {
            records.push(Record {
                name: "",
                letters: Vec::new(),
            });
        }
        if let Some(record) = records.last_mut() {
            let letters = line.bytes().filter(|byte| !byte.is_ascii_whitespace());
            record
                .letters
                .extend(letters.map(|byte| byte.to_ascii_uppercase()));
        }
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_first_words_and_letters_lose_case_and_breaks() {
        let records = parse(">a first\nacg t\r\nAC\n\n>b\nGG\n");
        assert_eq!(
            records,
            [
                Record {
                    name: "a",
                    letters: b"ACGTAC".to_vec()
                },
                Record {
                    name: "b",
                    letters: b"GG".to_vec()
                }
            ]
        );
    }

    #[test]
    fn a_bare_sequence_has_no_name() {
        assert_eq!(
            parse("acgt\nAC"),
            [Record {
                name: "",
                letters: b"ACGTAC".to_vec()
            }]
        );
        assert_eq!(parse(" \n"), []);
    }
}
