import {
  CheckpointError,
  encodeArray,
  OptionError,
  type QuantizedTensor,
  type Tensor,
} from '@deepgemm/core'
import { type CheckpointLike, MoeLayer, type NamedTensors } from '@deepgemm/moe'
import { Device } from '@deepgemm/runtime'
import {
  availableDevices,
  createRandom,
  type HostQuantized,
  normalArray,
  referenceDequantize,
  referenceQuantize,
  scaleBytes,
  upload,
} from '@deepgemm/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectError } from './support/errors.js'

const [EXPERTS, HIDDEN, INTERMEDIATE, SHARED] = [4, 256, 128, 256]
const PREFIX = 'model.layers.3.mlp'
const CONFIG = {
  num_experts_per_tok: 2,
  scoring_func: 'sigmoid',
  topk_method: 'noaux_tc',
  n_group: 2,
  topk_group: 1,
  norm_topk_prob: true,
  routed_scaling_factor: 2.5,
}

type Stored = { dtype: string; shape: readonly number[]; bytes: Uint8Array }

/** A checkpoint in memory. */
class MemoryCheckpoint implements CheckpointLike {
  readonly tensors = new Map<string, Stored>()
  readonly config: Record<string, unknown>

  constructor(config: Record<string, unknown> = CONFIG) {
    this.config = { ...config }
  }

  async read(name: string): Promise<Uint8Array> {
    return (this.tensors.get(name) as Stored).bytes
  }

  set(name: string, dtype: string, shape: readonly number[], bytes: Uint8Array): void {
    this.tensors.set(`${PREFIX}.${name}`, { dtype, shape, bytes })
  }
}

const f32Bytes = (values: Float32Array): Uint8Array => encodeArray('f32', values)

const made = new Map<number, ReadonlyMap<string, HostQuantized>>()

/** Every weight of the layer by its name under the prefix, quantised. */
function allWeights(intermediate: number = INTERMEDIATE): ReadonlyMap<string, HostQuantized> {
  const known = made.get(intermediate) ?? makeWeights(intermediate)
  made.set(intermediate, known)
  return known
}

function makeWeights(intermediate: number): ReadonlyMap<string, HostQuantized> {
  const random = createRandom(11)
  const weights = new Map<string, HostQuantized>()
  const add = (name: string, rows: number, cols: number): void => {
    const numbers = normalArray(random, rows * cols, 1 / Math.sqrt(cols))
    weights.set(`${name}.weight`, referenceQuantize(numbers, [rows, cols], '128x128'))
  }
  const block = (name: string, width: number): void => {
    add(`${name}.gate_proj`, width, HIDDEN)
    add(`${name}.up_proj`, width, HIDDEN)
    add(`${name}.down_proj`, HIDDEN, width)
  }
  for (let e = 0; e < EXPERTS; e++) block(`experts.${e}`, intermediate)
  block('shared_experts', SHARED)
  return weights
}

const router = normalArray(createRandom(12), EXPERTS * HIDDEN)
const bias = normalArray(createRandom(13), EXPERTS, 0.01)

function addRouter(checkpoint: MemoryCheckpoint): void {
  checkpoint.set('gate.weight', 'BF16', [EXPERTS, HIDDEN], encodeArray('bf16', router))
  checkpoint.set('gate.e_score_correction_bias', 'F32', [EXPERTS], f32Bytes(bias))
}

function fp8Checkpoint(scales: 'F32' | 'BF16' = 'F32'): MemoryCheckpoint {
  const checkpoint = new MemoryCheckpoint()
  for (const [name, matrix] of allWeights()) {
    const { rows, cols, codes } = matrix
    checkpoint.set(name, 'F8_E4M3', [rows, cols], codes)
    const shape = [Math.ceil(rows / 128), Math.ceil(cols / 128)]
    const bytes = scaleBytes(matrix, 'k-major')
    const stored = scales === 'F32' ? bytes : encodeArray('bf16', new Float32Array(bytes.buffer))
    checkpoint.set(`${name}_scale_inv`, scales, shape, stored)
  }
  addRouter(checkpoint)
  return checkpoint
}

function floatCheckpoint(
  dtype: 'F32' | 'BF16',
  intermediate: number = INTERMEDIATE,
): MemoryCheckpoint {
  const checkpoint = new MemoryCheckpoint()
  for (const [name, matrix] of allWeights(intermediate)) {
    const numbers = referenceDequantize(matrix)
    const bytes = dtype === 'F32' ? f32Bytes(numbers) : encodeArray('bf16', numbers)
    checkpoint.set(name, dtype, [matrix.rows, matrix.cols], bytes)
  }
  addRouter(checkpoint)
  return checkpoint
}

