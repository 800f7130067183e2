import {
  DeepGemmError,
  type DeviceRef,
  DisposedError,
  DTYPES,
  type DType,
  dtypeBytes,
  elementCount,
  NativeError,
  requireDType,
  requireKnownOptions,
  requireShape,
  Tensor,
} from '@deepgemm/core'
import type { Device, TensorSpec } from '../device.js'
import { type HostArray, hostBytes, storedBytes } from '../host-array.js'
import { Ledger, type MemoryReport } from '../ledger.js'
import type { NativeCpuDevice } from '../native/addon.js'
import { loadAddon } from '../native/load.js'
import { CpuBuffer } from './buffer.js'
import type { CpuSettings } from './settings.js'
import { CpuStream } from './stream.js'

let opened = 0

/** The processor: vectorised kernels on a thread pool of this device's own. */
export class CpuDevice implements Device {
  readonly kind = 'cpu' as const
  readonly id: string
  readonly name: string
  readonly architecture: string
  readonly parallelism: number
  readonly native: NativeCpuDevice
  readonly #ledger = new Ledger()
  readonly #nicer: number
  readonly #streams = new Set<CpuStream>()
  #defaultStream: CpuStream | undefined
  #disposed = false

  constructor(settings: CpuSettings) {
    this.id = `cpu:${opened++}`
    this.name = settings.name
    this.architecture = settings.isa
    this.parallelism = settings.threads
    this.#nicer = settings.nicer
    this.native = startThreads(settings)
  }

  get disposed(): boolean {
    return this.#disposed
  }

  get defaultStream(): CpuStream {
    this.#defaultStream ??= this.createStream('default')
    return this.#defaultStream
  }

  createStream(label?: string): CpuStream {
    this.#requireLive()
    const name = label ?? `stream ${this.#streams.size}`
    const stream = new CpuStream(this as DeviceRef, name, this.#nicer)
    for (const old of this.#streams) if (old.disposed) this.#streams.delete(old)
    this.#streams.add(stream)
    return stream
  }

  zeros<D extends DType>(spec: TensorSpec<D>): Tensor<D> {
    this.#requireSpec(spec)
    const bytes = elementCount(spec.shape) * dtypeBytes(spec.dtype)
    return new Tensor(CpuBuffer.allocate(this.#owner(), bytes, labelOf(spec)), spec)
  }

  empty<D extends DType>(spec: TensorSpec<D>): Tensor<D> {
    return this.zeros(spec)
  }

  tensor<D extends DType>(data: HostArray, spec: TensorSpec<D>): Tensor<D> {
    this.#requireSpec(spec)
    const bytes = hostBytes(data, spec)
    const tensor = this.zeros(spec)
    ;(tensor.storage as CpuBuffer).bytes().set(bytes)
    return tensor
  }

  wrap<D extends DType>(data: HostArray, spec: TensorSpec<D>): Tensor<D> {
    this.#requireSpec(spec)
    const bytes = storedBytes(data, spec)
    return new Tensor(CpuBuffer.borrow(this.#owner(), bytes, labelOf(spec)), spec)
  }

  memory(): MemoryReport {
    return this.#ledger.report()
  }

  async synchronize(): Promise<void> {
    this.#requireLive()
    for (const stream of this.#streams) if (!stream.disposed) await stream.synchronize()
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return
    try {
      await this.synchronize()
    } finally {
      this.#disposed = true
      for (const stream of this.#streams) stream.dispose()
      this.native.dispose()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose()
  }

  #owner(): { device: DeviceRef; ledger: Ledger } {
    return { device: this as DeviceRef, ledger: this.#ledger }
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

/** @throws {NativeError} when the system grants no more threads */
function startThreads({ threads, isa, nicer }: CpuSettings): NativeCpuDevice {
  try {
    return new (loadAddon().CpuDevice)(threads, isa, nicer)
  } catch (cause) {
    if (cause instanceof DeepGemmError) throw cause
    throw new NativeError('The CPU device could not start its threads', {
      given: `${threads} threads (${(cause as Error).message})`,
      remedy: 'Ask for fewer with the option threads or the variable DEEPGEMM_THREADS.',
      cause,
    })
  }
}

function labelOf(spec: TensorSpec): string {
  return spec.label ?? `${spec.dtype} tensor`
}
