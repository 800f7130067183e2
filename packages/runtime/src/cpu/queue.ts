import { DeviceError, type DeviceRef } from '@deepgemm/core'
import { resolveStream } from '../resolve-stream.js'
import type { Stream } from '../stream.js'
import { CpuDevice } from './device.js'
import { CpuStream } from './stream.js'

/** Where CPU operations are enqueued. */
export type CpuQueue = { readonly device: CpuDevice; readonly stream: CpuStream }

/** The queue of `stream`, or of the device's default stream. @throws {DeviceError} off the CPU. */
export function cpuQueue(device: DeviceRef, stream?: Stream): CpuQueue {
  const resolved = resolveStream(device, stream)
  if (device instanceof CpuDevice && resolved instanceof CpuStream) {
    return { device, stream: resolved }
  }
  throw new DeviceError('This operation runs on a CPU device', {
    given: device.id,
    allowed: 'a device opened with kind cpu',
  })
}
