// Pure: which experts tokens of the layer's benchmark go to, and the logits that say so.

/** One routing of a batch. */
export type Routing = {
  /** [T, E], row-major: large where an expert is selected. */
  readonly logits: Float32Array<ArrayBuffer>
  /** Rows of every expert. */
  readonly counts: readonly number[]
}

const SELECTED = 4

/** Every token selects `topK` different experts, evenly at random; the same seed, the same routing. */
export function randomRouting(
  tokens: number,
  experts: number,
  topK: number,
  seed: number,
): Routing {
  const logits = new Float32Array(tokens * experts)
  const counts = new Array<number>(experts).fill(0)
  const next = randomBelow(seed)
  for (let token = 0; token < tokens; token++) {
    const order = Array.from({ length: experts }, (_, i) => i)
    for (let slot = 0; slot < topK; slot++) {
      const at = slot + next(experts - slot)
      const expert = order[at] as number
      order[at] = order[slot] as number
      // Different, so that the selection has an order.
      logits[token * experts + expert] = SELECTED + slot / topK
      counts[expert] = (counts[expert] as number) + 1
    }
  }
  return { logits, counts }
}

/** mulberry32, scaled to whole numbers below a bound. */
function randomBelow(seed: number): (bound: number) => number {
  let state = seed >>> 0
  return (bound) => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * bound)
  }
}
