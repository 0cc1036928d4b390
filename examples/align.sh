#!/bin/sh
# Aligns every read of data/reads.txt with the references in data/reference.fasta: one JSON line a read.
set -eu
cd "$(dirname "$0")"
params=$(mktemp)
trap 'rm -f "$params"' EXIT
# A parameter that is a file's text: the file as a JSON string.
printf '{"reference": "%s"}' "$(awk '{printf "%s\\n", $0}' data/reference.fasta)" >"$params"
elytra run align --lines data/reads.txt --params "$params" --name "reads"
