// A sum of floating-point numbers, which rounds by the order of its additions. Here the order depends on nothing
// but how many there are: the same bits on one worker and on a thousand.
import { Elytra, range } from "elytra";

const elytra = await Elytra.connect();
const sum = await elytra.mapReduce(
  range(1, 20_001),
  (k) => 1 / (k * k),
  (a, b) => a + b,
);
console.log(sum, Math.sqrt(6 * sum).toFixed(3));
