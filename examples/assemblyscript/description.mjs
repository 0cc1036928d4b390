// What the program's entries are, for `--help`, the dashboard's forms and the checks before a job: one object each.

const program = { name: "assemblyscript", version: "0.1.0" };

const width = { name: "width", type: "integer", about: "Width and height in pixels.", default: 300, min: 8, max: 1024, required: false };
const frames = { name: "frames", type: "integer", about: "Frames of a whole turn.", default: 360, min: 1, max: 100_000, required: false };

export const ENTRIES = [
  {
    program,
    name: "collatz",
    title: "Collatz",
    about: "Steps of a number's Collatz sequence.",
    item: { type: "integer", about: "a number from 1 on", min: 1 },
    params: [],
    output: "json",
  },
  {
    program,
    name: "frame",
    title: "Ray tracer",
    about: "A frame of a turn round four balls.",
    item: { type: "integer", about: "a frame, from 0 on", min: 0 },
    params: [width, frames],
    output: "bytes",
  },
];
