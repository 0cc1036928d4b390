//! A place in a text as people read it: line, column, and the line itself with a caret.

/// What is shown of a line.
const SHOWN_CHARS_MAX: usize = 120;
/// What is shown before the caret when the line is longer.
const BEFORE_CHARS_MAX: usize = 60;

/// A place; both count from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

/// The place of a byte in `text`.
pub(super) fn place(text: &str, byte: usize) -> Place {
    let before = text.get(..byte).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    Place {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
    }
}

/// The line of `place` with a caret below it; nothing if the text has no such line.
pub(super) fn shown(text: &str, place: Place) -> String {
    let Some(line) = text.lines().nth(place.line.saturating_sub(1)) else {
        return String::new();
    };
    let column = place.column.saturating_sub(1);
    let skipped = column.saturating_sub(BEFORE_CHARS_MAX);
    let part: String = line.chars().skip(skipped).take(SHOWN_CHARS_MAX).collect();
    // A tab stays a tab, so that the caret stands below its character.
    let indent = part.chars().take(column - skipped);
    let indent: String = indent.map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    let number = place.line.to_string();
    let margin = " ".repeat(number.len());
    format!("  {number} | {part}\n  {margin} | {indent}^")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_shown_with_its_line() {
        let text = "one\n\tlet ü = ;\n";
        let at = place(text, text.find(';').unwrap());
        assert_eq!(at, Place { line: 2, column: 10 });
        assert_eq!(shown(text, at), "  2 | \tlet ü = ;\n    | \t        ^");
        assert_eq!(shown(text, Place { line: 9, column: 1 }), "");
    }

    #[test]
    fn of_a_long_line_the_part_around_the_place_is_shown() {
        let text = format!("{}!{}", "a".repeat(5000), "b".repeat(5000));
        let shown = shown(&text, place(&text, 5000));
        let (line, caret) = shown.split_once('\n').unwrap();
        assert_eq!(line.find('!'), caret.find('^'));
        assert!(line.len() < 140, "{line}");
    }
}
