import {
  DeviceError,
  type DeviceRef,
  DisposedError,
  DTYPES,
  type DType,
  dtypeBytes,
  elementCount,
  requireDType,
  requireInteger,
  requireKnownOptions,
  requireShape,
  Tensor,
} from '@deepgemm/core'
import type { Device, TensorSpec } from '../device.js'
import { type HostArray, hostBytes } from '../host-array.js'
import { Ledger, type MemoryReport } from '../ledger.js'
import type { NativeStream } from '../native/addon.js'
import type { NativeCudaDevice, NativeDeviceProperties } from '../native/cuda.js'
import { loadAddon } from '../native/load.js'
import { CudaBuffer } from './buffer.js'
import { captureGraph } from './capture.js'
import type { CudaGraph } from './graph.js'
import { Health } from './health.js'
import { CudaModule } from './module.js'
import { PinnedBuffer } from './pinned.js'
import { requireCudaDevice } from './probe.js'
import { CudaStream } from './stream.js'

let opened = 0

/** A Hopper GPU: its primary context, a memory pool and streams. */
export class CudaDevice implements Device {
  readonly kind = 'cuda' as const
  readonly id: string
  readonly name: string
  /** `sm_90`; kernels are compiled for `sm_90a`. */
  readonly architecture: string
  readonly parallelism: number
  readonly properties: NativeDeviceProperties
  readonly native: NativeCudaDevice
  readonly health: Health
  readonly #ledger = new Ledger()
  readonly #streams = new Set<CudaStream>()
  readonly #modules = new Set<CudaModule>()
  readonly #transfers: NativeStream
  #defaultStream: CudaStream | undefined
  #disposed = false

  /** @throws {DeviceError | CudaError} */
  constructor() {
    const { library, ordinal, properties } = requireCudaDevice()
    this.id = `cuda:${opened++}`
    this.name = properties.name
    this.architecture = `sm_${properties.major}${properties.minor}`
    this.parallelism = properties.multiprocessors
    this.properties = properties
    this.health = new Health(this.id)
    const addon = loadAddon()
    this.native = this.health.call(`Device ${properties.name} could not be opened`, () => {
      return new addon.cuda.Device(library, ordinal)
    })
    this.#transfers = new addon.Stream()
  }

  get disposed(): boolean {
    return this.#disposed
  }

  /** Why nothing more runs on the device; undefined while it works. */
  get lost(): Error | undefined {
    return this.health.lost
  }

  get defaultStream(): CudaStream {
    this.#defaultStream ??= this.createStream('default')
    return this.#defaultStream
  }

  createStream(label?: string): CudaStream {
    this.#requireLive()
    const stream = new CudaStream(this, label ?? `stream ${this.#streams.size}`)
    for (const old of this.#streams) if (old.disposed) this.#streams.delete(old)
    this.#streams.add(stream)
    return stream
  }

  zeros<D extends DType>(spec: TensorSpec<D>): Tensor<D> {
    this.#requireSpec(spec)
    const bytes = elementCount(spec.shape) * dtypeBytes(spec.dtype)
    return new Tensor(this.#allocate(labelOf(spec), bytes), spec)
  }

  empty<D extends DType>(spec: TensorSpec<D>): Tensor<D> {
    this.#requireSpec(spec)
    const bytes = elementCount(spec.shape) * dtypeBytes(spec.dtype)
    return new Tensor(this.#allocate(labelOf(spec), bytes, null), spec)
  }

  tensor<D extends DType>(data: HostArray, spec: TensorSpec<D>): Tensor<D> {
    this.#requireSpec(spec)
    const bytes = hostBytes(data, spec)
    return new Tensor(this.#allocate(labelOf(spec), bytes.byteLength, bytes), spec)
  }

  wrap<D extends DType>(_data: HostArray, spec: TensorSpec<D>): Tensor<D> {
    throw new DeviceError(`Host memory cannot be ${labelOf(spec)} on a GPU`, {
      given: this.id,
      allowed: 'a CPU device',
      remedy: 'Copy the data with device.tensor().',
    })
  }

  /** Page-locked host memory for copies at full speed. @throws {CudaError} */
  pinned(byteLength: number): PinnedBuffer {
    this.#requireLive()
    return new PinnedBuffer(this, requireInteger('The page-locked memory', byteLength, 0))
  }

  /** Loads a cubin; it is unloaded with the device at the latest. @throws {CudaError} */
  loadModule(cubin: Uint8Array, label = 'cubin'): CudaModule {
    this.#requireLive()
    const module = new CudaModule(this, cubin, label)
    for (const old of this.#modules) if (old.disposed) this.#modules.delete(old)
    this.#modules.add(module)
    return module
  }

  /**
   * Captures what `enqueue` enqueues on the stream it is given, without running it. Captures on one
   * `stream` share its workspace; by default each has a stream of its own.
   *
   * @throws {CudaError} and whatever `enqueue` throws
   */
  capture(enqueue: (stream: CudaStream) => void, stream?: CudaStream): CudaGraph {
    this.#requireLive()
    if (stream !== undefined) {
      stream.requireLive()
      this.requireOwn(`Stream ${stream.label}`, stream.device)
    }
    return captureGraph(this, enqueue, stream)
  }

  memory(): MemoryReport {
    return this.#ledger.report()
  }

  /** Bytes of the GPU as its driver counts them; `reserved` are in this device's pool. */
  memoryInfo(): ReturnType<NativeCudaDevice['memoryInfo']> {
    this.#requireLive()
    return this.health.call('The GPU could not be asked for its memory', () => {
      return this.native.memoryInfo()
    })
  }

  /** Gives memory that the pool keeps for later back to the GPU. */
  trim(): void {
    this.#requireLive()
    this.health.call('The memory pool could not be trimmed', () => this.native.trim())
  }

  async synchronize(): Promise<void> {
    this.#requireLive()
    for (const stream of this.#streams) if (!stream.disposed) await stream.synchronize()
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return
    try {
      if (this.lost === undefined) await this.synchronize()
    } finally {
      this.#disposed = true
      for (const stream of this.#streams) stream.dispose()
      for (const module of this.#modules) module.dispose()
      this.native.dispose()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose()
  }

  /** @throws {DeviceError} unless `actual` is this device */
  requireOwn(subject: string, actual: DeviceRef): void {
    if (actual === this) return
    throw new DeviceError(`${subject} is on another device`, { given: actual.id, allowed: this.id })
  }

  #allocate(label: string, byteLength: number, source?: Uint8Array | null): CudaBuffer {
    const making = { device: this, ledger: this.#ledger, transfers: this.#transfers, label }
    return new CudaBuffer(making, byteLength, source)
  }

  #requireSpec(spec: TensorSpec): void {
    this.#requireLive()
    requireKnownOptions('The spec of a tensor', spec, ['dtype', 'shape', 'label'])
    requireDType(`Tensor ${labelOf(spec)}`, spec.dtype, DTYPES)
    requireShape(`Tensor ${labelOf(spec)}`, spec.shape)
  }

  #requireLive(): void {
    if (!this.#disposed) return
    throw new DisposedError(`Device ${this.id} was disposed`, {
      remedy: 'Open a device with Device.open() and keep it open while it is used.',
    })
  }
}

function labelOf(spec: TensorSpec): string {
  return spec.label ?? `${spec.dtype} tensor`
}
