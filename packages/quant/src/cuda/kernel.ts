import {
  type Sm90CastConfig,
  type Sm90DequantizeConfig,
  sm90CastEntry,
  sm90CastMembers,
  sm90DequantizeMembers,
} from '@deepgemm/core/sm90'
import type { DeviceKernelSpec } from '@deepgemm/jit'

/** What is compiled and launched for a cast. The same object for the same config. */
export function castKernel(config: Sm90CastConfig): DeviceKernelSpec {
  const { target, blocks, transposed, source, aligned } = config
  return remembered(`${blocks} ${transposed} ${source} ${aligned}`, () => ({
    name: sm90CastEntry(config),
    struct: 'QuantizeConfig',
    config: sm90CastMembers(config),
    target,
  }))
}

/** The same for the cast back. */
export function dequantizeKernel(config: Sm90DequantizeConfig): DeviceKernelSpec {
  const { target, out, aligned } = config
  return remembered(`back ${out} ${aligned}`, () => ({
    name: 'dequantize',
    struct: 'DequantizeConfig',
    config: sm90DequantizeMembers(config),
    target,
  }))
}

/** Kernels are looked up by their spec at every cast; there are few of them. */
const specs = new Map<string, DeviceKernelSpec>()

function remembered(key: string, make: () => DeviceKernelSpec): DeviceKernelSpec {
  const spec = specs.get(key) ?? make()
  specs.set(key, spec)
  return spec
}
