// The least that a task can do.
export function square(x) {
  return x * x;
}
