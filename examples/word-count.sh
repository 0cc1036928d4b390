#!/bin/sh
# Lines, words and bytes of a text of any length: it is uploaded in a stream, split by line, and counted by a C
# program (commands/words.c) on whatever workers there are. Each shard's counts come as a line, and are summed up.
#   word-count.sh FILE, or word-count.sh --made MIB for a text that text.sh writes.
set -eu
here=$(dirname "$0") text=$1
if [ "$text" = --made ]; then
  text=$(mktemp)
  trap 'rm -f "$text"' EXIT
  "$here/text.sh" "$2" > "$text"
fi
elytra run "$here/commands/built/words.wasm" --lines "$text" --name "words of $(basename "$text")" |
  awk '{ lines += $1; words += $2; bytes += $3 } END { printf "%d %d %d\n", lines, words, bytes }'
