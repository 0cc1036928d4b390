// The built package against answers known from outside, as Node imports it.
import assert from 'node:assert/strict'
import { test } from 'node:test'

const built = new URL('../../../../dist/npm/rust-core/index.js', import.meta.url)
const { align, describe, mandelbrotTile, mersenne, montecarloBlock } = await import(built)

test('2^127 - 1 is prime and 2^23 - 1 is not', () => {
  assert.deepEqual(mersenne(127), { exponent: 127, prime: true, residue: '0000000000000000' })
  assert.deepEqual(mersenne(23), { exponent: 23, prime: false, residue: '00000000005d32f7' })
})

test('a point just right of the cusp escapes after about pi over the root of its distance', () => {
  const view = { width: 1, height: 1, span: 1e-15, center_x: 0.250001, iterations_max: 65535 }
  assert.deepEqual([...mandelbrotTile(view, 0)], [3140])
})

test('a tile at the edge is smaller', () => {
  assert.equal(mandelbrotTile({ width: 100, height: 70 }, 3).length, 36 * 6)
})

test('the example of the textbook aligns', () => {
  const found = align('TGTTACGG', { reference: '>r\nGGTTGACTA', match: 3, mismatch: -3, gap_open: 0, gap_extend: 2 })
  assert.deepEqual(found, {
    query: '',
    reference: 'r',
    score: 13,
    query_start: 1,
    query_end: 6,
    reference_start: 1,
    reference_end: 7,
    cigar: '3M1D2M',
  })
})

test('a call costs what the textbook says', () => {
  const market = { spot: 42, strike: 40, rate: 0.1, volatility: 0.2, maturity_years: 0.5 }
  const { paths, price_sum, price_square_sum } = montecarloBlock(market, 0)
  const price = price_sum / paths
  const error = Math.sqrt((price_square_sum / paths - price ** 2) / paths)
  assert.ok(Math.abs(price - 4.76) < 4 * error + 0.005, `${price} with a standard error of ${error}`)
})

test('what does not fit is named', () => {
  assert.throws(() => mandelbrotTile({ width: 0 }, 0), /parameter `width`: 0 is below 1/)
  assert.throws(() => mersenne(0), /exponent 0 is not between 1 and 100000/)
  assert.throws(() => align('ACGT', {}), /parameter `reference` must be given/)
})

test('every kernel describes itself', () => {
  const names = describe().map((entry) => entry.name)
  assert.deepEqual(names, ['null', 'mandelbrot', 'mersenne', 'align', 'montecarlo'])
})
