import { type KernelSpec, kernelKey } from '@deepgemm/jit'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { identityKey, kernelIdentity, programDigest } from '../src/kernel-key.js'
import { specOf } from './support/kernels.js'

const spec = specOf(1)

const specs: fc.Arbitrary<KernelSpec> = fc.record({
  source: fc.string(),
  entryName: fc.string(),
  config: fc.dictionary(
    fc.string({ minLength: 1 }),
    fc.oneof(fc.integer(), fc.boolean(), fc.string()),
  ),
  compiler: fc.record({ name: fc.string(), version: fc.string() }),
  flags: fc.array(fc.string()),
  target: fc.string(),
})

describe('the key of a kernel', () => {
  it('is this one, on every machine and in every version that keeps the format', () => {
    expect(kernelKey(spec)).toMatchInlineSnapshot(
      `"faaf487a5cea1b917c3bd69fe6417ff727100e4481b1e1841cb9c3a983b16e8d"`,
    )
  })

  it('does not depend on the order in which the config was written', () => {
    const config = { b: 2, a: 1 }
    expect(kernelKey({ ...spec, config })).toBe(kernelKey({ ...spec, config: { a: 1, b: 2 } }))
  })

  it('follows from what a manifest remembers', () => {
    fc.assert(
      fc.property(specs, (any) => {
        expect(identityKey(kernelIdentity(any))).toBe(kernelKey(any))
      }),
    )
  })

  it.each<[string, KernelSpec]>([
    ['source', { ...spec, source: `${spec.source} ` }],
    ['entry name', { ...spec, entryName: 'other' }],
    ['config value', { ...spec, config: { ...spec.config, blockM: 128 } }],
    ['config value of another type', { ...spec, config: { ...spec.config, blockM: '64' } }],
    ['config member', { ...spec, config: { ...spec.config, stages: 4 } }],
    ['compiler name', { ...spec, compiler: { ...spec.compiler, name: 'nvcc' } }],
    ['compiler version', { ...spec, compiler: { ...spec.compiler, version: '1.0.1' } }],
    ['flag', { ...spec, flags: ['-O2'] }],
    ['split of the flags', { ...spec, flags: ['-O', '3'] }],
    ['target', { ...spec, target: 'sm_100a' }],
  ])('changes with the %s', (_, other) => {
    expect(kernelKey(other)).not.toBe(kernelKey(spec))
  })

  it('differs for any two different specs', () => {
    fc.assert(
      fc.property(specs, specs, (one, two) => {
        const same = JSON.stringify(kernelIdentity(one)) === JSON.stringify(kernelIdentity(two))
        fc.pre(!same && JSON.stringify(sortedConfig(one)) !== JSON.stringify(sortedConfig(two)))
        expect(kernelKey(one)).not.toBe(kernelKey(two))
      }),
    )
  })
})

function sortedConfig(any: KernelSpec): unknown {
  const { sourceSha256, entryName, compiler, flags, target } = kernelIdentity(any)
  return [sourceSha256, entryName, Object.entries(any.config).sort(), compiler, flags, target]
}

describe('the digest of a program', () => {
  const program = programDigest(kernelIdentity(spec))

  it('is the same whichever compiler and flags are used', () => {
    const other = { ...spec, compiler: { name: 'nvcc', version: '13.0.88' }, flags: [] }
    expect(programDigest(kernelIdentity(other))).toBe(program)
  })

  it('changes with what is compiled', () => {
    expect(programDigest(kernelIdentity({ ...spec, target: 'sm_100a' }))).not.toBe(program)
    expect(programDigest(kernelIdentity({ ...spec, source: '' }))).not.toBe(program)
  })
})
