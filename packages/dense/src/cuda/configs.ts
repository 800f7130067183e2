// Which kernels serve a range of products. Pure.

import {
  configsFor,
  type Sm90Config,
  type Sm90Device,
  type Sm90Range,
  sm90KernelMembers,
  sm90SharedBytes,
} from '@deepgemm/core/sm90'
import type { DeviceKernelSpec } from '@deepgemm/jit'

/** Rows beyond which the best config stays the same: every multiprocessor has work for many rounds. */
const MOST_ROWS = 16_384

/** The configs for every M of a range. */
export function gemmConfigs(range: Sm90Range, device: Sm90Device): readonly Sm90Config[] {
  return configsFor(clampRange(range), device)
}

/** The part of a range that decides about configs. */
export function clampRange(range: Sm90Range): Sm90Range {
  const clamp = (m: number): number => Math.max(1, Math.min(m, MOST_ROWS))
  return { ...range, m: { min: clamp(range.m.min), max: clamp(range.m.max) } }
}

/** What is compiled for a config. */
export function gemmKernel(config: Sm90Config): DeviceKernelSpec {
  const sharedBytes = sm90SharedBytes(config)
  return {
    name: 'fp8_gemm',
    struct: 'GemmConfig',
    config: sm90KernelMembers(config, sharedBytes),
    target: config.target,
    sharedBytes,
  }
}
