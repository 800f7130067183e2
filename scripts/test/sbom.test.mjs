import { describe, expect, it } from 'vitest'
import { bill, externalPackages, integrities } from '../sbom.mjs'

const digest = Buffer.from('digest').toString('base64')
const lockfile = `packages:

  '@scope/a@1.0.0':
    resolution: {integrity: sha512-${digest}}
    engines: {node: '>=18'}

  b@2.0.0-rc.1:
    resolution: {integrity: sha512-${digest}, tarball: x}
`

const listed = [
  {
    dependencies: {
      '@deepgemm/core': {
        version: 'link:../core',
        dependencies: { '@scope/a': { from: '@scope/a', version: '1.0.0' } },
      },
      b: { from: 'b', version: '2.0.0-rc.1', dependencies: { '@scope/a': { version: '1.0.0' } } },
    },
  },
]

describe('the bill of materials', () => {
  it('finds the digests of the lockfile', () => {
    expect([...integrities(lockfile).keys()]).toEqual(['@scope/a@1.0.0', 'b@2.0.0-rc.1'])
  })

  it('names everything from the registry once, also what comes through our own packages', () => {
    expect(externalPackages(listed)).toEqual([
      { name: '@scope/a', version: '1.0.0' },
      { name: 'b', version: '2.0.0-rc.1' },
    ])
  })

  it('is the same for the same content, and carries digests in hexadecimal', () => {
    const parts = {
      ours: [{ name: 'deepgemm', version: '0.1.0' }],
      external: externalPackages(listed),
      digests: integrities(lockfile),
    }
    const content = bill(parts)
    expect(content.components.map(({ purl }) => purl)).toEqual([
      'pkg:npm/deepgemm@0.1.0',
      'pkg:npm/%40scope/a@1.0.0',
      'pkg:npm/b@2.0.0-rc.1',
    ])
    expect(content.components[1].hashes).toEqual([
      { alg: 'SHA-512', content: Buffer.from('digest').toString('hex') },
    ])
    expect(content.serialNumber).toMatch(/^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-8/)
    expect(bill(parts)).toEqual(content)
  })
})
