import { DeviceError, type DeviceRef } from '@deepgemm/core'
import type { Device } from './device.js'
import type { Stream } from './stream.js'

/**
 * The stream to enqueue on: the given one, else the device's default.
 *
 * @throws {DeviceError} when the stream belongs to another device.
 */
export function resolveStream(device: DeviceRef, stream: Stream | undefined): Stream {
  if (stream === undefined) return (device as Device).defaultStream
  if (stream.device.id === device.id) return stream
  throw new DeviceError(`Stream ${stream.label} belongs to another device`, {
    given: stream.device.id,
    allowed: device.id,
  })
}
