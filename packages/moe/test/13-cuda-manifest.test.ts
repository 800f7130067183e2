import { describe, expect, it } from 'vitest'
import { COVERING_KERNELS } from './support/cuda-kernels.js'

function manifest(): string {
  const kernels = COVERING_KERNELS.map(({ name, struct, config }) => {
    const choices = Object.values(config).map((value) => String(value).replace(/^.*::k/, ''))
    const source = `entry/${name}.cu`
    return {
      name: `${name} ${choices.join('/')}`,
      source,
      config: { name: struct, members: config },
    }
  })
  return `${JSON.stringify(kernels, null, 2)}\n`
}

describe('the manifest of the MoE kernels', () => {
  // `vitest -u` writes it anew; CI compiles what it lists.
  it('lists every kernel in its forms', async () => {
    await expect(manifest()).toMatchFileSnapshot('../../../kernels/cuda/moe/kernels.json')
  })

  it('names every kernel once', () => {
    const names = (JSON.parse(manifest()) as { name: string }[]).map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
  })
})
