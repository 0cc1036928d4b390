#!/bin/sh
# A picture from a path tracer in Rust (path-tracer/src), a row an item: path-tracer.sh OUT.ppm [WIDTH [SAMPLES]]
set -eu
here=$(dirname "$0") out=$1 width=${2:-300} samples=${3:-16}
{
  printf 'P6 %s %s 255\n' "$width" "$width"
  elytra run "$here/path-tracer/built/path_tracer.wasm" --range "0:$width" \
    --param "width=$width" --param "height=$width" --param "samples=$samples" |
    tr -d '"\n' | base64 -d # rows hold whole triples of bytes, so their base64 simply joins
} > "$out"
