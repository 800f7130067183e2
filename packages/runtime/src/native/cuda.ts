import type { NativeBuffer, NativeStream } from './addon.js'

/**
 * The CUDA half of the addon. Calls that fail throw an error whose message is the driver's entry
 * point, `given` CUDA's name of the status and `allowed` its text, with code ERR_CUDA.
 */
export interface NativeCuda {
  /** Asks the driver library at `path` what it is and which devices it has. */
  probe(path: string): NativeProbe
  readonly Device: new (path: string, ordinal: number) => NativeCudaDevice
  readonly Stream: new (device: NativeCudaDevice) => NativeCudaStream
  /** Records the event. */
  readonly Event: new (
    stream: NativeCudaStream,
    timing: boolean,
  ) => NativeCudaEvent
  /** Zeroed, or a copy of `source`. */
  readonly Memory: new (
    device: NativeCudaDevice,
    stream: NativeCudaStream,
    byteLength: number,
    /** Copied; without it memory is zeroed, with null left as it is. */
    source?: Uint8Array | null,
  ) => NativeCudaMemory
  readonly Pinned: new (device: NativeCudaDevice, byteLength: number) => NativeCudaPinned
  readonly Module: new (device: NativeCudaDevice, cubin: Uint8Array) => NativeCudaModule
  readonly Function: new (
    module: NativeCudaModule,
    name: string,
    sharedBytes: number,
  ) => NativeCudaFunction
  /** Ends the capture of `stream`. */
  readonly Graph: new (
    device: NativeCudaDevice,
    stream: NativeCudaStream,
  ) => NativeCudaGraph
  readonly copyIn: NativeCopy<NativeCudaMemory, NativeCudaPinned>
  readonly copyOut: NativeCopy<NativeCudaPinned, NativeCudaMemory>
  zeroRows(
    stream: NativeCudaStream,
    memory: NativeCudaMemory,
    byteOffset: number,
    pitch: number,
    byteLength: number,
    rows: number,
  ): void
  /** The order of `numbers` is written down in `native/cuda/packed_launch.h`. */
  readonly Launch: new (
    kernel: NativeCudaFunction,
    numbers: Float64Array,
    memories: readonly NativeCudaMemory[],
  ) => NativeCudaLaunch
  /** The same, once. */
  launch(
    stream: NativeCudaStream,
    kernel: NativeCudaFunction,
    numbers: Float64Array,
    memories: readonly NativeCudaMemory[],
  ): void
  nvrtcOpen(path: string): { readonly problem?: string; readonly version?: [number, number] }
  /** The next job of `waiter` compiles; after it the result can be had. */
  nvrtcCompile(
    waiter: NativeStream,
    path: string,
    source: string,
    name: string,
    options: readonly string[],
  ): () => NativeCompiled
}

/** `cubin` is absent when the source did not compile. */
type NativeCompiled = { readonly log: string; readonly cubin?: Uint8Array }

export type NativeProbe = {
  /** Why the library cannot be asked; nothing else is given then. */
  readonly problem?: string
  /** 1000 × major + 10 × minor. */
  readonly version?: number
  /** Entry points that the library lacks. */
  readonly missing?: readonly string[]
  readonly devices?: readonly NativeDeviceProperties[]
}

export type NativeDeviceProperties = {
  readonly name: string
  readonly major: number
  readonly minor: number
  readonly multiprocessors: number
  /** Shared memory that a block can ask for. */
  readonly sharedBytes: number
  readonly l2Bytes: number
  readonly memoryBytes: number
  readonly memoryPools: boolean
}

export interface NativeCudaDevice {
  memoryInfo(): { readonly free: number; readonly total: number; readonly reserved: number }
  trim(): void
  dispose(): void
}

export interface NativeCudaStream {
  isIdle(): boolean
  wait(event: NativeCudaEvent): void
  beginCapture(): void
  abortCapture(): void
  dispose(): void
}

export interface NativeCudaEvent {
  isDone(): boolean
  /** The next job of `waiter` ends when the event has happened. */
  settleOn(waiter: NativeStream): void
  elapsedSince(earlier: NativeCudaEvent): number
  dispose(): void
}

export interface NativeCudaMemory {
  /** The next job of `waiter` copies `byteLength` bytes to `target`, after enqueued work. */
  read(waiter: NativeStream, byteOffset: number, byteLength: number, target: NativeBuffer): void
  /** The next job of `waiter` copies all of `source`, after enqueued work. */
  write(waiter: NativeStream, byteOffset: number, source: NativeBuffer): void
  dispose(): void
}

export interface NativeCudaPinned {
  /** The memory itself; the same object until `dispose` detaches it. */
  view(): ArrayBuffer
  dispose(): void
}

export interface NativeCudaModule {
  dispose(): void
}

export interface NativeCudaFunction {
  attributes(): {
    readonly maxThreads: number
    readonly staticSharedBytes: number
    readonly localBytes: number
    readonly registers: number
  }
}

export interface NativeCudaLaunch {
  /** False, and nothing is enqueued, when the module or a memory was disposed. */
  run(stream: NativeCudaStream): boolean
  /**
   * Points addresses elsewhere. `moves` has for each memory its place among the addresses that are
   * not null, and the offset. The first time, all of them.
   */
  rebind(memories: readonly NativeCudaMemory[], moves: Float64Array): void
  addresses(): number
}

export interface NativeCudaGraph {
  launch(stream: NativeCudaStream): void
  dispose(): void
}

type NativeCopy<To, From> = (
  stream: NativeCudaStream,
  to: To,
  toOffset: number,
  from: From,
  fromOffset: number,
  byteLength: number,
) => void
