import type { CudaDevice, CudaKernel } from '@deepgemm/runtime/cuda'
import { canonicalJson } from './canonical-json.js'
import type { KernelConfig } from './config.js'
import { configHeader } from './config-header.js'
import { Jit, type KernelRequest } from './jit.js'
import { assembleSource } from './source/assemble.js'
import { kernelSources } from './source/kernel-sources.js'

/** A kernel of `kernels/cuda` with its compile-time choices. */
export type DeviceKernelSpec = {
  /** Its name, which is also that of its file under `entry/`. */
  readonly name: string
  /** The struct that the source reads the choices from, and their values. */
  readonly struct: string
  readonly config: KernelConfig
  /** GPU architecture, `sm_90a`. */
  readonly target: string
  /** Dynamic shared memory of a block. */
  readonly sharedBytes?: number
}

/** The library's kernels that are loaded on one GPU. Each is compiled and loaded once. */
export class DeviceKernels {
  readonly #device: CudaDevice
  readonly #loaded = new Map<string, CudaKernel>()
  #jit: Promise<Jit> | undefined

  /** Use `deviceKernels`. */
  constructor(device: CudaDevice) {
    this.#device = device
  }

  /** The kernel, or undefined when `load` has not finished with it. */
  loaded(spec: DeviceKernelSpec): CudaKernel | undefined {
    return this.#loaded.get(canonicalJson(spec))
  }

  /**
   * Compiles what the cache lacks, off the event loop and in parallel, and loads it.
   *
   * @throws {CompileError | CacheError | CudaError}
   */
  async load(specs: readonly DeviceKernelSpec[]): Promise<readonly CudaKernel[]> {
    const missing = specs.filter((spec) => this.loaded(spec) === undefined)
    if (missing.length > 0) await this.#compile(missing)
    return specs.map((spec) => this.loaded(spec) as CudaKernel)
  }

  async #compile(specs: readonly DeviceKernelSpec[]): Promise<void> {
    this.#jit ??= Jit.open()
    const jit = await this.#jit.catch((error: unknown) => {
      this.#jit = undefined
      throw error
    })
    const requests = await Promise.all(specs.map(kernelRequest))
    const cubins = await jit.getKernels(requests)
    specs.forEach((spec, i) => {
      // Another call may have loaded it meanwhile.
      if (this.loaded(spec) !== undefined) return
      const module = this.#device.loadModule(cubins[i]?.cubin as Uint8Array, spec.name)
      const { name, config, sharedBytes = 0 } = spec
      this.#loaded.set(canonicalJson(spec), module.kernel(name, { config, sharedBytes }))
    })
  }
}

/** What to compile for a kernel: no device is needed, so that a cache can be filled anywhere. */
export async function kernelRequest(spec: DeviceKernelSpec): Promise<KernelRequest> {
  const { name, struct, config, target } = spec
  const files = new Map(await kernelSources())
  files.set('config.cuh', configHeader(struct, config))
  return { source: assembleSource(files, `entry/${name}.cu`), entryName: name, config, target }
}

const known = new WeakMap<CudaDevice, DeviceKernels>()

/** The kernels of a device, shared by every package that computes on it. */
export function deviceKernels(device: CudaDevice): DeviceKernels {
  const kernels = known.get(device) ?? new DeviceKernels(device)
  known.set(device, kernels)
  return kernels
}
