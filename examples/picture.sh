#!/bin/sh
# Computes a picture of the Mandelbrot set tile by tile and puts it together: FILE (set.png).
set -eu
elytra run mandelbrot --param width=1280 --param height=960 --param span=3.2 --param center_x=-0.6 \
  --picture "${1:-set.png}"
