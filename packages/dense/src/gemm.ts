import {
  denseProblem,
  type GemmForm,
  type GemmWeights,
  type OutDType,
  type QuantizedTensor,
  requireKnownOptions,
  requireOutput,
  requireOutputOptions,
  type Tensor,
} from '@deepgemm/core'
import { type Device, finish, resolveStream, type Stream } from '@deepgemm/runtime'
import { enqueueGemm } from './backend.js'
import { outputShape } from './output.js'

export type GemmOptions = {
  /** Written to instead of a new tensor: [M, N], or [G, M, N] for batches. */
  readonly out?: Tensor
  /** Dtype of a new output. Default `bf16`. */
  readonly outDType?: OutDType
  /** Adds the product to `out`, which must be given. Default false. */
  readonly accumulate?: boolean
  /** Default: the device's default stream. */
  readonly stream?: Stream
}

const OPTIONS = ['out', 'outDType', 'accumulate', 'stream']

/**
 * D = A · Bᵀ with A [M, K] (1x128 scales) and B [N, K] (128x128 or 1x128 scales), row-major.
 *
 * Products accumulate in f32 over 128 of K, then the partial sum times both scales is added in f32
 * (two-level accumulation). Batches are [G, M, K] and [G, N, K]. M, N and K may be any size, 0
 * included. Resolves with D, [M, N] or [G, M, N], when it is ready. On a CPU B may be prepacked.
 *
 * On a GPU N must be a multiple of 8 and K of 16, and the rows of K-major operands and of D start at
 * multiples of 16 bytes. The first product of a kind compiles its kernels; `planGemm` does that ahead
 * of time.
 *
 * @throws {ShapeError | DTypeError | LayoutError | RecipeError | OptionError | DeviceError | DisposedError}
 */
export function fp8GemmNT(
  a: QuantizedTensor,
  b: GemmWeights,
  options: GemmOptions = {},
): Promise<Tensor> {
  return gemm('NT', a, b, options)
}

/** D = A · B with A [M, K] (1x128) and B [K, N] (128x128 or 128x1); else as `fp8GemmNT`. */
export function fp8GemmNN(
  a: QuantizedTensor,
  b: QuantizedTensor,
  options: GemmOptions = {},
): Promise<Tensor> {
  return gemm('NN', a, b, options)
}

/** D = Aᵀ · Bᵀ with A [K, M] (128x1) and B [N, K] (128x128 or 1x128); else as `fp8GemmNT`. */
export function fp8GemmTT(
  a: QuantizedTensor,
  b: QuantizedTensor,
  options: GemmOptions = {},
): Promise<Tensor> {
  return gemm('TT', a, b, options)
}

/** D = Aᵀ · B with A [K, M] (128x1) and B [K, N] (128x128 or 128x1); else as `fp8GemmNT`. */
export function fp8GemmTN(
  a: QuantizedTensor,
  b: QuantizedTensor,
  options: GemmOptions = {},
): Promise<Tensor> {
  return gemm('TN', a, b, options)
}

async function gemm(
  form: GemmForm,
  a: QuantizedTensor,
  b: GemmWeights,
  options: GemmOptions,
): Promise<Tensor> {
  requireKnownOptions('The GEMM', options, OPTIONS)
  const problem = denseProblem(form, a, b, requireOutputOptions(options, 'bf16'))
  const stream = resolveStream(a.device, options.stream)
  const device = a.device as Device
  const shape = outputShape(problem, a.shape.length === 3)
  if (options.out !== undefined) requireOutput(options.out, shape, device)
  const d = options.out ?? device.empty({ dtype: problem.out, shape, label: 'product' })
  const allocated = options.out === undefined ? [d] : []
  try {
    const call = { form, problem, a, b, out: d, weightsReady: false }
    const loading = enqueueGemm(stream, call)
    if (loading !== undefined) await loading
  } catch (error) {
    for (const tensor of allocated) tensor.dispose()
    throw error
  }
  return finish(stream, d, ...allocated)
}
