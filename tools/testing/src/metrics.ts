/** Tile that errors are summed up over; a kernel's output tiles are of this order. */
const TILE = 128

/**
 * 1 − 2Σxy / Σ(x² + y²): 0 for equal matrices, 2 for opposite ones. NaN when either has a
 * non-finite element.
 */
export function globalError(x: ArrayLike<number>, y: ArrayLike<number>): number {
  if (x.length !== y.length) throw new Error(`${x.length} and ${y.length} elements`)
  let [cross, squares] = [0, 0]
  for (let i = 0; i < x.length; i++) {
    const [a, b] = [x[i] as number, y[i] as number]
    cross += a * b
    squares += a * a + b * b
  }
  return squares === 0 ? 0 : 1 - (2 * cross) / squares
}

/** Largest relative error within one part of a matrix. */
export type PartError = { readonly row: number; readonly col: number; readonly error: number }

type Size = { readonly rows: number; readonly cols: number }

/**
 * Per part of `height` × `width` elements: the largest difference over the largest expected
 * magnitude. Infinite where zeros were expected and something else came, or where one of the two is
 * NaN or infinite and the other differs.
 */
function partErrors(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  { rows, cols }: Size,
  [height, width]: readonly [number, number],
): PartError[] {
  if (actual.length !== rows * cols || expected.length !== rows * cols) {
    throw new Error(`${actual.length} and ${expected.length} elements for [${rows}, ${cols}]`)
  }
  const across = Math.ceil(cols / width)
  const count = Math.ceil(rows / height) * across
  const differences = new Float64Array(count)
  const magnitudes = new Float64Array(count)
  for (let i = 0; i < rows * cols; i++) {
    const [x, y] = [actual[i] as number, expected[i] as number]
    const part = Math.floor(Math.floor(i / cols) / height) * across + Math.floor((i % cols) / width)
    const off = Object.is(x, y) || x === y ? 0 : Math.abs(x - y)
    const difference = Number.isNaN(off) ? Number.POSITIVE_INFINITY : off
    differences[part] = Math.max(differences[part] as number, difference)
    if (Number.isFinite(y)) magnitudes[part] = Math.max(magnitudes[part] as number, Math.abs(y))
  }
  return Array.from(differences, (difference, part) => ({
    row: Math.floor(part / across) * height,
    col: (part % across) * width,
    error: difference === 0 ? 0 : difference / (magnitudes[part] as number),
  }))
}

/** Maximum relative error of each row. */
export function rowErrors(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  size: Size,
): PartError[] {
  return partErrors(actual, expected, size, [1, Math.max(size.cols, 1)])
}

/** Maximum relative error of each tile, by its first row and column. */
export function tileErrors(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  size: Size,
  tile: readonly [number, number] = [TILE, TILE],
): PartError[] {
  return partErrors(actual, expected, size, tile)
}

/** The part with the largest error; undefined of an empty matrix. */
export function worst(parts: readonly PartError[]): PartError | undefined {
  return parts.reduce<PartError | undefined>(
    (found, part) => (found === undefined || part.error > found.error ? part : found),
    undefined,
  )
}
