import { Device } from 'deepgemm'
import { choice, type RawOptions, wholeNumber } from './options.js'

/** Opens the device that --device and --threads ask for. */
export async function openDevice(options: RawOptions): Promise<Device> {
  const kind = choice(options, 'device', ['auto', 'cpu', 'cuda'], 'auto')
  const threads =
    options['threads'] === undefined ? 0 : wholeNumber(options, 'threads', { min: 1, max: 1024 })
  return Device.open({
    ...(kind === 'auto' ? {} : { kind }),
    ...(threads === 0 ? {} : { threads }),
  })
}

/** `CPU, avx512_bf16, 2 threads (AMD EPYC)` */
export function describeDevice(device: Device): string {
  const unit = device.kind === 'cpu' ? 'thread' : 'SM'
  const parallelism = `${device.parallelism} ${unit}${device.parallelism === 1 ? '' : 's'}`
  return `${device.kind.toUpperCase()}, ${device.architecture}, ${parallelism} (${device.name})`
}
