// How the model reaches a GPU: a fake driver stands in for one, so nothing is computed.

import { fileURLToPath } from 'node:url'
import { Fp8Engine, Model } from '@deepgemm/tiny-moe'
import { Checkpoint } from 'deepgemm'
import { describe, expect, it } from 'vitest'
import { useFakeGpu } from '../../../../packages/runtime/test/support/fake-gpu.js'

const folder = fileURLToPath(new URL('../model', import.meta.url))

describe('the model on a GPU', () => {
  const gpu = useFakeGpu()

  it('has all of its kernels once it is loaded: no token waits for a compiler', async () => {
    await using checkpoint = await Checkpoint.open(folder)
    const engine = new Fp8Engine(gpu.device, checkpoint)
    const model = await Model.load(checkpoint, engine)
    const before = gpu.fake.calls()['nvrtcCompileProgram'] ?? 0
    const sequence = model.start()
    for (const ids of [Array.from({ length: 200 }, (_, i) => i), [7], [8, 9]]) {
      expect((await sequence.append(ids)).every(Number.isFinite)).toBe(true)
    }
    expect(gpu.fake.calls()['nvrtcCompileProgram'] ?? 0).toBe(before)
    model.dispose()
    await engine[Symbol.asyncDispose]()
  }, 120_000)
})
