import fc from 'fast-check'

/** Extents around which kernels change path: single rows, vector widths, tiles, scale blocks. */
const EDGES: readonly number[] = [
  1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 96, 112, 127, 128, 129, 160, 191,
  192, 193, 255, 256, 257, 383, 384, 385, 512,
]

/** Which extents are legal. */
export type ExtentOptions = {
  readonly min?: number
  readonly max: number
  /** All extents are multiples of this, as a GPU's copies need; default 1. */
  readonly multipleOf?: number
}

/** Extents from `min` to `max`, edges as often as all others together. */
export function extents({ min = 1, max, multipleOf = 1 }: ExtentOptions): fc.Arbitrary<number> {
  const legal = (x: number): boolean => x >= min && x <= max && x % multipleOf === 0
  const edges = EDGES.filter(legal)
  const any = fc
    .integer({ min: Math.ceil(min / multipleOf), max: Math.floor(max / multipleOf) })
    .map((x) => x * multipleOf)
  return edges.length === 0 ? any : fc.oneof(fc.constantFrom(...edges), any)
}

/** M, N and K of a GEMM. */
export type GemmShape = { readonly m: number; readonly n: number; readonly k: number }

/** Bounds of random GEMM shapes. */
export type ShapeOptions = {
  readonly maxM?: number
  readonly maxN?: number
  readonly maxK?: number
  readonly multipleOfN?: number
  readonly multipleOfK?: number
}

/** Legal GEMM shapes with tails of every kind; M may be 0. */
export function gemmShapes(options: ShapeOptions = {}): fc.Arbitrary<GemmShape> {
  const { maxM = 160, maxN = 160, maxK = 400, multipleOfN = 1, multipleOfK = 1 } = options
  const some = extents({ max: maxM })
  return fc.record({
    m: fc.oneof({ weight: 1, arbitrary: fc.constant(0) }, { weight: 15, arbitrary: some }),
    n: extents({ max: maxN, multipleOf: multipleOfN }),
    k: extents({ max: maxK, multipleOf: multipleOfK }),
  })
}
