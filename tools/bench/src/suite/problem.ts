// Pure: what a problem set asks to measure, and what each product of it costs at least.

/** A product of a model: `m` rows of activations by a weight of [n, k]. */
export type SuiteCase = {
  /** The layer that it belongs to: `attention output`. */
  readonly layer: string
  readonly problem: 'dense' | 'contiguous'
  /** Rows of A; in a grouped product the rows that each group is expected to have. */
  readonly m: number
  readonly n: number
  readonly k: number
  /** Experts of a grouped product; 1 for a dense one. */
  readonly groups: number
}

/** The shapes of a model, or of a person's choice. */
export type ProblemSet = {
  readonly name: string
  /** Where the shapes are from; undefined for those of the command line. */
  readonly source?: string
  readonly cases: readonly SuiteCase[]
}

/** Tells products apart, also between two results. */
export function caseKey({ problem, m, n, k, groups }: SuiteCase): string {
  return `${problem} ${groups}x${m}x${n}x${k}`
}

/** `64 x 4096 x 7168`, or `8 experts, 128 x 4096 x 7168`. */
export function caseText({ m, n, k, groups }: SuiteCase): string {
  const shape = `${m} x ${n} x ${k}`
  return groups === 1 ? shape : `${groups} experts, ${shape}`
}

const GOLDEN_RATIO = (Math.sqrt(5) - 1) / 2

/** Rows of every group: 0.7 to 1.3 times what is expected, evenly spread. */
export function groupRows({ m, groups }: Pick<SuiteCase, 'm' | 'groups'>): number[] {
  if (groups === 1) return [m]
  return Array.from({ length: groups }, (_, i) => {
    const share = 0.7 + 0.6 * (((i + 1) * GOLDEN_RATIO) % 1)
    return Math.max(1, Math.round(share * m))
  })
}

/** Multiplications and additions. */
export function caseFlops(item: SuiteCase): number {
  return 2 * totalRows(item) * item.n * item.k
}

/** Bytes of the e4m3 values that are read and of the bf16 product that is written, each once. */
export function caseBytes(item: SuiteCase): number {
  const rows = totalRows(item)
  return weightBytes(item) + rows * item.k + 2 * rows * item.n
}

export function weightBytes({ groups, n, k }: SuiteCase): number {
  return groups * n * k
}

function totalRows(item: SuiteCase): number {
  return groupRows(item).reduce((sum, rows) => sum + rows, 0)
}
