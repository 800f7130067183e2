import type { Recipe, ScaleDType, ScaleOrientation } from '@deepgemm/core'
import { availableDevices, download, randomQuantized, upload } from '@deepgemm/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { memoryDevice } from './memory-device.js'

describe('quantised tensors on a device', () => {
  it('come back as they went, in any recipe, dtype and orientation', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          rows: fc.integer({ min: 0, max: 140 }),
          cols: fc.integer({ min: 1, max: 140 }),
          recipe: fc.constantFrom<Recipe>('1x128', '128x128', '128x1'),
          scaleDType: fc.constantFrom<ScaleDType>('f32', 'ue8m0'),
        }),
        fc.constantFrom<ScaleOrientation | undefined>('k-major', 'mn-major', undefined),
        async (spec, orientation) => {
          const matrix = randomQuantized(3, spec)
          const [back] = await download(upload(memoryDevice, matrix, orientation))
          expect(back).toEqual(matrix)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('of rank 3 hold one matrix per group', async () => {
    const spec = { rows: 3, cols: 130, recipe: '1x128' } as const
    const groups = [randomQuantized(1, spec), randomQuantized(2, spec)]
    const tensor = upload(memoryDevice, groups)
    expect(tensor.shape).toEqual([2, 3, 130])
    expect(tensor.scales.tensor.shape).toEqual([2, 2, 4])
    expect(await download(tensor)).toEqual(groups)
  })

  it('need at least one group', () => {
    expect(() => upload(memoryDevice, [])).toThrow('at least one matrix')
  })
})

describe('available devices', () => {
  it('are those without a problem, each opened by its kind', async () => {
    const opened: string[] = []
    const devices = await availableDevices({
      list: async () => [
        { kind: 'cuda', name: 'GPU', problem: 'no driver' },
        { kind: 'cpu', name: 'CPU' },
      ],
      open: async ({ kind }) => opened.push(kind),
    })
    expect(devices.map(({ kind, name }) => `${kind} ${name}`)).toEqual(['cpu CPU'])
    await devices[0]?.open()
    expect(opened).toEqual(['cpu'])
  })
})
