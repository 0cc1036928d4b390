// The entries of the program: exported functions without parameters.
export { collatz } from "./collatz";
export { frame } from "./raytracer";
