// The six cases on this machine's Node, CPU milliseconds, to set beside what cases.rs prints.
import { readFileSync } from "node:fs";

const text = readFileSync(new URL("../tests/suite.js", import.meta.url), "utf8");
const { run } = await import(`data:text/javascript,${encodeURIComponent(text)}`);
for (const name of ["fib", "loop", "floats", "json", "sort", "strings"]) {
  const times = Array.from({ length: 7 }, () => {
    const before = process.cpuUsage();
    run(name, 1);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  });
  console.log(`${name}: ${times.sort((a, b) => a - b)[3].toFixed(1)} ms`);
}
