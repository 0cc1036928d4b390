#!/usr/bin/env bash
# Stands before rustc (RUSTC_WORKSPACE_WRAPPER) while `cargo xtask fuzz` builds: our own code tells libFuzzer which
# of its blocks were reached and what was compared. What is loaded into the compiler itself is left as it is.
set -euo pipefail

for argument in "$@"; do
  case "$argument" in
    proc-macro | build_script_* | -vV | --version) exec "$@" ;;
  esac
done

exec "$@" \
  -Cpasses=sancov-module \
  -Cllvm-args=-sanitizer-coverage-level=4 \
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
  -Cllvm-args=-sanitizer-coverage-pc-table \
  -Cllvm-args=-sanitizer-coverage-trace-compares \
  -Copt-level=2 -Cdebug-assertions=on -Coverflow-checks=on
