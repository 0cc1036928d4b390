// The standard kernels as functions. The module is loaded while this file is imported, in a page
// through fetch and in Node from the file; the functions are then synchronous.
import load, { descriptions, run } from './rust_core.js'

const wasm = new URL('./rust_core_bg.wasm', import.meta.url)
await load({ module_or_path: wasm.protocol === 'file:' ? await readFile(wasm) : wasm })

async function readFile(url) {
  // Not a literal, so that bundlers for pages do not look for it.
  const name = 'node:fs/promises'
  const files = await import(/* @vite-ignore */ name)
  return files.readFile(url)
}

const text = new TextDecoder()

function bytes(entry, params, item) {
  return run(entry, JSON.stringify(params ?? null), JSON.stringify(item))
}

function json(entry, params, item) {
  return JSON.parse(text.decode(bytes(entry, params, item)))
}

export function mandelbrotTile(params, tile) {
  // The module's bytes are little-endian, and a typed array is the machine's: a view tells which.
  const counts = bytes('mandelbrot', params, tile)
  const view = new DataView(counts.buffer, counts.byteOffset, counts.byteLength)
  return Uint16Array.from({ length: counts.byteLength / 2 }, (_, at) => view.getUint16(at * 2, true))
}

export function mersenne(exponent) {
  return json('mersenne', null, exponent)
}

export function align(query, params) {
  return json('align', params, query)
}

export function montecarloBlock(params, block) {
  return json('montecarlo', params, block)
}

export function describe() {
  const lines = descriptions().trim().split('\n')
  return lines.map((line) => JSON.parse(line))
}
