import type { CudaDevice, CudaKernel } from '@deepgemm/runtime/cuda'
import { type CanonicalValue, canonicalJson } from './canonical-json.js'
import type { KernelConfig } from './config.js'
import { configHeader } from './config-header.js'
import { Jit, type Kernel, type KernelRequest } from './jit.js'
import { type Answer, measuredOnce, type Question } from './measured.js'
import { OpenUnit } from './source/assemble.js'
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

/** One of the kernels of a `load` is on the device. */
export type LoadProgress = {
  readonly done: number
  readonly total: number
  readonly spec: DeviceKernelSpec
  /** Where it came from; `device`: it was loaded before. */
  readonly source: 'device' | 'cache' | 'compiled'
}

export type LoadOptions = { readonly onProgress?: ((progress: LoadProgress) => void) | undefined }

/** The architecture of every device that there are kernels for. */
const TARGET = 'sm_90a'

/** The library's kernels that are loaded on one GPU. Each is compiled and loaded once. */
export class DeviceKernels {
  readonly #device: CudaDevice
  readonly #loaded = new Map<string, CudaKernel>()
  /** The same by the spec that was asked with, for those who ask often. */
  readonly #known = new WeakMap<DeviceKernelSpec, CudaKernel>()
  #jit: Promise<Jit> | undefined

  /** Use `deviceKernels`. */
  constructor(device: CudaDevice) {
    this.#device = device
  }

  /** The kernel, or undefined when `load` has not finished with it. */
  loaded(spec: DeviceKernelSpec): CudaKernel | undefined {
    const known = this.#known.get(spec) ?? this.#loaded.get(canonicalJson(spec))
    if (known !== undefined) this.#known.set(spec, known)
    return known
  }

  /**
   * Compiles what the cache lacks, off the event loop and in parallel, and loads it. `onProgress` is
   * told of every kernel.
   *
   * @throws {CompileError | CacheError | CudaError} the first failure, once all others are loaded
   */
  async load(
    specs: readonly DeviceKernelSpec[],
    { onProgress }: LoadOptions = {},
  ): Promise<readonly CudaKernel[]> {
    let done = 0
    const told = (spec: DeviceKernelSpec, source: LoadProgress['source']): void => {
      done += 1
      onProgress?.({ done, total: specs.length, spec, source })
    }
    const isLoaded = (spec: DeviceKernelSpec): boolean => this.loaded(spec) !== undefined
    for (const spec of specs.filter(isLoaded)) told(spec, 'device')
    const missing = specs.filter((spec) => !isLoaded(spec))
    if (missing.length > 0) await this.#compile(missing, told)
    return specs.map((spec) => this.loaded(spec) as CudaKernel)
  }

  /**
   * The answer to a question about this device, from the cache or measured.
   *
   * @throws {CacheError} and what `measure` rejects with
   */
  async measured(
    question: Omit<Question, 'target'>,
    measure: () => Promise<CanonicalValue>,
  ): Promise<Answer> {
    const { cache } = await this.#open()
    return measuredOnce(cache, { ...question, target: TARGET }, measure)
  }

  async #open(): Promise<Jit> {
    this.#jit ??= Jit.open()
    return this.#jit.catch((error: unknown) => {
      this.#jit = undefined
      throw error
    })
  }

  async #compile(
    specs: readonly DeviceKernelSpec[],
    told: (spec: DeviceKernelSpec, source: LoadProgress['source']) => void,
  ): Promise<void> {
    const jit = await this.#open()
    const requests = await Promise.all(specs.map(kernelRequest))
    await jit.getKernels(requests, {
      onProgress: ({ index, kernel }) => {
        const spec = specs[index] as DeviceKernelSpec
        this.#install(spec, kernel)
        told(spec, kernel.origin)
      },
    })
  }

  #install(spec: DeviceKernelSpec, { cubin }: Kernel): void {
    // Another call may have loaded it meanwhile.
    if (this.loaded(spec) !== undefined) return
    const module = this.#device.loadModule(cubin, spec.name)
    const { name, config, sharedBytes = 0 } = spec
    this.#loaded.set(canonicalJson(spec), module.kernel(name, { config, sharedBytes }))
  }
}

/** The units of the kernels, all but their configs; assembling one takes milliseconds. */
const units = new Map<string, Promise<OpenUnit>>()

/** What to compile for a kernel: no device is needed, so that a cache can be filled anywhere. */
export async function kernelRequest(spec: DeviceKernelSpec): Promise<KernelRequest> {
  const { name, struct, config, target } = spec
  const unit = units.get(name) ?? openUnit(name)
  units.set(name, unit)
  const { source, sha256 } = (await unit).close(configHeader(struct, config))
  return { source, sourceSha256: sha256, entryName: name, config, target }
}

async function openUnit(name: string): Promise<OpenUnit> {
  return new OpenUnit(await kernelSources(), `entry/${name}.cu`, 'config.cuh')
}

const known = new WeakMap<CudaDevice, DeviceKernels>()

/** The kernels of a device, shared by every package that computes on it. */
export function deviceKernels(device: CudaDevice): DeviceKernels {
  const kernels = known.get(device) ?? new DeviceKernels(device)
  known.set(device, kernels)
  return kernels
}
