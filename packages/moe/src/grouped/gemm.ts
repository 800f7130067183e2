import {
  type GemmWeights,
  type GroupLayout,
  type OutputOptions,
  type QuantizedTensor,
  requireInteger,
  requireKnownOptions,
  requireOutput,
  requireOutputOptions,
  Tensor,
} from '@deepgemm/core'
import { type Device, resolveStream, type Stream } from '@deepgemm/runtime'
import { groupedLauncher } from '../backend.js'
import type { GroupedOperand, GroupedWeights, GroupedWeightsCall } from './call.js'
import { type GroupIndices, groupCount, requireGroups } from './indices.js'
import type { KGroupedMatrix } from './k-grouped-tensor.js'
import { groupedProblem, outputShape } from './problem.js'

export type GroupedGemmOptions = OutputOptions & {
  /** Default: the device's default stream. */
  readonly stream?: Stream
}

export type MaskedGemmOptions = GroupedGemmOptions & {
  /** Rows that a group is expected to have. A hint: results do not depend on it. */
  readonly expectedM?: number
}

const OPTIONS = ['out', 'outDType', 'accumulate', 'stream']
const MASKED = [...OPTIONS, 'expectedM']

/**
 * Rows of A times the weights of each row's group: D[r] = A[r] · B[groupIndex[r]]ᵀ.
 *
 * A is [ΣM, K] (1x128 scales), B [G, N, K] (128x128 or 1x128), `groupIndex` int32 [ΣM]. Each
 * group's rows start at a multiple of `CONTIGUOUS_ALIGNMENT`; -1 marks padding rows, whose A is
 * not read and whose D becomes zeros, or stays as it is with `accumulate`. D is bf16 [ΣM, N] unless
 * told otherwise. Scales may be f32 or ue8m0, in either orientation. On a CPU B may be prepacked.
 *
 * Resolves with D when it is ready.
 *
 * @throws {GroupError} for a group out of range or groups that are not aligned
 * @throws {ShapeError | DTypeError | LayoutError | RecipeError | OptionError | DeviceError | DisposedError}
 */
export function groupedGemmContiguous(
  a: QuantizedTensor,
  b: GemmWeights,
  groupIndex: GroupIndices,
  options: GroupedGemmOptions = {},
): Promise<Tensor> {
  return groupedGemm('contiguous', a, b, groupIndex, options)
}

/**
 * As `groupedGemmContiguous`, with the groups back to back: group g owns rows `groupOffsets[g]` to
 * `groupOffsets[g + 1]` (exclusive); `groupOffsets` is int32 [G + 1]. Rows before the first and
 * after the last offset are not read, and in D they are left untouched.
 *
 * @throws {GroupError} for offsets that decrease or exceed the rows
 * @throws {ShapeError | DTypeError | LayoutError | RecipeError | OptionError | DeviceError | DisposedError}
 */
export function groupedGemmPacked(
  a: QuantizedTensor,
  b: GemmWeights,
  groupOffsets: GroupIndices,
  options: GroupedGemmOptions = {},
): Promise<Tensor> {
  return groupedGemm('packed', a, b, groupOffsets, options)
}

/**
 * Each group has room for the same number of rows and uses the first `groupSizes[g]`:
 * D[g, r] = A[g, r] · B[g]ᵀ for A [G, max M, K], B [G, N, K], D [G, max M, N]. Other rows are not
 * read, and in D they are left untouched. The host need not know the sizes.
 *
 * @throws {GroupError} for a size below 0 or above max M
 * @throws {ShapeError | DTypeError | LayoutError | RecipeError | OptionError | DeviceError | DisposedError}
 */
export function groupedGemmMasked(
  a: QuantizedTensor,
  b: GemmWeights,
  groupSizes: GroupIndices,
  options: MaskedGemmOptions = {},
): Promise<Tensor> {
  return groupedGemm('masked', a, b, groupSizes, options)
}

/**
 * Groups are slices of K: D[g] = A[:, Kg] · B[:, Kg]ᵀ for A [M, ΣK], B [N, ΣK] and D [G, M, N], f32
 * unless told otherwise. This is the weight gradient of a grouped product. The D of an empty group
 * becomes zeros, or stays as it is with `accumulate`; columns after the last group are not read.
 *
 * @throws {GroupError} for sizes below 0, that exceed ΣK, or that have more blocks than scales
 * @throws {ShapeError | DTypeError | LayoutError | OptionError | DeviceError | DisposedError}
 */
export function groupedGemmKGrouped(
  a: KGroupedMatrix,
  b: KGroupedMatrix,
  groupSizes: GroupIndices,
  options: GroupedGemmOptions = {},
): Promise<Tensor> {
  return groupedGemm('k-grouped', a, b, groupSizes, options)
}

async function groupedGemm<L extends GroupLayout>(
  layout: L,
  a: GroupedOperand<L>,
  b: GroupedWeights<L>,
  indices: GroupIndices,
  options: MaskedGemmOptions,
): Promise<Tensor> {
  requireKnownOptions(`The ${layout} GEMM`, options, layout === 'masked' ? MASKED : OPTIONS)
  requireInteger('The option expectedM', options.expectedM ?? 0, 0)
  const output = requireOutputOptions(options, layout === 'k-grouped' ? 'f32' : 'bf16')
  const groups = layout === 'k-grouped' ? groupCount(indices) : 0
  const problem = groupedProblem(layout, a, b, { ...output, groups })
  const device = a.values.device as Device
  const stream = resolveStream(device, options.stream)
  requireGroups(device, problem, indices)
  const shape = outputShape(problem)
  if (options.out !== undefined) requireOutput(options.out, shape, device)
  const out = options.out ?? device.zeros({ dtype: problem.out, shape, label: 'grouped product' })
  const onDevice = upload(device, indices)
  try {
    const operands = { layout, problem, a, b, out, groups: onDevice }
    // What the host gave was checked above.
    const checks = { validate: onDevice === indices, awaited: true, groupsReady: false }
    const expected = { expectedM: options.expectedM ?? problem.m }
    const launcher = groupedLauncher(stream, {
      ...operands,
      ...checks,
      ...expected,
    } as GroupedWeightsCall)
    const launch = typeof launcher === 'function' ? launcher : await launcher
    // Both in one turn: a failure is told to whoever waits first.
    launch()
    await stream.synchronize()
  } catch (error) {
    if (options.out === undefined) out.dispose()
    throw error
  } finally {
    if (onDevice !== indices) onDevice.dispose()
  }
  return out
}

function upload(device: Device, indices: GroupIndices): Tensor<'i32'> {
  if (indices instanceof Tensor) return indices
  return device.tensor(indices, { dtype: 'i32', shape: [indices.length], label: 'group data' })
}
