/** The picture that tiles are cut from. What is left out takes its default. */
export interface MandelbrotParams {
  /** Width of the picture in pixels; 1024. */
  width?: number
  /** Height of the picture in pixels; 1024. */
  height?: number
  /** Real part of the point in the middle; -0.5. */
  center_x?: number
  /** Imaginary part of the point in the middle, up being positive; 0. */
  center_y?: number
  /** Width of the view in the complex plane; 3. */
  span?: number
  /** Steps after which a point counts as inside, at most 65535; 1000. */
  iterations_max?: number
  /** Side of a tile in pixels; 64. */
  tile?: number
}

/** What a Lucas-Lehmer test found. */
export interface MersenneAnswer {
  exponent: number
  /** Whether 2^exponent - 1 is prime. */
  prime: boolean
  /** The low 64 bits of the last number of the test, as 16 hexadecimal digits. */
  residue: string
}

/** What to align with, and how to score. What is left out takes its default. */
export interface AlignParams {
  /** The references: FASTA records, or one bare sequence. */
  reference: string
  /** `dna` scores by match and mismatch, `protein` by BLOSUM62; `dna`. */
  alphabet?: 'dna' | 'protein'
  /** Score of two equal bases; 2. */
  match?: number
  /** Score of two different bases; -3. */
  mismatch?: number
  /** What a gap costs before its first letter; 5. */
  gap_open?: number
  /** What each letter of a gap costs; 2. */
  gap_extend?: number
}

/** A local alignment. Positions count letters from 0; an end is one after the last letter. */
export interface Alignment {
  query: string
  reference: string
  score: number
  query_start: number
  query_end: number
  reference_start: number
  reference_end: number
  /** M for a pair, I for letters of the query only, D for letters of the reference only. */
  cigar: string
}

/** The option, and how to simulate it. What is left out takes its default. */
export interface MontecarloParams {
  /** Price of the share today; 100. */
  spot?: number
  /** Price at which the option lets one buy or sell; 100. */
  strike?: number
  /** Interest a year without risk, continuously compounded; 0.05. */
  rate?: number
  /** Volatility a year; 0.2. */
  volatility?: number
  /** Years until the option ends; 1. */
  maturity_years?: number
  /** Whether it lets one buy or sell; `call`. */
  kind?: 'call' | 'put'
  /** Paths in a block; 100000. */
  paths_per_item?: number
  /** Another seed gives other paths; 0. */
  seed?: number
}

/** The sums over a block's paths: added up over blocks and divided by the paths, the estimates. */
export interface MontecarloSums {
  block: number
  paths: number
  price_sum: number
  price_square_sum: number
  delta_sum: number
  gamma_sum: number
  vega_sum: number
}

/** A parameter, or an item. */
export interface FieldDescription {
  name?: string
  type: 'integer' | 'number' | 'boolean' | 'text' | 'choice' | 'json'
  about?: string
  default?: unknown
  min?: number
  max?: number
  required?: boolean
  choices?: string[]
}

/** What a kernel says of itself. */
export interface KernelDescription {
  program: { name: string; version: string }
  name: string
  title: string
  about: string
  item: FieldDescription
  params: FieldDescription[]
  output: 'json' | 'bytes'
  picture?: 'tiles'
}

/** The escape counts of a tile, row by row; `iterations_max` means inside. Throws an `Error` that names what does not fit, as all of these do. */
export function mandelbrotTile(params: MandelbrotParams, tile: number): Uint16Array
/** Whether 2^exponent - 1 is prime. */
export function mersenne(exponent: number): MersenneAnswer
/** The best local alignment of a query, bare or as FASTA; a list where the query has several records. */
export function align(query: string, params: AlignParams): Alignment | Alignment[]
/** The sums of one block of simulated paths. */
export function montecarloBlock(params: MontecarloParams, block: number): MontecarloSums
/** What the kernels say of themselves. */
export function describe(): KernelDescription[]
