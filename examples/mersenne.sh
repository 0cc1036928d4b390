#!/bin/sh
# Writes the exponents p from 3 to END (5000) for which 2^p - 1 is prime.
# The pipe is read as far as workers keep up, so END may be as large as you like.
set -eu
seq 3 2 "${1:-5000}" | elytra run mersenne --name "Mersenne primes" |
  sed -n 's/.*"exponent":\([0-9]*\),"prime":true.*/\1/p'
