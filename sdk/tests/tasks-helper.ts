// Imported by the tasks of the tests.
export function deep(x: number): number {
  return x * x;
}
