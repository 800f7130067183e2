import type { FloatDType, QuantizedTensor, ScaleDType, Tensor } from '@deepgemm/core'
import type { DeviceKernelSpec } from '@deepgemm/jit'
import type { RowSet } from '@deepgemm/runtime/cpu'
import { ArgumentList, type CudaStream } from '@deepgemm/runtime/cuda'
import { kernelSpec, launchKernel, RUN, rowStride, rowsAligned, sourceName } from './kernel.js'
import { pushRowSet, rowsOf } from './rows.js'

/** Threads of a block of `moe_swiglu`, and the elements that they cover. */
const SWIGLU_THREADS = 128
const SWIGLU_SPAN = RUN * SWIGLU_THREADS
/** Columns and warps of a block of `moe_swiglu_quantize`. */
const TILE = { columns: 512, warps: 8, threads: 256 } as const
/** Rows that do not fill the GPU get a warp each. */
const FEW_ROWS = 2048

/** Rows [gate | up] whose activation is wanted as floats. */
export type SwigluCall = {
  readonly set: RowSet
  /** [rows, 2C] */
  readonly input: Tensor<FloatDType>
  /** [rows, C] */
  readonly out: Tensor<FloatDType>
}

/** Rows [gate | up] whose activation is quantised with 1x128 scales. */
export type SwigluQuantizeCall = {
  readonly set: RowSet
  /** [rows, 2C] */
  readonly input: Tensor<FloatDType>
  /** [rows, C], or [G, rows / G, C]. */
  readonly out: QuantizedTensor
}

/** `entry/moe_swiglu.cu` */
export function swigluKernel(kind: {
  readonly input: FloatDType
  readonly out: FloatDType
  readonly aligned: boolean
}): DeviceKernelSpec {
  return kernelSpec('moe_swiglu', 'SwigluConfig', {
    kAligned: kind.aligned,
    kInput: sourceName(kind.input),
    kOut: sourceName(kind.out),
  })
}

export function swigluKernelOf({ input, out }: SwigluCall): DeviceKernelSpec {
  const aligned =
    (out.shape[1] as number) % RUN === 0 && rowsAligned(input, 16) && rowsAligned(out, 16)
  return swigluKernel({ input: input.dtype, out: out.dtype, aligned })
}

/** `entry/moe_swiglu_quantize.cu` */
export function swigluQuantizeKernel(kind: {
  readonly input: FloatDType
  readonly scaleDType: ScaleDType
  readonly aligned: boolean
  readonly rowsPerWarp: 1 | 4
}): DeviceKernelSpec {
  return kernelSpec('moe_swiglu_quantize', 'SwigluConfig', {
    kAligned: kind.aligned,
    kInput: sourceName(kind.input),
    kRowsPerWarp: kind.rowsPerWarp,
    kUe8m0: kind.scaleDType === 'ue8m0',
  })
}

/** Most rows of the masked layout hold nothing, and blocks that find that out are not free. */
function rowsPerWarp({ set }: SwigluQuantizeCall): 1 | 4 {
  return set.groupSizes === undefined && set.rows <= FEW_ROWS ? 1 : 4
}

export function swigluQuantizeKernelOf(call: SwigluQuantizeCall): DeviceKernelSpec {
  const { input, out } = call
  const aligned =
    (out.shape.at(-1) as number) % RUN === 0 &&
    rowsAligned(input, 16) &&
    rowsAligned(out.values, RUN)
  const kind = { input: input.dtype, scaleDType: out.scales.dtype, aligned }
  return swigluQuantizeKernel({ ...kind, rowsPerWarp: rowsPerWarp(call) })
}

/** @throws {DeviceError} when the kernel is not loaded */
export function enqueueCudaSwiglu(stream: CudaStream, call: SwigluCall): void {
  const { set, input, out } = call
  const [rows, columns] = out.shape as readonly [number, number]
  if (rows === 0 || columns === 0) return
  const list = new ArgumentList('struct').pointer(input).pointer(out).pointer(undefined)
  pushRowSet(list, set, set.rowsPerGroup ?? rows)
    .i64(rowStride(input))
    .i64(rowStride(out))
    .i64(0)
    .i64(0)
    .i64(0)
    .u32(columns)
    .u32(0)
  const grid = [rows, Math.ceil(columns / SWIGLU_SPAN)] as const
  launchKernel(stream, swigluKernelOf(call), list, { grid, threads: SWIGLU_THREADS })
}

/** @throws {DeviceError} when the kernel is not loaded */
export function enqueueCudaSwigluQuantize(stream: CudaStream, call: SwigluQuantizeCall): void {
  const { set, input, out } = call
  const { rows, rowsPerGroup, columns } = rowsOf(out.shape)
  if (rows === 0 || columns === 0) return
  const { group, row, col } = out.scales.gridStrides
  const list = new ArgumentList('struct')
    .pointer(input)
    .pointer(out.values)
    .pointer(out.scales.tensor)
  pushRowSet(list, set, rowsPerGroup)
    .i64(rowStride(input))
    .i64(rowStride(out.values))
    .i64(group)
    .i64(row)
    .i64(col)
    .u32(columns)
    .u32(0)
  const tileRows = TILE.warps * rowsPerWarp(call)
  const grid = [Math.ceil(rows / tileRows), Math.ceil(columns / TILE.columns)] as const
  launchKernel(stream, swigluQuantizeKernelOf(call), list, { grid, threads: TILE.threads })
}
