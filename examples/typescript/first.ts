// The first program: a function, and it runs on every worker there is.
import { Elytra, range, task } from "elytra";

export const square = task(import.meta, function square(x: number) {
  return x * x;
});

const elytra = await Elytra.connect();
for await (const y of elytra.map(range(10), square)) console.log(y);
