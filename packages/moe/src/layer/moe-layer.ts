import {
  DisposedError,
  FLOAT_DTYPES,
  type FloatDType,
  OptionError,
  requireKnownOptions,
  requireOutput,
  ShapeError,
  Tensor,
} from '@deepgemm/core'
import { type Device, type DeviceEvent, resolveStream, type Stream } from '@deepgemm/runtime'
import { isCapturing, prepareLayer, repeatedWork } from '../backend.js'
import { requireTensor } from '../checks.js'
import { GATING_OPTIONS } from '../gating.js'
import { type Batch, batchOf } from './batch.js'
import { gatingFromConfig } from './config.js'
import { readWeights } from './load.js'
import type { MoeExtents, MoeModel, MoeWeights } from './model.js'
import {
  type Capacities,
  type MoeLayerOptions,
  type MoeLoadOptions,
  type MoeRunOptions,
  resolveCapacity,
} from './options.js'
import { enqueueLayer, type Repeated } from './pipeline.js'
import { type OwnedModel, prepareModel } from './prepare.js'
import { type LayerProducts, planProducts } from './products.js'
import { sourceOf, type WeightSource } from './source.js'
import { bufferBytes, type Capacity, Workspace } from './workspace.js'

/** Numbers of tokens, and places of input and output, whose runs are remembered. */
const MOST_SIZES = 256
const MOST_RUNS = 16
const CAPACITY_OPTIONS = ['maxTokens', 'maxDecodeTokens']
const WEIGHT_OPTIONS = ['experts', 'router', 'shared']

/**
 * A mixture-of-experts layer: [T, H] to [T, H], every product in FP8.
 *
 * A run quantises the tokens (1x128), routes them, gathers the rows of each expert, computes
 * down · (silu(gate) · up) per expert, and sums up the weighted results and the shared experts.
 * Intermediate results are bf16. The workspace is allocated once, at creation. On a CPU the bits of
 * a result depend on the input, the weights and the instruction set alone; on a GPU also on the
 * number of tokens, by which kernels are chosen.
 */
export class MoeLayer implements Disposable {
  readonly device: Device
  readonly extents: MoeExtents
  readonly maxTokens: number
  readonly maxDecodeTokens: number
  readonly #model: MoeModel
  readonly #owned: OwnedModel['owned']
  readonly #products: LayerProducts
  readonly #repeated: Repeated
  readonly #workspace: Workspace
  /** The buffers of runs by their number of tokens; of the last few numbers. */
  readonly #batches = new Map<number, Batch>()
  #last: { readonly stream: Stream; readonly done: DeviceEvent } | undefined
  #disposed = false

