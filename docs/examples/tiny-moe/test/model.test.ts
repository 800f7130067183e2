import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import {
  type Engine,
  Fp8Engine,
  generate,
  greedy,
  Model,
  parseConfig,
  perplexity,
  ReferenceEngine,
  sampler,
  Tokenizer,
} from '@deepgemm/tiny-moe'
import { Checkpoint, Device } from 'deepgemm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const folder = fileURLToPath(new URL('../model', import.meta.url))
const file = (name: string): string => readFileSync(`${folder}/${name}`, 'utf8')

/** What the training framework computes from the same files, in f32. */
const expected = JSON.parse(file('reference.json'))
const tokenizer = Tokenizer.parse(file('tokenizer.json'))

let checkpoint: Checkpoint

beforeAll(async () => {
  checkpoint = await Checkpoint.open(folder)
})

afterAll(async () => {
  await checkpoint.close()
})

async function withModel<T>(engine: Engine, use: (model: Model) => Promise<T>): Promise<T> {
  const model = await Model.load(checkpoint, engine)
  try {
    return await use(model)
  } finally {
    model.dispose()
    await engine[Symbol.asyncDispose]()
  }
}

function lastLogits(logits: Float32Array): Float32Array {
  return logits.slice(-parseConfig(checkpoint.config).vocab_size)
}

describe('the model in f32', () => {
  it('computes the logits of the training framework', async () => {
    const { ids, last_logits_first_16, last_logits_argmax } = expected.prompt
    await withModel(new ReferenceEngine(checkpoint), async (model) => {
      const logits = lastLogits(await model.start().append(ids))
      last_logits_first_16.forEach((value: number, i: number) => {
        expect(logits[i]).toBeCloseTo(value, 3)
      })
      expect(greedy(logits)).toBe(last_logits_argmax)
    })
  })

  it('continues a prompt with the same tokens', async () => {
    const { text, greedy_text } = expected.prompt
    await withModel(new ReferenceEngine(checkpoint), async (model) => {
      let made = ''
      const options = { prompt: text, maxTokens: 16, sample: greedy }
      for await (const part of generate(model, tokenizer, options)) made += part
      expect(made.length).toBeGreaterThan(10)
      expect(greedy_text.startsWith(made)).toBe(true)
    })
  })

  it('gives the same logits token by token as all at once', async () => {
    const ids: number[] = expected.prompt.ids
    await withModel(new ReferenceEngine(checkpoint), async (model) => {
      const whole = lastLogits(await model.start().append(ids))
      const sequence = model.start()
      let stepwise = new Float32Array()
      for (const id of ids) stepwise = lastLogits(await sequence.append([id])) as typeof stepwise
      for (const [i, value] of whole.entries()) expect(stepwise[i]).toBeCloseTo(value, 4)
    })
  })
})

describe('the model in FP8', () => {
  it('predicts held-out text as well as in f32, within one percent', async () => {
    const ids = tokenizer.encode(file('held-out.txt')).slice(0, 1024)
    const measure = (model: Model) => perplexity(model, ids, { window: 256 })
    const reference = await withModel(new ReferenceEngine(checkpoint), measure)
    const fp8 = await withModel(new Fp8Engine(await Device.open(), checkpoint), measure)
    expect(fp8.tokens).toBe(1024 - 4)
    expect(Math.abs(fp8.perplexity / reference.perplexity - 1)).toBeLessThan(0.01)
    const known: number[] = expected.held_out.nll_per_window.slice(0, 4)
    const mean = known.reduce((sum, nll) => sum + nll, 0) / known.length
    expect(reference.nll).toBeCloseTo(mean, 3)
  })

  it('frees everything when it is disposed', async () => {
    const device = await Device.open({ kind: 'cpu' })
    await withModel(new Fp8Engine(device, checkpoint), async (model) => {
      await model.start().append([1, 2, 3])
      expect(device.memory().liveBytes).toBeGreaterThan(1e6)
    })
    expect(device.memory().buffers).toEqual([])
  })
})

describe('a sequence', () => {
  it('refuses to grow beyond the trained length', async () => {
    await withModel(new ReferenceEngine(checkpoint), async (model) => {
      const sequence = model.start()
      await expect(sequence.append(new Array(257).fill(1))).rejects.toThrow(/given 257 tokens/)
      expect(sequence.length).toBe(0)
    })
  })
})

describe('the sampler', () => {
  const logits = Float32Array.of(0, 1, 2)

  it('takes the likeliest token at temperature 0', () => {
    expect(sampler(0, 1)(logits)).toBe(2)
  })

  it('draws tokens as often as they are likely, the same for the same seed', () => {
    const draw = (seed: number): number[] => {
      const sample = sampler(1, seed)
      return Array.from({ length: 3000 }, () => sample(logits))
    }
    expect(draw(5)).toEqual(draw(5))
    expect(draw(5)).not.toEqual(draw(6))
    const share = draw(5).filter((token) => token === 2).length / 3000
    expect(share).toBeCloseTo(Math.exp(2) / (1 + Math.E + Math.exp(2)), 1)
  })
})

describe('the config', () => {
  it('must be complete and of the known architecture', () => {
    expect(() => parseConfig(undefined)).toThrow(/without config\.json/)
    expect(() => parseConfig({})).toThrow(/vocab_size = undefined/)
    expect(() => parseConfig({ ...checkpoint.config, hidden_size: -1 })).toThrow(/hidden_size = -1/)
    expect(() => parseConfig({ ...checkpoint.config, architectures: ['Llama'] })).toThrow(/Llama/)
  })
})
