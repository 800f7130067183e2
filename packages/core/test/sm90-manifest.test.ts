import {
  sm90CastEntry,
  sm90CastMembers,
  sm90ConfigName,
  sm90CoveringCasts,
  sm90CoveringConfigs,
  sm90CoveringDequantizations,
  sm90CoveringTransposes,
  sm90DequantizeMembers,
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
  const alignment = ({ aligned }: { readonly aligned: boolean }): string =>
    aligned ? 'aligned' : 'unaligned'
  const casts = sm90CoveringCasts().map((config) => ({
    name: `${sm90CastEntry(config)} ${config.blocks}${config.transposed ? ' transposed' : ''}/${config.source}/${alignment(config)}`,
    source: `entry/${sm90CastEntry(config)}.cu`,
    config: { name: 'QuantizeConfig', members: sm90CastMembers(config) },
  }))
  const dequantizations = sm90CoveringDequantizations().map((config) => ({
    name: `dequantize ${config.out}/${alignment(config)}`,
    source: 'entry/dequantize.cu',
    config: { name: 'DequantizeConfig', members: sm90DequantizeMembers(config) },
  }))
  const transposes = sm90CoveringTransposes().map((config) => ({
    name: `transpose_e4m3 ${alignment(config)}`,
    source: 'entry/transpose_e4m3.cu',
    config: { name: 'TransposeConfig', members: sm90TransposeMembers(config) },
  }))
  const relayout = { name: 'relayout_scales', source: 'entry/relayout_scales.cu' }
  return `${JSON.stringify([...gemms, ...casts, ...dequantizations, ...transposes, relayout], null, 2)}\n`
}

describe('the manifest of CUDA kernels', () => {
  // `vitest -u` writes it anew; CI compiles what it lists, with the shared-memory size given here.
  it('lists the covering configs of every family', async () => {
    await expect(manifest()).toMatchFileSnapshot('../../../kernels/cuda/kernels.json')
  })

  it('names every kernel once', () => {
    const names = JSON.parse(manifest()).map(({ name }: { name: string }) => name)
    expect(new Set(names).size).toBe(names.length)
  })
})