  private constructor(
    device: Device,
    { model, owned }: OwnedModel,
    products: LayerProducts,
    capacity: Capacities,
  ) {
    this.device = device
    this.extents = model.extents
    this.maxTokens = capacity.maxTokens
    this.maxDecodeTokens = capacity.maxDecodeTokens
    this.#model = model
    this.#owned = owned
    this.#products = products
    this.#repeated = {
      runs: repeatedWork(device, MOST_RUNS),
      sizes: repeatedWork(device, MOST_SIZES),
    }
    const bytes = bufferBytes(model.extents, roomOf(model, capacity))
    this.#workspace = new Workspace(device, bytes)
  }

  static async #make(
    device: Device,
    { model, owned }: OwnedModel,
    capacity: Capacities,
  ): Promise<MoeLayer> {
    const all = [...owned]
    try {
      await prepareLayer(device, model.extents.experts, model.gating.gating)
      const products = await planProducts(device, model, roomOf(model, capacity), all)
      return new MoeLayer(device, { model, owned: all }, products, capacity)
    } catch (error) {
      for (const item of all) item.dispose()
      throw error
    }
  }

  /**
   * A layer with these weights, which stay the caller's: dispose them after the layer.
   *
   * @throws {ShapeError | DTypeError | RecipeError | LayoutError | OptionError | DeviceError | DisposedError}
   */
  static async create(device: Device, options: MoeLayerOptions): Promise<MoeLayer> {
    const known = [...WEIGHT_OPTIONS, ...GATING_OPTIONS, ...CAPACITY_OPTIONS]
    requireKnownOptions('MoeLayer.create', options, known)
    const capacity = resolveCapacity(options)
    return MoeLayer.#make(device, await prepareModel(device, options, options), capacity)
  }

  /**
   * A layer with the weights under `prefix` of a checkpoint, named as in DeepSeek-V3:
   * `gate.weight`, `gate.e_score_correction_bias`, `experts.<e>.{gate,up,down}_proj.weight` and
   * `shared_experts.{gate,up,down}_proj.weight`. FP8 weights (with `weight_scale_inv`) are taken as
   * they are, others are quantised. The layer owns them.
   *
   * @throws {CheckpointError} when a tensor is missing or is not what its place needs
   * @throws {OptionError | NativeError}
   */
  static async load(
    device: Device,
    checkpoint: WeightSource,
    prefix: string,
    options: MoeLoadOptions,
  ): Promise<MoeLayer> {
    requireKnownOptions('MoeLayer.load', options, [...GATING_OPTIONS, ...CAPACITY_OPTIONS])
    const capacity = resolveCapacity(options)
    const source = sourceOf(checkpoint)
    const { weights, bias } = await readWeights(device, source, prefix)
    const loaded = tensorsOf(weights)
    try {
      const gating = gatingFromConfig(source.config, { ...(bias && { bias }), ...options })
      const { model, owned } = await prepareModel(device, weights, gating)
      if (weights.router instanceof Tensor) weights.router.dispose() // its quantised form stays
      return await MoeLayer.#make(device, { model, owned: [...owned, ...loaded] }, capacity)
    } catch (error) {
      for (const weight of loaded) weight.dispose()
      throw error
    }
  }

  /** Bytes of the memory that runs work in. */
  get workspaceBytes(): number {
    return this.#workspace.byteLength
  }

  get topK(): number {
    return this.#model.gating.topK
  }

  /**
   * Enqueues the layer on tokens [T, H] in bf16, f16 or f32, T from 0 to `maxTokens`, and returns
   * the result at once: [T, H], ready when the stream gets there. Runs on different streams wait
   * for one another, since they share the workspace; a run that is captured into a graph waits for
   * none, and launches of that graph must not overlap with other runs.
   *
   * @throws {ShapeError | DTypeError | LayoutError | OptionError | DeviceError | DisposedError}
   */
  run(x: Tensor, options: MoeRunOptions = {}): Tensor<FloatDType> {
    requireKnownOptions('MoeLayer.run', options, ['logits', 'out', 'stream'])
    this.#requireLive()
    const stream = resolveStream(this.device, options.stream)
    const tokens = this.#requireTokens(x)
    const logits = this.#requireLogits(options.logits, tokens)
    if (options.out !== undefined) requireOutput(options.out, x.shape, this.device)
    const out = (options.out ??
      this.device.zeros({ dtype: 'bf16', shape: x.shape, label: 'MoE output' })) as Tensor<'bf16'>
    if (tokens === 0) return out
    const [model, products, repeated] = [this.#model, this.#products, this.#repeated]
    const batch = this.#batchOf(tokens)
    this.#waitForLast(stream)
    const source = x as Tensor<FloatDType>
    try {
      enqueueLayer({ stream, model, products, batch, repeated, x: source, logits, out })
      return out
    } catch (error) {
      if (options.out === undefined) out.dispose()
      throw error
    } finally {
      // Also after a failure: what was enqueued before it uses the workspace.
      this.#mark(stream)
    }
  }

  /** Frees the workspace, and the weights if the layer loaded them, once enqueued runs are done. */
  dispose(): void {
    if (this.#disposed) return
    this.#disposed = true
    this.#repeated.runs.dispose()
    this.#repeated.sizes.dispose()
    this.#forgetMark()
    this.#workspace.dispose()
    for (const tensor of this.#owned) tensor.dispose()
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  #waitForLast(stream: Stream): void {
    if (isCapturing(stream)) return
    if (this.#last !== undefined && this.#last.stream !== stream) stream.wait(this.#last.done)
  }

  #mark(stream: Stream): void {
    if (isCapturing(stream)) return
    this.#forgetMark()
    this.#last = { stream, done: stream.record() }
  }

  /** Events of a GPU hold resources of the driver until they are disposed. */
  #forgetMark(): void {
    const done: (DeviceEvent & Partial<Disposable>) | undefined = this.#last?.done
    done?.[Symbol.dispose]?.()
    this.#last = undefined
  }

  #batchOf(tokens: number): Batch {
    const known = this.#batches.get(tokens)
    if (known !== undefined) return known
    const maxRows = tokens <= this.maxDecodeTokens ? this.maxDecodeTokens : undefined
    const batch = batchOf(this.#workspace, this.#model, tokens, maxRows)
    if (this.#batches.size >= MOST_SIZES) this.#batches.clear()
    this.#batches.set(tokens, batch)
    return batch
  }

  #requireTokens(x: Tensor): number {
    const { hidden } = this.extents
    const dimensions = `[tokens, ${hidden}]`
    requireTensor('The input', x, this.device, { dtypes: FLOAT_DTYPES, ranks: [2], dimensions })
    const [tokens, width] = x.shape as readonly [number, number]
    if (width === hidden && tokens <= this.maxTokens) return tokens
    throw new ShapeError('The layer does not take this input', {
      given: `[${tokens}, ${width}]`,
      allowed: `at most ${this.maxTokens} tokens of ${hidden}`,
      remedy: 'Split the batch, or create the layer with a larger maxTokens.',
    })
  }

  #requireLogits(logits: Tensor | undefined, tokens: number): Tensor<FloatDType> | undefined {
    if (logits !== undefined) {
      const rule = { dtypes: FLOAT_DTYPES, shape: [tokens, this.extents.experts] }
      return requireTensor('The option logits', logits, this.device, rule)
    }
    if (this.#model.router !== undefined) return undefined
    throw new OptionError('The option logits is missing', {
      given: 'a layer without a router',
      remedy: 'Pass the logits, or create the layer with a router.',
    })
  }

  #requireLive(): void {
    if (!this.#disposed) return
    throw new DisposedError('The MoE layer was disposed', {
      remedy: 'Dispose a layer only after its last run.',
    })
  }
}

function roomOf({ gating }: MoeModel, { maxTokens, maxDecodeTokens }: Capacities): Capacity {
  return { tokens: maxTokens, topK: gating.topK, decodeTokens: maxDecodeTokens }
}

function tensorsOf({ experts, shared, router }: MoeWeights): { dispose(): void }[] {
  const all = [experts.gateUp, experts.down, shared?.gateUp, shared?.down, router]
  return all.filter((tensor) => tensor !== undefined)
}
