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
  /** `nicer`: by how much the niceness of its thread exceeds that of this one; default 0. */
  readonly Stream: new (
    nicer?: number,
  ) => NativeStream
  readonly CpuDevice: new (threads: number, isa: string, nicer: number) => NativeCpuDevice
  /** The parameters of the next operation. */
  readonly params: Float64Array
  cpuInfo(): CpuInfo
  readonly gemm: NativeOp
  readonly gemmContiguous: NativeOp
  readonly gemmPacked: NativeOp
  readonly gemmMasked: NativeOp
  readonly gemmKGrouped: NativeOp
  readonly prepack: NativeOp
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

/** Enqueues one operation, with the addon's `params`; returns its ticket. */
type NativeOp = (device: NativeCpuDevice, stream: NativeStream) => number

/** Names of the operations. */
export type NativeOpName = {
  [K in keyof NativeAddon]: NativeAddon[K] extends NativeOp ? K : never
}[keyof NativeAddon]

export interface NativeBuffer {
  /** How the parameters of operations name it, until `dispose`. */
  readonly id: number
  /** The memory itself; the same object until `dispose` detaches it. */
  view(): ArrayBuffer
  dispose(): void
}

export interface NativeEvent {
  readonly done: boolean
}

export interface NativeStream {
  /** For the work up to a ticket or an event, default all; undefined when it is done and well. */
  synchronize(until?: number | NativeEvent): Promise<void> | undefined
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
