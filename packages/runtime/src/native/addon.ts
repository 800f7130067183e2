import type { NativeCuda } from './cuda.js'

/**
 * The one boundary to native code. TypeScript validates before it calls; the addon trusts what it
 * is given. Parameter orders are written down beside each operation in `native/op_*.cpp`.
 */
export interface NativeAddon {
  readonly Buffer: {
    new (byteLength: number): NativeBuffer
    new (memory: ArrayBuffer, byteOffset: number, byteLength: number): NativeBuffer
  }
  readonly Stream: new () => NativeStream
  readonly CpuDevice: new (threads: number, isa: string) => NativeCpuDevice
  cpuInfo(): CpuInfo
  readonly gemm: NativeOp
  readonly gemmContiguous: NativeOp
  readonly gemmPacked: NativeOp
  readonly gemmMasked: NativeOp
  readonly gemmKGrouped: NativeOp
  readonly quantize: NativeOp
  readonly dequantize: NativeOp
  readonly transposeBytes: NativeOp
  readonly relayoutScales: NativeOp
  readonly convertFloats: NativeOp
  readonly route: NativeOp
  readonly planPermutation: NativeOp
  readonly permuteRows: NativeOp
  readonly swiglu: NativeOp
  readonly swigluQuantize: NativeOp
  readonly combine: NativeOp
  readonly cuda: NativeCuda
}

/** Enqueues one operation; `params` is read during the call. */
type NativeOp = (
  device: NativeCpuDevice,
  stream: NativeStream,
  params: Float64Array,
  buffers: readonly NativeBuffer[],
) => void

/** Names of the operations. */
export type NativeOpName = {
  [K in keyof NativeAddon]: NativeAddon[K] extends NativeOp ? K : never
}[keyof NativeAddon]

export interface NativeBuffer {
  /** The memory itself; the same object until `dispose` detaches it. */
  view(): ArrayBuffer
  dispose(): void
}

export interface NativeEvent {
  readonly done: boolean
}

export interface NativeStream {
  synchronize(event?: NativeEvent): Promise<void>
  record(): NativeEvent
  wait(event: NativeEvent): void
  close(): void
}

/** Holds the thread pool. */
export interface NativeCpuDevice {
  /** Frees the threads once enqueued work is done; nothing may be enqueued after. */
  dispose(): void
}

export type CpuInfo = {
  /** Instruction sets this build and machine can run, slowest first. */
  readonly isas: readonly string[]
  readonly defaultIsa: string
  readonly defaultThreads: number
}
