import { requireInteger, requireKnownOptions } from '@deepgemm/core'
import type { NativeCudaFunction, NativeCudaMemory } from '../native/cuda.js'
import { loadAddon } from '../native/load.js'
import type { ArgumentList } from './argument-list.js'
import type { KernelNote, LaunchConfig } from './errors.js'
import type { CudaModule } from './module.js'
import { PreparedLaunch } from './prepared-launch.js'
import type { CudaStream } from './stream.js'

/** Extents along x, y and z; those left out are 1. */
export type Extents = readonly [x: number, y?: number, z?: number]

/** How a kernel is spread over the GPU. */
export type Geometry = {
  /** Blocks. */
  readonly grid: Extents
  /** Threads of a block. */
  readonly block: Extents
  /** Blocks of a cluster; default 1. */
  readonly cluster?: Extents
  /** May start while the work before it ends; the kernel itself waits for what it needs. */
  readonly programmatic?: boolean
}

/** What the compiler made of a kernel. */
export type KernelAttributes = ReturnType<NativeCudaFunction['attributes']>

type Making = {
  readonly name: string
  readonly sharedBytes: number
  readonly config: LaunchConfig
}

const MAX_GRID = [2 ** 31 - 1, 65_535, 65_535] as const
const MAX_BLOCK = [1024, 1024, 64] as const
const MAX_CLUSTER = [16, 16, 16] as const
const ONE: Extents = [1]

/** Header of a launch and the longest argument list. */
const scratch = new Float64Array(2048)

/** A kernel of a loaded module. */
export class CudaKernel {
  readonly module: CudaModule
  readonly name: string
  readonly sharedBytes: number
  readonly config: LaunchConfig
  readonly native: NativeCudaFunction

  /** Made by `module.kernel()`. @throws {CudaError} */
  constructor(module: CudaModule, { name, sharedBytes, config }: Making) {
    this.module = module
    this.name = name
    this.sharedBytes = sharedBytes
    this.config = config
    const { Function: NativeFunction } = loadAddon().cuda
    const subject = `Kernel ${name} of module ${module.label} could not be had`
    this.native = module.device.health.call(subject, () => {
      return new NativeFunction(module.native, name, sharedBytes)
    })
  }

  /** @throws {CudaError | DisposedError} */
  attributes(): KernelAttributes {
    this.module.requireLive()
    const subject = `Kernel ${this.name} could not be asked`
    return this.module.device.health.call(subject, () => this.native.attributes())
  }

  /**
   * Enqueues the kernel and returns.
   *
   * @throws {OptionError | DeviceError | DisposedError | CudaLaunchError | DeviceLostError}
   */
  launch(args: ArgumentList, geometry: Geometry, stream?: CudaStream): void {
    const { device } = this.module
    const target = stream ?? device.defaultStream
    target.requireLive()
    device.requireOwn(`Stream ${target.label}`, target.device)
    const memories = this.#pack(args, geometry)
    const note: KernelNote = { kernel: this.name, config: this.config, stream: target.label }
    device.health.call(
      'Could not launch',
      () => loadAddon().cuda.launch(target.native, this.native, scratch, memories),
      note,
    )
    target.launched([note])
  }

  /**
   * Packs the arguments and encodes their tensor maps, for launches that repeat: each costs little
   * more than the driver's own call.
   *
   * @throws {OptionError | DeviceError | DisposedError | CudaLaunchError | DeviceLostError}
   */
  prepare(args: ArgumentList, geometry: Geometry): PreparedLaunch {
    const memories = this.#pack(args, geometry)
    const { Launch } = loadAddon().cuda
    const note: KernelNote = { kernel: this.name, config: this.config }
    const native = this.module.device.health.call(
      'Could not prepare',
      () => new Launch(this.native, scratch, memories),
      note,
    )
    return new PreparedLaunch(this, native)
  }

  /** Fills `scratch`; the memories that the arguments point into. */
  #pack(args: ArgumentList, geometry: Geometry): readonly NativeCudaMemory[] {
    requireKnownOptions('launch', geometry, ['grid', 'block', 'cluster', 'programmatic'])
    this.module.requireLive()
    const memories = args.memoriesOn(this.module.device)
    this.#writeHeader(geometry)
    scratch.set(args.numbers, HEADER)
    return memories
  }

  #writeHeader({ grid, block, cluster = ONE, programmatic = false }: Geometry): void {
    writeExtents(0, 'grid', grid, MAX_GRID)
    writeExtents(3, 'block', block, MAX_BLOCK)
    writeExtents(6, 'cluster', cluster, MAX_CLUSTER)
    scratch[9] = this.sharedBytes
    scratch[10] = programmatic ? 1 : 0
  }
}

/** Numbers in front of the arguments: grid, block, cluster, shared memory, programmatic. */
const HEADER = 11

/** Launches are frequent: the words of an error are put together only when there is one. */
function writeExtents(at: number, name: string, given: Extents, most: readonly number[]): void {
  for (let i = 0; i < 3; i++) {
    const extent = given[i] ?? 1
    const limit = most[i] as number
    if (Number.isInteger(extent) && extent >= 1 && extent <= limit) scratch[at + i] = extent
    else requireInteger(`The ${name}, dimension ${i},`, extent, 1, limit)
  }
}
