// Tasks of the tests: a module with imports, types, tables filled at its top level, and things that must not travel.
import { readFileSync } from "node:fs";
import { range, task } from "elytra";
import { deep, within } from "./tasks-helper";

interface Point {
  x: number;
  y: number;
}

const table: number[] = [];
for (let at = 0; at < 10; at++) table[at] = at * at;

export const look = task(import.meta, (at: number): number => table[at] ?? -1);

export const norm = task(import.meta, function norm({ x, y }: Point): number {
  return Math.sqrt(deep(x) + deep(y));
});

export const total = task(import.meta, function total(n: number): number {
  let sum = 0;
  for (const one of range(n)) sum += one;
  return sum;
});

export const add = task(import.meta, (a: number, b: number): number => a + b);

export const fails = task(import.meta, function fails(item: number): number {
  if (item === 2) {
    throw new RangeError(`item ${item} is too far`);
  }
  return item;
});

export const hereOnly = () => readFileSync("/etc/hostname", "utf8");

export const bounded = task(import.meta, function bounded(item: number): number {
  return within(item, { most: 2 });
});
