// Statistics of a matrix that goes by in pieces. Pure.

/** What is known of the values of a tensor. */
export type ValueStats = {
  readonly count: number
  /** Largest magnitude among the finite values. */
  readonly amax: number
  readonly rms: number
  /** `amax` / `rms`: about 5 for a million normal numbers, more where there are outliers. */
  readonly crest: number
  /** Share of values beyond `OUTLIER_SIGMAS` times the rms; 2e-9 for normal numbers. */
  readonly outliers: number
  readonly zeros: number
  /** NaN and infinities. */
  readonly nonFinite: number
  readonly blocks: BlockStats
}

/** Largest magnitude of every 128x128 block, divided by the rms of the whole tensor. */
type BlockStats = {
  readonly rows: number
  readonly columns: number
  readonly crest: Float32Array
}

/** Beyond this many times the rms a value counts as an outlier. */
export const OUTLIER_SIGMAS = 6

const BLOCK = 128

/** Buckets of a magnitude: its exponent and the first three bits of its mantissa. */
const BUCKET_SHIFT = 20
const BUCKETS = 2 ** (31 - BUCKET_SHIFT)
/** First bucket of infinity and NaN. */
const NON_FINITE = 0x7f800000 >>> BUCKET_SHIFT

/** Takes the rows of a tensor, seen as one matrix after the other, and sums them up. */
export class ValueStatistics {
  readonly #columns: number
  readonly #blockColumns: number
  readonly #blockRowsOfGroup: number
  readonly #blockAmax: Float32Array
  readonly #histogram = new Float64Array(BUCKETS)
  #squares = 0
  #count = 0
  #amax = 0

  constructor(shape: { readonly groups: number; readonly rows: number; readonly columns: number }) {
    this.#columns = shape.columns
    this.#blockColumns = Math.ceil(shape.columns / BLOCK)
    this.#blockRowsOfGroup = Math.ceil(shape.rows / BLOCK)
    this.#blockAmax = new Float32Array(shape.groups * this.#blockRowsOfGroup * this.#blockColumns)
  }

  /** `values` are whole rows of matrix `group`, the first one its row `row`. */
  add(values: Float32Array, group: number, row: number): void {
    const columns = this.#columns
    const rows = values.length / columns
    for (let r = 0; r < rows; r++) {
      const blockRow = group * this.#blockRowsOfGroup + Math.floor((row + r) / BLOCK)
      this.#addRow(values.subarray(r * columns, (r + 1) * columns), blockRow * this.#blockColumns)
    }
    this.#count += values.length
  }

  #addRow(row: Float32Array, firstBlock: number): void {
    const bits = new Uint32Array(row.buffer, row.byteOffset, row.length)
    let squares = 0
    for (let from = 0, block = firstBlock; from < row.length; from += BLOCK, block++) {
      const to = Math.min(from + BLOCK, row.length)
      let amax = 0
      for (let i = from; i < to; i++) {
        const bucket = ((bits[i] as number) & 0x7fffffff) >>> BUCKET_SHIFT
        this.#histogram[bucket] = (this.#histogram[bucket] as number) + 1
        if (bucket >= NON_FINITE) continue
        const value = row[i] as number
        squares += value * value
        const magnitude = Math.abs(value)
        if (magnitude > amax) amax = magnitude
      }
      if (amax > (this.#blockAmax[block] as number)) this.#blockAmax[block] = amax
      if (amax > this.#amax) this.#amax = amax
    }
    this.#squares += squares
  }

  finish(): ValueStats {
    const nonFinite = this.#countFrom(NON_FINITE)
    const finite = this.#count - nonFinite
    const rms = finite === 0 ? 0 : Math.sqrt(this.#squares / finite)
    const share = (amount: number): number => (this.#count === 0 ? 0 : amount / this.#count)
    return {
      count: this.#count,
      amax: this.#amax,
      rms,
      crest: rms === 0 ? 0 : this.#amax / rms,
      outliers: rms === 0 ? 0 : share(this.#countFrom(bucketOf(OUTLIER_SIGMAS * rms)) - nonFinite),
      zeros: share(this.#histogram[0] as number),
      nonFinite,
      blocks: {
        rows: this.#blockColumns === 0 ? 0 : this.#blockAmax.length / this.#blockColumns,
        columns: this.#blockColumns,
        crest: this.#blockAmax.map((amax) => (rms === 0 ? 0 : amax / rms)),
      },
    }
  }

  #countFrom(bucket: number): number {
    return this.#histogram.subarray(bucket).reduce((sum, count) => sum + count, 0)
  }
}

/** The bucket whose lower end is nearest to a magnitude from above: at most 1/8 of it further. */
function bucketOf(magnitude: number): number {
  const bits = new Uint32Array(Float32Array.of(magnitude).buffer)[0] as number
  return Math.min((bits >>> BUCKET_SHIFT) + 1, NON_FINITE)
}
