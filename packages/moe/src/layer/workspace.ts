import {
  BLOCK,
  ceilDiv,
  type DType,
  QuantizedTensor,
  roundUp,
  type ScaleOrientation,
  Scales,
  type Shape,
  scaleGrid,
  scaleShape,
  Tensor,
} from '@deepgemm/core'
import type { Device } from '@deepgemm/runtime'
import { ROUTER_ROWS, rowScaleOrientation } from '../backend.js'
import type { MoeExtents } from './model.js'

/** Buffers start at multiples of this: a cache line, and what a GPU's bulk copies need. */
const ALIGNMENT = 256

/** What a layer must have room for. */
export type Capacity = {
  readonly tokens: number
  readonly topK: number
  /** Tokens of a run in the masked layout, which are also the rows that an expert has room for. */
  readonly decodeTokens: number
}

type Int32Name = 'indices' | 'destination' | 'counts' | 'offsets'
type F32Name = 'logits' | 'weights'
type Bf16Name = 'gateUp' | 'expertOut' | 'sharedGateUp' | 'sharedOut'
type QuantizedName = 'tokens' | 'permuted' | 'activation' | 'sharedActivation'
type ScalesName = `${QuantizedName}Scales`

/** Names of the buffers. */
export type BufferName = Int32Name | F32Name | Bf16Name | QuantizedName | ScalesName

/** Bytes of every buffer. Pure. */
export function bufferBytes(
  { experts, hidden, intermediate, shared }: MoeExtents,
  { tokens, topK, decodeTokens }: Capacity,
): Record<BufferName, number> {
  // Scales of either orientation: rows of every matrix rounded up to 4.
  const scales = (count: number, columns: number): number => {
    return 4 * roundUp(count, 4) * ceilDiv(columns, BLOCK)
  }
  const rows = Math.max(tokens * topK, experts * roundUp(decodeTokens, 4))
  return {
    tokens: tokens * hidden,
    tokensScales: scales(tokens, hidden),
    logits: 4 * tokens * roundUp(experts, ROUTER_ROWS),
    indices: 4 * tokens * topK,
    weights: 4 * tokens * topK,
    destination: 4 * tokens * topK,
    counts: 4 * experts,
    offsets: 4 * (experts + 1),
    permuted: rows * hidden,
    permutedScales: scales(rows, hidden),
    gateUp: 2 * rows * 2 * intermediate,
    activation: rows * intermediate,
    activationScales: scales(rows, intermediate),
    expertOut: 2 * rows * hidden,
    sharedGateUp: 2 * tokens * 2 * shared,
    sharedActivation: tokens * shared,
    sharedActivationScales: scales(tokens, shared),
    sharedOut: shared === 0 ? 0 : 2 * tokens * hidden,
  }
}

/** One block of memory that every run of a layer works in. */
export class Workspace {
  readonly #memory: Tensor<'u8'>
  readonly #offsets: Readonly<Record<BufferName, number>>
  readonly #orientation: ScaleOrientation

  constructor(device: Device, bytes: Readonly<Record<BufferName, number>>) {
    const offsets = { ...bytes }
    let end = 0
    for (const name of Object.keys(bytes) as BufferName[]) {
      offsets[name] = end
      end = roundUp(end + bytes[name], ALIGNMENT)
    }
    this.#offsets = offsets
    this.#orientation = rowScaleOrientation(device)
    this.#memory = device.zeros({ dtype: 'u8', shape: [end], label: 'MoE workspace' })
  }

  get byteLength(): number {
    return this.#memory.byteLength
  }

  /** The start of a buffer as a tensor. */
  int32(name: Int32Name, shape: Shape): Tensor<'i32'> {
    return this.#view(name, 'i32', shape)
  }

  f32(name: F32Name, shape: Shape): Tensor<'f32'> {
    return this.#view(name, 'f32', shape)
  }

  bf16(name: Bf16Name, shape: Shape): Tensor<'bf16'> {
    return this.#view(name, 'bf16', shape)
  }

  /** The start of a buffer and of its scales, 1x128. */
  quantized(name: QuantizedName, shape: Shape): QuantizedTensor {
    const format = { recipe: '1x128', orientation: this.#orientation } as const
    const [rows, columns] = [shape.at(-2) as number, shape.at(-1) as number]
    const grid = scaleShape(scaleGrid(format.recipe, rows, columns), format.orientation)
    const scales = this.#view(`${name}Scales`, 'f32', [...shape.slice(0, -2), ...grid])
    return new QuantizedTensor(this.#view(name, 'e4m3', shape), new Scales(scales, format))
  }

  dispose(): void {
    this.#memory.dispose()
  }

  #view<D extends DType>(name: BufferName, dtype: D, shape: Shape): Tensor<D> {
    return new Tensor(this.#memory.storage, { dtype, shape, byteOffset: this.#offsets[name] })
  }
}
