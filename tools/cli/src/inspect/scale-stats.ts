// Statistics of the scales of an FP8 weight. Pure.

export type ScaleStats = {
  readonly dtype: string
  readonly count: number
  readonly min: number
  readonly median: number
  readonly max: number
  /** Every scale is a power of two, whatever dtype it is stored in. */
  readonly powersOfTwo: boolean
  /** Scales that are zero, negative or not finite: such blocks are lost. */
  readonly bad: number
}

export function scaleStatistics(dtype: string, scales: Float32Array): ScaleStats {
  const good = scales.filter((scale) => scale > 0 && Number.isFinite(scale)).sort()
  return {
    dtype,
    count: scales.length,
    min: good[0] ?? 0,
    median: good[Math.floor(good.length / 2)] ?? 0,
    max: good.at(-1) ?? 0,
    powersOfTwo: good.length > 0 && good.every(isPowerOfTwo),
    bad: scales.length - good.length,
  }
}

/** No bit of the mantissa is set; f32's own subnormals have no exponent to be a power of. */
function isPowerOfTwo(value: number): boolean {
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0] as number
  return (bits & 0x007fffff) === 0 && bits >>> 23 > 0
}
