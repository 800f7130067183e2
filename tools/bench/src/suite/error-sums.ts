// Pure: how far numbers are from what they should be.

/** Rows and columns of a product that are compared: every combination of them. */
const SAMPLED = 16

/** Up to 16 positions of so many, the first and the last included. */
export function sampledPositions(count: number): number[] {
  const taken = Math.min(SAMPLED, count)
  if (taken === 1) return [0]
  return Array.from({ length: taken }, (_, i) => Math.floor((i * (count - 1)) / (taken - 1)))
}

/** 1 - 2 sum(xy) / sum(x^2 + y^2): 0 for equal numbers, 1 against zeros, NaN when one is NaN. */
export class ErrorSums {
  #products = 0
  #squares = 0

  add(actual: number, expected: number): void {
    this.#products += actual * expected
    this.#squares += actual * actual + expected * expected
  }

  get error(): number {
    return this.#squares === 0 ? 0 : Math.abs(1 - (2 * this.#products) / this.#squares)
  }
}

export function dot(x: ArrayLike<number>, y: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < x.length; i++) sum += (x[i] as number) * (y[i] as number)
  return sum
}
