import { type DeviceKind, OptionError, requireKnownOptions, requireOneOf } from '@deepgemm/core'
import { CpuDevice } from './cpu/device.js'
import { type CpuOptions, cpuSettings } from './cpu/settings.js'
import { CudaDevice } from './cuda/device.js'
import { type CudaDeviceInfo, probeCuda } from './cuda/probe.js'
import type { Device as DeviceInterface } from './device.js'
import { warnOfFallback } from './fallback-warning.js'
import { loadAddon } from './native/load.js'

/** A device that could be opened, or why it could not. */
export type DeviceInfo = {
  readonly kind: DeviceKind
  readonly name: string
  readonly architecture: string
  readonly parallelism: number
  /** Why this device cannot be used and what to do; undefined when it can. */
  readonly problem?: string
}

/** Which device to open, and how. */
export type OpenOptions = CpuOptions & {
  /**
   * `auto`: the first GPU that can be used, else the CPU; the CPU also when one of its options is
   * given. Default: `DEEPGEMM_DEVICE`, else `auto`.
   */
  readonly kind?: DeviceKind | 'auto'
}

/** What `Device.open()` opens where nothing else is said. */
const DEFAULT_KIND: DeviceKind | 'auto' = 'auto'

async function list(): Promise<DeviceInfo[]> {
  const { name, isa, threads } = cpuSettings({}, loadAddon().cpuInfo())
  const cpu = { kind: 'cpu' as const, name, architecture: isa, parallelism: threads }
  return [...probeCuda().map(describeCuda), cpu]
}

function describeCuda({ library, properties, problem }: CudaDeviceInfo): DeviceInfo {
  const { name = library, major, minor, multiprocessors = 0 } = properties ?? {}
  const info: DeviceInfo = {
    kind: 'cuda',
    name,
    architecture: major === undefined ? 'unknown' : `sm_${major}${minor}`,
    parallelism: multiprocessors,
  }
  return problem === undefined ? info : { ...info, problem: `${problem.given}. ${problem.remedy}` }
}

async function open(options: OpenOptions = {}): Promise<DeviceInterface> {
  requireKnownOptions('Device.open', options, ['kind', 'threads', 'isa'])
  const wanted = requireOneOf(
    'The device kind',
    options.kind ?? (process.env['DEEPGEMM_DEVICE'] || DEFAULT_KIND),
    ['cpu', 'cuda', 'auto'] as const,
  )
  const kind = wanted === 'auto' ? bestKind(options) : wanted
  if (kind === 'cpu') return new CpuDevice(cpuSettings(options, loadAddon().cpuInfo()))
  if (options.threads === undefined && options.isa === undefined) return new CudaDevice()
  throw new OptionError('A CUDA device takes no options of the CPU', {
    given: options.isa === undefined ? 'threads' : 'isa',
    allowed: 'kind',
  })
}

function bestKind({ threads, isa }: OpenOptions): DeviceKind {
  if (threads !== undefined || isa !== undefined) return 'cpu'
  const gpus = probeCuda()
  if (gpus.some(({ problem }) => problem === undefined)) return 'cuda'
  warnOfFallback(gpus)
  return 'cpu'
}

/** Entry points to devices. Nothing native is loaded before one of them is called. */
export const Device: {
  /**
   * Every device of this machine, also those that cannot be used. Without a CUDA driver that is the
   * CPU alone.
   */
  list(): Promise<DeviceInfo[]>
  /**
   * Opens a device: the first usable GPU, else the CPU; with a `kind`, that one or none. A GPU that
   * only needs mending, such as a newer driver, is passed over with one warning per process. What
   * a GPU compiles with is not looked at: with a filled cache it needs no compiler.
   *
   * @throws {OptionError | DeviceError | NativeError}
   */
  open(options?: OpenOptions): Promise<DeviceInterface>
} = { list, open }

export type Device = DeviceInterface
