import {
  DeviceError,
  type DeviceRef,
  DisposedError,
  describeValue,
  OptionError,
} from '@deepgemm/core'
import type { Device } from './device.js'
import type { Stream } from './stream.js'

/**
 * The stream to enqueue on: the given one, else the device's default.
 *
 * @throws {DeviceError} when the stream belongs to another device
 * @throws {DisposedError} when it takes no more work
 */
export function resolveStream(device: DeviceRef, stream: Stream | undefined): Stream {
  if (stream === undefined) return (device as Device).defaultStream
  if (typeof stream?.synchronize !== 'function' || stream.device === undefined) {
    throw new OptionError('The option stream is not a stream', {
      given: describeValue(stream),
      allowed: 'a stream of the device, from createStream() or defaultStream',
    })
  }
  if (stream.device.id !== device.id) {
    throw new DeviceError(`Stream ${stream.label} belongs to another device`, {
      given: stream.device.id,
      allowed: device.id,
    })
  }
  if (!stream.disposed) return stream
  throw new DisposedError(`Stream ${stream.label} was disposed`, {
    remedy: 'Use a live stream, such as device.defaultStream.',
  })
}
