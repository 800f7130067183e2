import {
  sm90CastEntry,
  sm90CastMembers,
  sm90ConfigName,
  sm90CoveringCasts,
  sm90CoveringConfigs,
  sm90CoveringTransposes,
  sm90KernelMembers,
  sm90SharedBytes,
  sm90TransposeMembers,
} from '@deepgemm/core/sm90'
import { describe, expect, it } from 'vitest'

function manifest(): string {
  const gemms = sm90CoveringConfigs().map((config) => ({
    name: `fp8_gemm ${sm90ConfigName(config)}`,
    source: 'entry/fp8_gemm.cu',
    config: { name: 'GemmConfig', members: sm90KernelMembers(config, sm90SharedBytes(config)) },
  }))
  const casts = sm90CoveringCasts().map((config) => ({
    name: `${sm90CastEntry(config)} ${config.source}/${config.scaleDType}/${config.aligned ? 'aligned' : 'unaligned'}`,
    source: `entry/${sm90CastEntry(config)}.cu`,
    config: { name: 'QuantizeConfig', members: sm90CastMembers(config) },
  }))
  const transposes = sm90CoveringTransposes().map((config) => ({
    name: `transpose_e4m3 ${config.aligned ? 'aligned' : 'unaligned'}`,
    source: 'entry/transpose_e4m3.cu',
    config: { name: 'TransposeConfig', members: sm90TransposeMembers(config) },
  }))
  const relayout = { name: 'relayout_scales', source: 'entry/relayout_scales.cu' }
  return `${JSON.stringify([...gemms, ...casts, ...transposes, relayout], null, 2)}\n`
}

describe('the manifest of CUDA kernels', () => {
  // `vitest -u` writes it anew; CI compiles what it lists, with the shared-memory size given here.
  it('lists the covering configs of every family', async () => {
    await expect(manifest()).toMatchFileSnapshot('../../../kernels/cuda/kernels.json')
  })

  it('names every kernel once', () => {
    const names = sm90CoveringConfigs().map(sm90ConfigName)
    expect(new Set(names).size).toBe(names.length)
  })
})
