// A command reads its items from standard input, one a line, and writes its results to standard output.
//
// Build it for WASI with any compiler that can, such as
//   python3 -m pip install ziglang
//   python3 -m ziglang cc --target=wasm32-wasi -O2 -s first.c -o first.wasm
// or
//   clang --target=wasm32-wasi -O2 -s first.c -o first.wasm     (with wasi-libc)
// and run it:
//   seq 1 100000 | elytra run first.wasm

#include <stdio.h>

int main(void) {
  unsigned long long start;
  while (scanf("%llu", &start) == 1) {
    unsigned long long n = start;
    unsigned steps = 0;
    for (; n > 1; steps++) n = n % 2 == 0 ? n / 2 : 3 * n + 1;
    printf("%llu takes %u steps\n", start, steps);
  }
  return 0;
}
