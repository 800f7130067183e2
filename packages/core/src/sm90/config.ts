import type { GroupLayout } from '../groups.js'
import type { OutDType } from '../problem.js'

/** `vectors`: 1x128, a scale per row and 128 of K. `blocks`: 128x128. */
export type Sm90Scaling = 'vectors' | 'blocks'

/**
 * The compile-time choices of the FP8 GEMM for Hopper (`kernels/cuda/entry/fp8_gemm.cu`).
 *
 * D = left × rightᵀ. The left operand lies on the 64-row side of wgmma. Unswapped, left is A and
 * right is B; swapped, left is B (the weights) and right is A (few tokens).
 */
export type Sm90Config = {
  readonly target: 'sm_90a'
  /** How rows, or slices of K, belong to groups; left out in dense products. */
  readonly layout?: GroupLayout
  /** Rows of the left operand in a tile: math warp groups × 64 × `rowBlocks`. */
  readonly blockLeft: number
  /** Rows of the right operand in a tile. */
  readonly blockRight: number
  /** Blocks of 64 rows that one math warp group computes. */
  readonly rowBlocks: number
  /** Chunks that `blockRight` is cut into; each is one wgmma wide. */
  readonly columnSplits: number
  /** 1: wait for the products, then promote. 2: promote under the next products. */
  readonly accumulators: 1 | 2
  /**
   * K blocks that the loop takes at once. As many as stages: the whole ring, with every address a
   * constant. Two accumulators drain the tensor cores after each of these runs.
   */
  readonly unroll: number
  /** Stages of the shared-memory ring, 128 of K each. */
  readonly stages: number
  /** Which operand the two blocks of a cluster share; `none` means no cluster. */
  readonly multicast: 'none' | 'left' | 'right'
  readonly swapped: boolean
  readonly leftScaling: Sm90Scaling
  readonly rightScaling: Sm90Scaling
  readonly out: OutDType
  readonly accumulate: boolean
  /** Blocks that fit a multiprocessor at once: with 2 the next kernel starts under this one's tail. */
  readonly blocksPerSm: 1 | 2
}

/** A short stable name for messages and tables, such as `256x128/s3/left/bf16`. */
export function sm90ConfigName(config: Sm90Config): string {
  const parts = [
    config.layout ?? '',
    `${config.swapped ? 'swapped-' : ''}${config.blockLeft}x${config.blockRight}`,
    `s${config.stages}`,
    config.multicast === 'none' ? '' : config.multicast,
    config.accumulators === 2 ? `alternating${config.unroll}` : '',
    config.columnSplits > 1 ? `split${config.columnSplits}` : '',
    config.rightScaling === 'vectors' && !config.swapped ? 'wgrad' : '',
    config.accumulate ? `${config.out}+=` : config.out,
  ]
  return parts.filter((part) => part !== '').join('/')
}

const LAYOUT_NAMES: Readonly<Record<GroupLayout, string>> = {
  contiguous: 'kContiguous',
  packed: 'kPacked',
  masked: 'kMasked',
  'k-grouped': 'kKGrouped',
}

/** The choices in the words of the kernel source: members of its config struct. */
export function sm90KernelMembers(
  config: Sm90Config,
  sharedBytes: number,
): Record<string, string | number | boolean> {
  const capital = (word: string): string => `${word[0]?.toUpperCase()}${word.slice(1)}`
  const { layout } = config
  return {
    ...(layout === undefined ? {} : { kLayout: `Layout::${LAYOUT_NAMES[layout]}` }),
    kAccumulate: config.accumulate,
    kAccumulators: config.accumulators,
    kBlockLeft: config.blockLeft,
    kBlockRight: config.blockRight,
    kBlocksPerSm: config.blocksPerSm,
    kColumnSplits: config.columnSplits,
    kLeftScaling: `Scaling::k${capital(config.leftScaling)}`,
    kMulticast: `Multicast::k${capital(config.multicast)}`,
    kOut: `Output::k${capital(config.out)}`,
    kRightScaling: `Scaling::k${capital(config.rightScaling)}`,
    kRowBlocks: config.rowBlocks,
    kSharedBytes: sharedBytes,
    kStages: config.stages,
    kSwapped: config.swapped,
    kUnroll: config.unroll,
  }
}
