import { ShapeError } from './errors.js'

/** Extents of a tensor, outermost first; empty for a scalar. */
export type Shape = readonly number[]

/** Highest rank a tensor may have. */
export const MAX_RANK = 8

/** `[2, 3]` for messages. */
export function showShape(shape: Shape): string {
  return `[${shape.join(', ')}]`
}

/** ⌈a / b⌉ for non-negative integers below 2^53. */
export function ceilDiv(a: number, b: number): number {
  return Math.ceil(a / b)
}

/** The smallest multiple of `multiple` that is at least `a`. */
export function roundUp(a: number, multiple: number): number {
  return ceilDiv(a, multiple) * multiple
}

/** Number of elements. */
export function elementCount(shape: Shape): number {
  return shape.reduce((product, extent) => product * extent, 1)
}

/** Strides in elements of a row-major tensor. */
export function rowMajorStrides(shape: Shape): number[] {
  const strides = new Array<number>(shape.length)
  let step = 1
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = step
    step *= shape[i] as number
  }
  return strides
}

/**
 * Checks that `shape` is a list of non-negative integers whose product is a safe integer.
 *
 * @throws {ShapeError}
 */
export function requireShape(subject: string, shape: unknown): Shape {
  const isExtent = (x: unknown): boolean => Number.isSafeInteger(x) && (x as number) >= 0
  const valid =
    Array.isArray(shape) &&
    shape.length <= MAX_RANK &&
    shape.every(isExtent) &&
    Number.isSafeInteger(elementCount(shape))
  if (valid) return shape as Shape
  throw new ShapeError(`${subject} has an invalid shape`, {
    given: Array.isArray(shape) ? showShape(shape) : typeof shape,
    allowed: `at most ${MAX_RANK} non-negative integers with a product below 2^53`,
  })
}

/** @throws {ShapeError} unless `shape` equals `expected`. */
export function requireSameShape(subject: string, shape: Shape, expected: Shape): void {
  if (shape.length === expected.length && shape.every((x, i) => x === expected[i])) return
  throw new ShapeError(`${subject} has the wrong shape`, {
    given: showShape(shape),
    allowed: showShape(expected),
  })
}
