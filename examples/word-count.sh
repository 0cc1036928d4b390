#!/bin/sh
# Lines, words and bytes of a text of any length: it is uploaded in a stream, split by line, and counted by a C
# program (commands/words.c) on whatever workers there are. Each shard's counts come as a line, and are summed up.
set -eu
here=$(dirname "$0")
elytra run "$here/commands/built/words.wasm" --lines "$1" --name "words of $(basename "$1")" |
  awk '{ lines += $1; words += $2; bytes += $3 } END { print lines, words, bytes }'
