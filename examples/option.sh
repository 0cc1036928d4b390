#!/bin/sh
# The price of a call option (spot 100, strike STRIKE) from BLOCKS blocks of 100,000 simulated paths.
# Any split gives the same bits: every block's chance comes from its number and the seed alone.
set -eu
strike=${1:-100} blocks=${2:-40}
elytra run montecarlo --range "0:$blocks" --param "strike=$strike" --name "call at $strike" |
  awk -F'[:,}]' '{ for (i = 1; i < NF; i++) { if ($i ~ /"price_sum"/) sum += $(i + 1); if ($i ~ /"paths"/) paths += $(i + 1) } }
       END { printf "%.4f\n", sum / paths }'
