import { DeviceError } from '@deepgemm/core'
import type { CudaDevice, CudaKernel } from '@deepgemm/runtime/cuda'
import { type DeviceKernelSpec, deviceKernels } from '../device-kernels.js'

/** @throws {DeviceError} when the kernel has to be compiled first */
export function requireLoaded(device: CudaDevice, spec: DeviceKernelSpec): CudaKernel {
  const kernel = deviceKernels(device).loaded(spec)
  if (kernel !== undefined) return kernel
  throw new DeviceError(`The kernel ${spec.name} is not loaded`, {
    given: JSON.stringify(spec.config),
    allowed: 'kernels that were loaded on this device',
    remedy: 'Await its preparation first: it compiles the kernel.',
  })
}
