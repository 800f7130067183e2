import { type Checkpoint, ShapeError } from 'deepgemm'
import { type AttentionShape, attend, KeyValueCache } from './attention.js'
import { type ModelConfig, parseConfig } from './config.js'
import type { Engine, FeedForward, Linear } from './engine.js'
import { addInPlace, rmsNorm } from './norm.js'
import { routerConfig } from './router.js'
import { readFloats } from './weights.js'

type Layer = {
  readonly inputNorm: Float32Array
  readonly qkv: Linear
  readonly output: Linear
  readonly feedForwardNorm: Float32Array
  readonly feedForward: FeedForward
}

type Parts = {
  readonly embeddings: Float32Array
  readonly layers: readonly Layer[]
  readonly finalNorm: Float32Array
  readonly head: Linear
}

/** A decoder-only mixture-of-experts transformer whose products run on an engine. */
export class Model {
  readonly config: ModelConfig
  readonly #parts: Parts

  private constructor(config: ModelConfig, parts: Parts) {
    this.config = config
    this.#parts = parts
  }

  /** Reads the weights of a checkpoint. @throws {CheckpointError} when one is missing. */
  static async load(checkpoint: Checkpoint, engine: Engine): Promise<Model> {
    const config = parseConfig(checkpoint.config)
    const layers: Layer[] = []
    for (let i = 0; i < config.num_hidden_layers; i++) {
      layers.push(await loadLayer(checkpoint, engine, config, i))
    }
    return new Model(config, {
      embeddings: await readFloats(checkpoint, 'model.embed_tokens.weight'),
      layers,
      finalNorm: await readFloats(checkpoint, 'model.norm.weight'),
      head: await engine.linear(['lm_head.weight']),
    })
  }

  /** Starts a sequence of at most the length the model was trained on. */
  start(): Sequence {
    return new Sequence(this.config, this.#parts)
  }

  dispose(): void {
    for (const { qkv, output, feedForward } of this.#parts.layers) {
      qkv.dispose()
      output.dispose()
      feedForward.dispose()
    }
    this.#parts.head.dispose()
  }
}

/** One sequence of tokens and what the model remembers of it. */
export class Sequence {
  readonly #config: ModelConfig
  readonly #parts: Parts
  readonly #shape: AttentionShape
  readonly #caches: readonly KeyValueCache[]
  #length = 0

  constructor(config: ModelConfig, parts: Parts) {
    this.#config = config
    this.#parts = parts
    this.#shape = {
      heads: config.num_attention_heads,
      headDim: config.head_dim,
      theta: config.rope_theta,
    }
    const width = config.num_attention_heads * config.head_dim
    this.#caches = parts.layers.map(() => new KeyValueCache(config.max_position_embeddings, width))
  }

  get length(): number {
    return this.#length
  }

  /** Tokens that still fit. */
  get room(): number {
    return this.#config.max_position_embeddings - this.#length
  }

  /** Appends tokens and returns the logits [tokens, vocabulary] that follow each of them. */
  async append(ids: readonly number[]): Promise<Float32Array> {
    this.#requireRoom(ids.length)
    const { layers, finalNorm, head } = this.#parts
    const eps = this.#config.rms_norm_eps
    const x = this.#embed(ids)
    for (const [i, layer] of layers.entries()) {
      const normed = rmsNorm(x, layer.inputNorm, eps)
      const qkv = await layer.qkv.apply(normed, ids.length)
      const attended = attend(qkv, this.#length, this.#caches[i] as KeyValueCache, this.#shape)
      addInPlace(x, await layer.output.apply(attended, ids.length))
      const hidden = rmsNorm(x, layer.feedForwardNorm, eps)
      addInPlace(x, await layer.feedForward.apply(hidden, ids.length))
    }
    this.#length += ids.length
    return head.apply(rmsNorm(x, finalNorm, eps), ids.length)
  }

  #embed(ids: readonly number[]): Float32Array {
    const width = this.#config.hidden_size
    const x = new Float32Array(ids.length * width)
    for (const [t, id] of ids.entries()) {
      x.set(this.#parts.embeddings.subarray(id * width, (id + 1) * width), t * width)
    }
    return x
  }

  #requireRoom(tokens: number): void {
    if (tokens <= this.room) return
    throw new ShapeError('The sequence grows beyond the length the model was trained on', {
      given: `${this.#length + tokens} tokens`,
      allowed: `at most ${this.#config.max_position_embeddings}`,
    })
  }
}

async function loadLayer(
  checkpoint: Checkpoint,
  engine: Engine,
  config: ModelConfig,
  index: number,
): Promise<Layer> {
  const prefix = `model.layers.${index}`
  const attention = `${prefix}.self_attn`
  const isDense = index < config.first_k_dense_replace
  return {
    inputNorm: await readFloats(checkpoint, `${prefix}.input_layernorm.weight`),
    qkv: await engine.linear(['q', 'k', 'v'].map((name) => `${attention}.${name}_proj.weight`)),
    output: await engine.linear([`${attention}.o_proj.weight`]),
    feedForwardNorm: await readFloats(checkpoint, `${prefix}.post_attention_layernorm.weight`),
    feedForward: isDense
      ? await engine.dense(`${prefix}.mlp`)
      : await engine.mixture(`${prefix}.mlp`, routerConfig(config)),
  }
}
