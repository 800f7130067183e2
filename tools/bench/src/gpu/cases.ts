// Pure: what is measured on a GPU, and how many copies of it.

type GpuProblem = 'dense' | 'wgrad'

/** A product: `dense` NT in bf16, or `wgrad`, 1x128 on both sides, added to f32. */
export type GpuCase = {
  readonly problem: GpuProblem
  readonly m: number
  readonly n: number
  readonly k: number
}

const ROWS = [1, 16, 64, 128, 256, 512, 1024, 2048, 4096] as const

/** N and K of the weights of DeepSeek-V3. */
const WEIGHTS = [
  [2112, 7168],
  [24576, 1536],
  [32768, 512],
  [7168, 16384],
  [4096, 7168],
  [7168, 2048],
] as const

const GRADIENTS = [
  [7168, 2112, 4096],
  [7168, 4096, 4096],
  [4096, 7168, 4096],
] as const

const QUICK: readonly GpuCase[] = [
  { problem: 'dense', m: 16, n: 2112, k: 7168 },
  { problem: 'dense', m: 2048, n: 2112, k: 7168 },
  { problem: 'wgrad', m: 7168, n: 2112, k: 4096 },
]

/** Everything, weights after weights: one plan serves all rows of the same. */
export function gpuCases(quick: boolean): readonly GpuCase[] {
  if (quick) return QUICK
  return [
    ...WEIGHTS.flatMap(([n, k]) => ROWS.map((m) => ({ problem: 'dense' as const, m, n, k }))),
    ...GRADIENTS.map(([m, n, k]) => ({ problem: 'wgrad' as const, m, n, k })),
  ]
}

/** The case of these extents: a gradient if it is one of those above, else a dense product. */
export function gpuCase(m: number, n: number, k: number): GpuCase {
  const isGradient = GRADIENTS.some((extents) => [m, n, k].every((x, i) => x === extents[i]))
  return { problem: isGradient ? 'wgrad' : 'dense', m, n, k }
}

/** Three times the L2 of an H100: what is read again has left the cache meanwhile. */
const ROTATING_BYTES = 160e6
const MOST_COPIES = 40
const FEWEST_LAUNCHES = 20

export type Rotation = {
  /** Sets of operands and outputs that launches take in turn. */
  readonly copies: number
  /** Launches of a graph: a multiple of the copies, so that replays go on with the turn. */
  readonly launches: number
}

/** How often a piece of work that touches `bytes` stands in a graph. */
export function rotation(bytes: number): Rotation {
  const copies = Math.max(2, Math.min(MOST_COPIES, Math.floor(ROTATING_BYTES / bytes) + 1))
  return { copies, launches: Math.ceil(FEWEST_LAUNCHES / copies) * copies }
}

/** Bytes of the values and the output of one product. */
export function touchedBytes({ problem, m, n, k }: GpuCase): number {
  return n * k + m * k + (problem === 'dense' ? 2 : 4) * m * n
}
