import { rotate } from './rope.js'

export type AttentionShape = {
  readonly heads: number
  readonly headDim: number
  readonly theta: number
}

/** Keys and values of the tokens seen so far, one entry per layer. */
export class KeyValueCache {
  readonly keys: Float32Array
  readonly values: Float32Array
  readonly capacity: number

  /** `width` is heads · headDim. */
  constructor(capacity: number, width: number) {
    this.capacity = capacity
    this.keys = new Float32Array(capacity * width)
    this.values = new Float32Array(capacity * width)
  }
}

/**
 * Causal multi-head attention of new tokens, in plain TypeScript.
 *
 * `qkv` holds rows [q | k | v] of tokens at positions `start` onwards; their keys and values are
 * added to the cache. Returns [tokens, heads · headDim].
 */
export function attend(
  qkv: Float32Array,
  start: number,
  cache: KeyValueCache,
  shape: AttentionShape,
): Float32Array<ArrayBuffer> {
  const width = shape.heads * shape.headDim
  const tokens = qkv.length / (3 * width)
  for (let t = 0; t < tokens; t++) remember(qkv, t, start + t, cache, shape)
  const out = new Float32Array(tokens * width)
  for (let t = 0; t < tokens; t++) {
    for (let head = 0; head < shape.heads; head++) {
      const at = head * shape.headDim
      const query = qkv.slice(t * 3 * width + at, t * 3 * width + at + shape.headDim)
      rotate(query, start + t, shape.theta)
      const target = out.subarray(t * width + at, t * width + at + shape.headDim)
      attendHead(query, at, start + t + 1, width, cache, target)
    }
  }
  return out
}

/** Puts a token's rotated keys and its values into the cache. */
function remember(
  qkv: Float32Array,
  token: number,
  position: number,
  cache: KeyValueCache,
  { heads, headDim, theta }: AttentionShape,
): void {
  const width = heads * headDim
  const row = token * 3 * width
  cache.keys.set(qkv.subarray(row + width, row + 2 * width), position * width)
  cache.values.set(qkv.subarray(row + 2 * width, row + 3 * width), position * width)
  for (let head = 0; head < heads; head++) {
    const at = position * width + head * headDim
    rotate(cache.keys.subarray(at, at + headDim), position, theta)
  }
}

/** softmax(q · Kᵀ / √d) · V of one head over the first `count` cached tokens. */
function attendHead(
  query: Float32Array,
  at: number,
  count: number,
  width: number,
  cache: KeyValueCache,
  out: Float32Array,
): void {
  const scores = new Float32Array(count)
  const scale = 1 / Math.sqrt(query.length)
  let max = Number.NEGATIVE_INFINITY
  for (let p = 0; p < count; p++) {
    let dot = 0
    for (let i = 0; i < query.length; i++) {
      dot += (query[i] as number) * (cache.keys[p * width + at + i] as number)
    }
    scores[p] = dot * scale
    max = Math.max(max, scores[p] as number)
  }
  let sum = 0
  for (let p = 0; p < count; p++) {
    scores[p] = Math.exp((scores[p] as number) - max)
    sum += scores[p] as number
  }
  for (let p = 0; p < count; p++) {
    const weight = (scores[p] as number) / sum
    for (let i = 0; i < out.length; i++) {
      out[i] = (out[i] as number) + weight * (cache.values[p * width + at + i] as number)
    }
  }
}
