/** Picks the next token from logits [vocabulary]. */
export type Sampler = (logits: Float32Array) => number

/** Always the likeliest token. */
export function greedy(logits: Float32Array): number {
  let best = 0
  for (let i = 1; i < logits.length; i++) {
    if ((logits[i] as number) > (logits[best] as number)) best = i
  }
  return best
}

/** Draws from softmax(logits / temperature); the same seed draws the same tokens. */
export function sampler(temperature: number, seed: number): Sampler {
  if (temperature === 0) return greedy
  const random = splitmix32(seed)
  return (logits) => {
    const max = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
    const weights = Float64Array.from(logits, (x) => Math.exp((x - max) / temperature))
    let rest = random() * weights.reduce((sum, x) => sum + x, 0)
    for (let i = 0; i < weights.length; i++) {
      rest -= weights[i] as number
      if (rest < 0) return i
    }
    return greedy(logits)
  }
}

/** Uniform numbers in [0, 1) (splitmix32). */
function splitmix32(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x9e3779b9) | 0
    let z = state
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
    return ((z ^ (z >>> 15)) >>> 0) / 2 ** 32
  }
}
