#!/bin/sh
# Builds ../built/cmark.wasm from the sources of cmark, which are not changed: build.sh [FOLDER OF THE SOURCES].
# Without a folder they come from Debian (`apt-get source` needs a deb-src line). ZIG names the compiler;
# `pip install ziglang` brings one: ZIG="python3 -m ziglang".
set -eu
here=$(cd "$(dirname "$0")" && pwd)
ZIG=${ZIG:-zig} OUT=${OUT:-$here/../built/cmark.wasm}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sources=${1:-}
if [ -z "$sources" ]; then
    (cd "$work" && apt-get source --download-only cmark && dpkg-source --extract cmark_*.dsc cmark)
    sources=$work/cmark
fi
# What CMake would write: the version, and that the compiler is one of today.
version=$(sed -n 's/^project(cmark VERSION \([0-9.]*\).*/\1/p' "$sources/CMakeLists.txt")
major=${version%%.*} rest=${version#*.}
sed -e "s/@PROJECT_VERSION_MAJOR@/$major/; s/@PROJECT_VERSION_MINOR@/${rest%%.*}/; s/@PROJECT_VERSION_PATCH@/${rest#*.}/" \
    "$sources/src/cmark_version.h.in" > "$work/cmark_version.h"
sed 's/^#cmakedefine/#define/' "$sources/src/config.h.in" > "$work/config.h"
echo '#define CMARK_EXPORT' > "$work/cmark_export.h"
$ZIG cc --target=wasm32-wasi -Oz -s -I "$work" -I "$sources/src" -o "$OUT" "$sources"/src/*.c
ls -l "$OUT"
