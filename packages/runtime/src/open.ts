import { DeviceError, type DeviceKind, requireKnownOptions, requireOneOf } from '@deepgemm/core'
import { CpuDevice } from './cpu/device.js'
import { type CpuOptions, cpuSettings } from './cpu/settings.js'
import type { Device as DeviceInterface } from './device.js'
import { loadAddon } from './native/load.js'

/** A device that could be opened, or why it could not. */
export type DeviceInfo = {
  readonly kind: DeviceKind
  readonly name: string
  readonly architecture: string
  readonly parallelism: number
  /** Why this device cannot be used; undefined when it can. */
  readonly problem?: string
}

/** Which device to open, and how. */
export type OpenOptions = CpuOptions & {
  /** Default: `DEEPGEMM_DEVICE`, else the best usable device. */
  readonly kind?: DeviceKind
}

/** Devices this version can drive. */
const KINDS: readonly DeviceKind[] = ['cpu']

async function list(): Promise<DeviceInfo[]> {
  const { name, isa, threads } = cpuSettings({}, loadAddon().cpuInfo())
  return [{ kind: 'cpu', name, architecture: isa, parallelism: threads }]
}

async function open(options: OpenOptions = {}): Promise<DeviceInterface> {
  requireKnownOptions('Device.open', options, ['kind', 'threads', 'isa'])
  const kind = requireOneOf(
    'The device kind',
    options.kind ?? (process.env['DEEPGEMM_DEVICE'] || 'cpu'),
    ['cpu', 'cuda'] as const,
  )
  if (!KINDS.includes(kind)) {
    throw new DeviceError('There is no such device here', {
      given: kind,
      allowed: KINDS.join(', '),
      remedy: 'This version computes on the CPU.',
    })
  }
  return new CpuDevice(cpuSettings(options, loadAddon().cpuInfo()))
}

/** Entry points to devices. Nothing native is loaded before one of them is called. */
export const Device: {
  /** Every device of this machine. */
  list(): Promise<DeviceInfo[]>
  /**
   * Opens a device: a usable GPU if there is one, else the CPU.
   *
   * @throws {OptionError | DeviceError | NativeError}
   */
  open(options?: OpenOptions): Promise<DeviceInterface>
} = { list, open }

export type Device = DeviceInterface
