import { DisposedError, requireInteger, requireKnownOptions } from '@deepgemm/core'
import type { NativeCudaModule } from '../native/cuda.js'
import { loadAddon } from '../native/load.js'
import type { CudaDevice } from './device.js'
import { CudaError, type LaunchConfig } from './errors.js'
import { CudaKernel } from './kernel.js'

const ELF_MAGIC = [0x7f, 0x45, 0x4c, 0x46] as const
/** A 64-bit ELF header. */
const MIN_BYTES = 64

/** What a kernel needs besides its name. */
export type KernelSpec = {
  /** Dynamic shared memory of a block, in bytes; default 0. */
  readonly sharedBytes?: number
  /** Compile-time choices, named in errors. */
  readonly config?: LaunchConfig
}

/** A cubin that is loaded on a device. */
export class CudaModule implements Disposable {
  readonly device: CudaDevice
  readonly label: string
  readonly native: NativeCudaModule
  #disposed = false

  /** Made by `device.loadModule()`. @throws {CudaError} */
  constructor(device: CudaDevice, cubin: Uint8Array, label: string) {
    this.device = device
    this.label = label
    requireElf(cubin, label)
    const { Module } = loadAddon().cuda
    this.native = device.health.call(`Module ${label} could not be loaded`, () => {
      return new Module(device.native, cubin)
    })
  }

  get disposed(): boolean {
    return this.#disposed
  }

  /** A kernel by its name in the cubin. @throws {CudaError | DisposedError} */
  kernel(name: string, spec: KernelSpec = {}): CudaKernel {
    requireKnownOptions('module.kernel', spec, ['sharedBytes', 'config'])
    this.requireLive()
    const most = this.device.properties.sharedBytes
    const sharedBytes = requireInteger('The shared memory', spec.sharedBytes ?? 0, 0, most)
    return new CudaKernel(this, { name, sharedBytes, config: spec.config ?? {} })
  }

  /** Unloads the cubin once no enqueued work uses it. Idempotent. */
  dispose(): void {
    if (this.#disposed) return
    this.#disposed = true
    this.native.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  /** @throws {DisposedError} */
  requireLive(): void {
    if (!this.#disposed) return
    throw new DisposedError(`Module ${this.label} was disposed`, {
      remedy: 'Keep a module while its kernels are launched.',
    })
  }
}

// The driver is told an address and no length: what is no cubin must not get there.
function requireElf(cubin: Uint8Array, label: string): void {
  const isElf = ELF_MAGIC.every((byte, i) => cubin[i] === byte)
  if (isElf && cubin.byteLength >= MIN_BYTES) return
  throw new CudaError(
    `Module ${label} is not a cubin`,
    { status: 'CUDA_ERROR_INVALID_IMAGE', call: 'cuModuleLoadData' },
    { given: `${cubin.byteLength} bytes`, allowed: 'an ELF file as the compiler makes it' },
  )
}
