// Imported by the tasks of the tests.
export function deep(x: number): number {
  return x * x;
}

interface Limits {
  most: number;
}

export function within(x: number, { most }: Limits): number {
  if (x > most) throw new RangeError(`${x} is more than ${most}`);
  return x;
}
