#!/bin/sh
# Builds engine.wasm from QuickJS-NG's C sources and the guest beside this file.
#
# Needs cargo, and python3 with venv: the sources come out of the crate `rquickjs-sys`, the C compiler is `zig`
# from the PyPI package `ziglang`. The same inputs give the same bytes; src/lib.rs names their SHA-256, so
# a build without zig takes the file that is checked in. Run it after a change in guest/, then put the hash it
# prints into src/lib.rs.
set -eu
CRATE_VERSION=0.14.0 # QuickJS-NG 0.16.2
ZIG_VERSION=0.17.0
# The guest's own stack before JavaScript sees a RangeError; guest/quickjs.sed says what it stands for.
STACK_KIB=${STACK_KIB:-128}
# What the parser may use of it.
PARSER_KIB=${PARSER_KIB:-20}

here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/engine.wasm}
work=${ELYTRA_ENGINE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/elytra-script-engine}
mkdir -p "$work"

python=$work/zig-$ZIG_VERSION/bin/python
if [ ! -x "$python" ]; then
    python3 -m venv "$work/zig-$ZIG_VERSION"
    "$python" -m pip install --quiet "ziglang==$ZIG_VERSION"
fi

sources=$work/sources-$CRATE_VERSION
if [ ! -d "$sources/vendor/rquickjs-sys" ]; then
    mkdir -p "$sources/src"
    : > "$sources/src/lib.rs"
    printf '[package]\nname = "sources"\nversion = "0.0.0"\nedition = "2024"\n[workspace]\n[dependencies]\nrquickjs-sys = "=%s"\n' \
        "$CRATE_VERSION" > "$sources/Cargo.toml"
    (cd "$sources" && cargo vendor --quiet vendor > /dev/null)
fi
quickjs=$sources/vendor/rquickjs-sys/quickjs
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$here/../../Cargo.toml" | head -n 1)

for file in quickjs.c libregexp.c; do
    sed -f "$here/guest/quickjs.sed" "$quickjs/$file" > "$work/$file"
done

# Relative paths, so that no folder of this machine gets into the bytes.
cd "$here/guest"
ln -sfn "$quickjs" "$work/quickjs"
"$python" -m ziglang cc --target=wasm32-wasi -mexec-model=reactor -nostartfiles -O3 -DNDEBUG -D_GNU_SOURCE \
    -std=gnu11 -fno-strict-aliasing -ffile-prefix-map="$work"=. -Wno-unused -Wno-ignored-attributes -w \
    -DSTACK_KIB="$STACK_KIB" -DPARSER_HEADROOM_BYTES=$((STACK_KIB * 1024 - PARSER_KIB * 1024)) \
    "-DWEIGH(bytes)=({ __asm__ volatile(\"\" : : \"r\"(__builtin_alloca(bytes)) : \"memory\"); 0; })" -DENGINE_VERSION="\"$version\"" -D_WASI_EMULATED_SIGNAL -D_WASI_EMULATED_PROCESS_CLOCKS \
    -I"$work/quickjs" ./*.c \
    "$work/quickjs.c" "$work/libregexp.c" "$work/quickjs/libunicode.c" "$work/quickjs/dtoa.c" \
    -Wl,--no-entry -Wl,-z,stack-size=$((STACK_KIB * 2048)) \
    -Wl,--initial-memory=2097152 -Wl,--max-memory=1073741824 \
    -lwasi-emulated-signal -lwasi-emulated-process-clocks -Wl,--strip-debug ${EXTRA:-} -o "$out"
sha256sum "$out" | cut -d' ' -f1