describe.each(await availableDevices(Device))('MoeLayer.load on $kind', (kind) => {
  let device: Device
  let x: Tensor

  beforeAll(async () => {
    device = await kind.open()
    const numbers = normalArray(createRandom(14), 9 * HIDDEN)
    x = device.tensor(numbers, { dtype: 'f32', shape: [9, HIDDEN] })
  })
  afterAll(() => device.dispose())

  /** The layer that the caller would put together by hand. */
  async function byHand(): Promise<Uint8Array> {
    const weights = allWeights()
    const get = (name: string): HostQuantized => weights.get(`${name}.weight`) as HostQuantized
    const below = (...parts: HostQuantized[]): HostQuantized => ({
      ...(parts[0] as HostQuantized),
      rows: parts.reduce((rows, part) => rows + part.rows, 0),
      codes: Uint8Array.from(parts.flatMap((part) => [...part.codes])),
      grid: Float32Array.from(parts.flatMap((part) => [...part.grid])),
    })
    const gateUp = (name: string) => below(get(`${name}.gate_proj`), get(`${name}.up_proj`))
    const names = Array.from({ length: EXPERTS }, (_, e) => `experts.${e}`)
    const layer = await MoeLayer.create(device, {
      experts: {
        gateUp: upload(device, names.map(gateUp)),
        down: upload(
          device,
          names.map((name) => get(`${name}.down_proj`)),
        ),
      },
      shared: {
        gateUp: upload(device, gateUp('shared_experts')),
        down: upload(device, get('shared_experts.down_proj')),
      },
      router: device.tensor(router, { dtype: 'bf16', shape: [EXPERTS, HIDDEN] }),
      bias,
      topK: 2,
      gating: 'group-limited-sigmoid',
      groups: 2,
      topGroups: 1,
      scalingFactor: 2.5,
      maxTokens: 9,
    })
    return layer.run(x).toBytes()
  }

  const load = (source: CheckpointLike | NamedTensors, options: object = {}) =>
    MoeLayer.load(device, source, PREFIX, { maxTokens: 9, ...options })

  it('takes FP8 weights as they are, and the gating from the config', async () => {
    const layer = await load(fp8Checkpoint())
    expect(layer.extents).toEqual({
      experts: EXPERTS,
      hidden: HIDDEN,
      intermediate: INTERMEDIATE,
      shared: SHARED,
    })
    expect(await layer.run(x).toBytes()).toEqual(await byHand())
    layer.dispose()
  })

  it('frees all it loaded when it is disposed', async () => {
    const own = await kind.open()
    const layer = await MoeLayer.load(own, fp8Checkpoint(), PREFIX, { maxTokens: 9 })
    layer.dispose()
    expect(own.memory()).toEqual({ liveBytes: 0, buffers: [] })
    await own.dispose()
  })

  it('quantises float weights', async () => {
    const layer = await load(floatCheckpoint('F32'))
    // Dequantised weights have their block's amax at 448 steps, so quantising finds them again.
    expect(await layer.run(x).toBytes()).toEqual(await byHand())
    const rounded = await load(floatCheckpoint('BF16'))
    expect(rounded.run(x).shape).toEqual([9, HIDDEN])
  })

  it('stacks float weights of any width, FP8 ones only of whole blocks', async () => {
    const layer = await load(floatCheckpoint('F32', 80))
    expect(layer.extents.intermediate).toBe(80)
    const source = new MemoryCheckpoint()
    for (const [name, matrix] of allWeights(80)) {
      source.set(name, 'F8_E4M3', [matrix.rows, matrix.cols], matrix.codes)
    }
    addRouter(source)
    const words = ['experts.0.gate_proj', '80 rows', 'multiple of 128']
    await expectError(() => load(source), CheckpointError, ...words)
  })

  it('reads bf16 scales', async () => {
    const layer = await load(fp8Checkpoint('BF16'))
    expect(layer.run(x).shape).toEqual([9, HIDDEN])
  })

  it('takes tensors that are on the device by name', async () => {
    const named = new Map<string, QuantizedTensor | Tensor>()
    for (const [name, matrix] of allWeights()) {
      named.set(`${PREFIX}.${name}`, upload(device, matrix, 'mn-major'))
    }
    const f32 = (data: Float32Array<ArrayBuffer>, ...shape: number[]): Tensor =>
      device.tensor(data, { dtype: 'f32', shape })
    const gate = device.tensor(router, { dtype: 'bf16', shape: [EXPERTS, HIDDEN] })
    named.set(`${PREFIX}.gate.weight`, gate)
    named.set(`${PREFIX}.gate.e_score_correction_bias`, f32(bias, EXPERTS))
    const layer = await load(named, {
      topK: 2,
      gating: 'group-limited-sigmoid',
      groups: 2,
      topGroups: 1,
      scalingFactor: 2.5,
    })
    expect(await layer.run(x).toBytes()).toEqual(await byHand())
    layer.dispose()
    expect(gate.storage.disposed).toBe(false)
  })

  it('takes an FP8 router', async () => {
    const source = fp8Checkpoint()
    const matrix = referenceQuantize(router, [EXPERTS, HIDDEN], '128x128')
    source.set('gate.weight', 'F8_E4M3', [EXPERTS, HIDDEN], matrix.codes)
    source.set('gate.weight_scale_inv', 'F32', [1, 2], scaleBytes(matrix, 'k-major'))
    const layer = await load(source)
    expect(layer.run(x).shape).toEqual([9, HIDDEN])
    layer.dispose()
  })

  it('lets options override the config', async () => {
    expect((await load(fp8Checkpoint(), { topK: 1 })).topK).toBe(1)
    const source = fp8Checkpoint()
    source.tensors.delete(`${PREFIX}.gate.e_score_correction_bias`)
    const softmax = await load(source, { gating: 'softmax' })
    expect(softmax.topK).toBe(2)
  })

  it('names the weight that is missing or wrong', async () => {
    const broken = (change: (source: MemoryCheckpoint) => void) => () => {
      const source = fp8Checkpoint()
      change(source)
      return load(source)
    }
    const drop = (name: string) => broken((s) => s.tensors.delete(`${PREFIX}.${name}`))
    const wrong = (name: string, dtype: string, shape: number[]) =>
      broken((s) => s.set(name, dtype, shape, new Uint8Array(0)))
    const up = 'experts.2.up_proj.weight'
    await expectError(drop(up), CheckpointError, up, 'missing')
    await expectError(drop('experts.0.gate_proj.weight'), CheckpointError, 'no experts', PREFIX)
    await expectError(drop('gate.weight'), CheckpointError, 'gate.weight')
    await expectError(drop(`${up}_scale_inv`), CheckpointError, `${up}_scale_inv`)
    await expectError(wrong(up, 'F8_E4M3', [128, 128]), CheckpointError, up, '[128, 256]')
    await expectError(wrong(up, 'BF16', [128, 256]), CheckpointError, 'e4m3 and bf16')
    await expectError(wrong(up, 'I64', [128, 256]), CheckpointError, up, 'I64')
    await expectError(wrong(`${up}_scale_inv`, 'F16', [1, 2]), CheckpointError, 'f16', 'bf16')
    const gate = 'experts.0.gate_proj.weight'
    await expectError(wrong(gate, 'F8_E4M3', [128]), CheckpointError, gate, 'rank')
    const correction = 'gate.e_score_correction_bias'
    await expectError(wrong(correction, 'F8_E4M3', [4]), CheckpointError, correction, 'e4m3')
  })

  it('leaves nothing behind when it fails', async () => {
    const own = await kind.open()
    const source = fp8Checkpoint()
    source.tensors.delete(`${PREFIX}.gate.weight`)
    const run = () => MoeLayer.load(own, source, PREFIX, { maxTokens: 9 })
    await expectError(run, CheckpointError, 'gate.weight')
    expect(own.memory().liveBytes).toBe(0)
    const late = () => MoeLayer.load(own, fp8Checkpoint(), PREFIX, { maxTokens: 9, topK: 99 })
    await expectError(late, OptionError, '99')
    expect(own.memory().liveBytes).toBe(0)
    await own.dispose()
  })

  it('refuses a gating it does not know', async () => {
    const source = fp8Checkpoint()
    source.config['topk_method'] = 'group_limited_greedy'
    source.config['scoring_func'] = 'softmax'
    await expectError(() => load(source), CheckpointError, 'group_limited_greedy')
    const bare = new MemoryCheckpoint({})
    for (const [name, tensor] of fp8Checkpoint().tensors) bare.tensors.set(name, tensor)
    await expectError(() => load(bare), CheckpointError, 'num_experts_per_tok', 'topK')
    await expectError(() => load(source, { maxTokens: 9, prefix: 1 }), OptionError, 'prefix')
  })
})
