// Pure: what is measured.

import { CONTIGUOUS_ALIGNMENT } from 'deepgemm'

export type GemmShape = { readonly m: number; readonly n: number; readonly k: number }

/** A dense product on a device of so many threads. */
export type GemmCase = GemmShape & {
  readonly threads: number
  /** Undefined: the best the machine has. */
  readonly isa?: string
  /** Weights that `prepackWeights` rearranged. */
  readonly prepacked?: boolean
}

export type GroupedCase = {
  readonly name: string
  readonly sizes: readonly number[]
  readonly n: number
  readonly k: number
}

/** A product, and its calls within one sample. */
export type OverheadCase = { readonly shape: GemmShape; readonly calls: number }

/** The sizes of one benchmark: full, or quick for a look at whether everything works. */
export type Workload = {
  readonly shapes: readonly GemmShape[]
  /** Shapes that are also run with prepacked weights. */
  readonly prepackedShapes: readonly GemmShape[]
  /** Shapes that are also run with narrower instruction sets. */
  readonly narrowShapes: readonly GemmShape[]
  readonly cast: { readonly rows: number; readonly columns: number }
  readonly grouped: readonly GroupedCase[]
  readonly eventLoop: GemmShape
  readonly overhead: readonly OverheadCase[]
}

/** Instruction sets that are measured beside the best one. */
const NARROW_ISAS: readonly string[] = ['avx512', 'avx2']

const shapesOf = (ms: readonly number[], n: number, k: number): GemmShape[] =>
  ms.map((m) => ({ m, n, k }))

const FULL: Workload = {
  shapes: [
    ...shapesOf([1, 2, 4, 8, 16, 64, 512], 4096, 7168),
    { m: 2048, n: 2048, k: 2048 },
    ...shapesOf([1, 64, 512], 2112, 7168),
    ...shapesOf([1, 64, 512], 7168, 2048),
    // Sizes that no tile divides.
    { m: 3, n: 2047, k: 4111 },
    { m: 65, n: 4097, k: 7169 },
    { m: 513, n: 2049, k: 1025 },
  ],
  prepackedShapes: [
    ...shapesOf([1, 2, 4, 8, 16, 64, 512], 4096, 7168),
    { m: 2048, n: 2048, k: 2048 },
  ],
  narrowShapes: shapesOf([64, 512], 4096, 7168),
  cast: { rows: 4096, columns: 7168 },
  grouped: [
    { name: '8 experts, 128 tokens each', sizes: Array(8).fill(128), n: 2048, k: 7168 },
    {
      name: '8 experts, skewed',
      sizes: [515, 260, 126, 64, 33, 17, 8, 1],
      n: 2048,
      k: 7168,
    },
    { name: '256 experts, 1-4 tokens each', sizes: fewTokens(256), n: 1024, k: 2048 },
  ],
  eventLoop: { m: 2048, n: 4096, k: 7168 },
  overhead: [
    { shape: { m: 128, n: 128, k: 128 }, calls: 300 },
    // Large enough for threads to be woken after a pause.
    { shape: { m: 1, n: 4096, k: 7168 }, calls: 10 },
  ],
}

const QUICK: Workload = {
  shapes: [
    { m: 1, n: 256, k: 512 },
    { m: 33, n: 257, k: 511 },
  ],
  prepackedShapes: [{ m: 33, n: 257, k: 511 }],
  narrowShapes: [{ m: 64, n: 256, k: 512 }],
  cast: { rows: 256, columns: 512 },
  grouped: [
    { name: '4 experts, skewed', sizes: [64, 17, 0, 3], n: 256, k: 512 },
    { name: '16 experts, 1-4 tokens each', sizes: fewTokens(16), n: 128, k: 256 },
  ],
  eventLoop: { m: 256, n: 512, k: 512 },
  overhead: [{ shape: { m: 128, n: 128, k: 128 }, calls: 30 }],
}

export function workload(quick: boolean): Workload {
  return quick ? QUICK : FULL
}

/** 1 to 4 tokens for each of so many experts, in no order: the decoding step of a large batch. */
function fewTokens(experts: number): number[] {
  return Array.from({ length: experts }, (_, expert) => 1 + ((expert * 7 + (expert >> 2)) % 4))
}

/** Every dense case, products with the same weights and threads next to one another. */
export function gemmCases(work: Workload, threads: readonly number[]): GemmCase[] {
  return threads.flatMap((count) => [
    ...work.shapes.map((shape) => ({ ...shape, threads: count })),
    ...work.prepackedShapes.map((shape) => ({ ...shape, threads: count, prepacked: true })),
    ...NARROW_ISAS.flatMap((isa) =>
      work.narrowShapes.map((shape) => ({ ...shape, threads: count, isa })),
    ),
  ])
}

/** Copies of the weights that are used in turn, so that each use finds them out of the caches. */
export function coldCopies(bytes: number, coldBytes: number): number {
  return Math.max(1, Math.ceil(coldBytes / Math.max(bytes, 1)))
}

/** Rows that A has in a layout: groups back to back, aligned, or padded to the largest. */
export function rowsInLayout(
  layout: 'packed' | 'contiguous' | 'masked',
  sizes: readonly number[],
): number {
  const sum = (values: readonly number[]): number => values.reduce((total, size) => total + size, 0)
  if (layout === 'packed') return sum(sizes)
  if (layout === 'masked') return Math.max(0, ...sizes) * sizes.length
  return sum(sizes.map((size) => Math.ceil(size / CONTIGUOUS_ALIGNMENT) * CONTIGUOUS_ALIGNMENT))
}
