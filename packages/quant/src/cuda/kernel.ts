import { type Sm90CastConfig, sm90CastEntry, sm90CastMembers } from '@deepgemm/core/sm90'
import type { DeviceKernelSpec } from '@deepgemm/jit'

/** What is compiled and launched for a cast. */
export function castKernel(config: Sm90CastConfig): DeviceKernelSpec {
  return {
    name: sm90CastEntry(config),
    struct: 'QuantizeConfig',
    config: sm90CastMembers(config),
    target: config.target,
  }
}
