//! Failures lead to the author's file, line and column.
use crate::harness::{Call, range};

const TYPED: &str = "\
interface Point { x: number; y: number }
enum Axis { X, Y }

/** Reads one axis. */
function read(point: Point | undefined, axis: Axis): number {
  return axis === Axis.X ? point!.x : point!.y;
}

export function task(item: number): number {
  const point = item > 1 ? undefined : { x: item, y: 0 };
  return read(point, Axis.X);
}
";

#[test]
fn a_throw_in_typescript_shows_the_authors_line() {
    let call = Call {
        file: "src/task.ts",
        entry: "task",
        ..Call::of(TYPED)
    };
    let (item, told) = call.failure(range(0, 3));
    assert_eq!(item, Some(2));
    let wanted = "TypeError: cannot read property 'x' of undefined
  6 |   return axis === Axis.X ? point!.x : point!.y;
    |                                   ^
    at read (src/task.ts:6:35)
    at task (src/task.ts:11:10)";
    let lines: Vec<&str> = told.lines().collect();
    // The engine counts a column to the end of what it evaluates; the line is what counts.
    assert_eq!(lines.len(), 5, "{told}");
    assert_eq!(lines[0], wanted.lines().next().unwrap());
    assert!(lines[1].starts_with("  6 |   return axis"), "{told}");
    assert!(lines[3].starts_with("    at read (src/task.ts:6:"), "{told}");
    assert!(lines[4].starts_with("    at task (src/task.ts:11:"), "{told}");
}

#[test]
fn a_failure_at_the_top_level_shows_its_line_too() {
    let call = Call::of("\n\nconst a = undefined;\na.b;\nexport default x => x");
    let (_, told) = call.failure(range(0, 1));
    assert!(told.contains("4 | a.b;"), "{told}");
    assert!(told.contains("task.js:4:"), "{told}");
}
