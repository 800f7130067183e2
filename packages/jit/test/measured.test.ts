import { join } from 'node:path'
import { measuredOnce } from '@deepgemm/jit'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from './support/folders.js'
import { observedCache } from './support/kernels.js'

const question = { subject: 'tuning', about: { device: 'H100', m: [1, 2] }, target: 'sm_90a' }

describe('the answer to a question', () => {
  it('is measured once, by whoever asks first, and found by others', async () => {
    const folder = join(temporaryFolder(), 'cache')
    const { cache } = await observedCache(folder)
    let measurements = 0
    const measure = async () => [0, ++measurements]
    const both = [measuredOnce(cache, question, measure), measuredOnce(cache, question, measure)]
    for (const { value } of await Promise.all(both)) expect(value).toEqual([0, 1])
    const { cache: another } = await observedCache(folder)
    const found = await measuredOnce(another, question, measure)
    expect(found).toEqual({ value: [0, 1], origin: 'cache' })
    expect(measurements).toBe(1)
  })

  it('belongs to that question alone', async () => {
    const { cache } = await observedCache(join(temporaryFolder(), 'cache'))
    await measuredOnce(cache, question, async () => 1)
    const others = [
      { ...question, subject: 'other' },
      { ...question, about: { device: 'H200', m: [1, 2] } },
      { ...question, target: 'sm_100a' },
    ]
    for (const other of others) {
      const answer = await measuredOnce(cache, other, async () => 2)
      expect(answer).toEqual({ value: 2, origin: 'measured' })
    }
  })

  it('is not kept when the measurement fails', async () => {
    const { cache } = await observedCache(join(temporaryFolder(), 'cache'))
    const failing = measuredOnce(cache, question, async () => Promise.reject(new Error('no GPU')))
    await expect(failing).rejects.toThrow('no GPU')
    expect((await measuredOnce(cache, question, async () => 3)).origin).toBe('measured')
  })

  it('is verified and exported as kernels are', async () => {
    const folder = temporaryFolder()
    const { cache } = await observedCache(join(folder, 'here'))
    await measuredOnce(cache, question, async () => [1])
    expect((await cache.verify()).problems).toEqual([])
    await cache.exportBundle(join(folder, 'bundle'))
    const { cache: there } = await observedCache(join(folder, 'there'))
    await there.importBundle(join(folder, 'bundle'))
    const answer = await measuredOnce(there, question, async () => [2])
    expect(answer).toEqual({ value: [1], origin: 'cache' })
  })
})
