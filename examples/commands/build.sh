#!/bin/sh
# Builds every example whose compiler is installed into built/ (the small ones are kept in git). ZIG, GO and RUSTC
# name the compilers; `pip install ziglang` brings a Zig that compiles C, too: ZIG="python3 -m ziglang".
set -eu
cd "$(dirname "$0")"
ZIG=${ZIG:-zig} GO=${GO:-go} RUSTC=${RUSTC:-rustc}
OUT=${OUT:-built}
mkdir -p "$OUT"

has() { command -v "${1%% *}" > /dev/null || { echo "$1 is not installed: $2 is not built"; return 1; }; }

if has "$ZIG" "C and Zig"; then
    for name in words sortlines show; do
        $ZIG cc --target=wasm32-wasi -Oz -s -o "$OUT/$name.wasm" $name.c
    done
    $ZIG build-exe -target wasm32-wasi -O ReleaseSmall -fstrip -femit-bin="$OUT/factors.wasm" factors.zig
fi
if has "$RUSTC" Rust; then
    $RUSTC --edition 2024 --target wasm32-wasip1 -C opt-level=s -C lto -C panic=abort -C strip=symbols \
        -o "$OUT/frequent.wasm" frequent.rs
fi
if has "$GO" Go; then
    GOOS=wasip1 GOARCH=wasm $GO build -trimpath -ldflags="-s -w" -o "$OUT/csv2json.wasm" csv2json.go
fi
ls -l "$OUT"
