import { type Sm90DequantizeConfig, sm90DequantizeMembers } from '@deepgemm/core/sm90'
import type { DeviceKernelSpec } from '@deepgemm/jit'

/** Kernels are looked up by their spec at every cast; there are few of them. */
const specs = new Map<string, DeviceKernelSpec>()

/** What is compiled and launched for a cast back. The same object for the same config. */
export function dequantizeKernel(config: Sm90DequantizeConfig): DeviceKernelSpec {
  const { target, out, aligned } = config
  const key = `${out} ${aligned}`
  const members = sm90DequantizeMembers(config)
  const made = { name: 'dequantize', struct: 'DequantizeConfig', config: members, target }
  const spec = specs.get(key) ?? made
  specs.set(key, spec)
  return spec
}
