#!/bin/sh
# Builds built/path_tracer.wasm. It is checked in, so an ordinary build needs no WebAssembly target for it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
target=${CARGO_TARGET_DIR:-target}
# Paths of the machine that builds have no place in a program.
RUSTFLAGS="--remap-path-prefix=$PWD=elytra --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo" \
  cargo build -p path-tracer --release --target wasm32-unknown-unknown
npx wasm-opt -O3 --strip-debug --strip-producers --enable-bulk-memory --enable-nontrapping-float-to-int \
  --enable-sign-ext --enable-mutable-globals --enable-reference-types --enable-multivalue \
  "$target/wasm32-unknown-unknown/release/path_tracer.wasm" -o "$here/built/path_tracer.wasm"
