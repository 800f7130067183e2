/** RMSNorm of every row: x / sqrt(mean(x²) + eps) · weight. */
export function rmsNorm(
  x: Float32Array,
  weight: Float32Array,
  eps: number,
): Float32Array<ArrayBuffer> {
  const width = weight.length
  const out = new Float32Array(x.length)
  for (let row = 0; row < x.length; row += width) {
    let squares = 0
    for (let i = 0; i < width; i++) squares += (x[row + i] as number) ** 2
    const factor = 1 / Math.sqrt(squares / width + eps)
    for (let i = 0; i < width; i++) {
      out[row + i] = (x[row + i] as number) * factor * (weight[i] as number)
    }
  }
  return out
}

/** x += y, element by element. */
export function addInPlace(x: Float32Array, y: Float32Array): void {
  for (let i = 0; i < x.length; i++) x[i] = (x[i] as number) + (y[i] as number)
}

/** silu(gate) · up of rows [gate | up]. */
export function swiglu(gateUp: Float32Array, width: number): Float32Array<ArrayBuffer> {
  const rows = gateUp.length / (2 * width)
  const out = new Float32Array(rows * width)
  for (let r = 0; r < rows; r++) {
    for (let i = 0; i < width; i++) {
      const gate = gateUp[r * 2 * width + i] as number
      const up = gateUp[r * 2 * width + width + i] as number
      out[r * width + i] = (gate / (1 + Math.exp(-gate))) * up
    }
  }
  return out
}
