import type { Gating } from '@deepgemm/moe'
import {
  type HostQuantized,
  type Operand,
  operandOf,
  outputNumbers,
  referenceCombine,
  referenceGemm,
  referenceQuantize,
  referenceRoute,
  referenceSwiglu,
} from '@deepgemm/testing'
import type { HostWeights, LayerSpec } from './layer-weights.js'

/** Rounds to bf16 through the stored form: nearest, ties to even. */
function toBf16(values: ArrayLike<number>): Float32Array<ArrayBuffer> {
  const words = new Uint32Array(Float32Array.from(values).buffer)
  const codes = Uint16Array.from(words, (word) => (word + 0x7fff + ((word >>> 16) & 1)) >>> 16)
  return outputNumbers(new Uint8Array(codes.buffer), 'bf16')
}

type Block = { readonly gateUp: HostQuantized; readonly down: HostQuantized }

/** Some rows of an operand. */
function gather({ k, codes, scale }: Operand, rows: readonly number[]): Operand {
  const own = new Uint8Array(rows.length * k)
  for (const [i, row] of rows.entries()) own.set(codes.subarray(row * k, (row + 1) * k), i * k)
  return {
    rows: rows.length,
    k,
    codes: own,
    scale: (i, kBlock) => scale(rows[i] as number, kBlock),
  }
}

/** A SwiGLU block on some rows of x: float64 products, rounded where the layer rounds. */
function block(x: Operand, rows: readonly number[], weights: Block): Float32Array {
  const width = weights.gateUp.rows / 2
  const a = gather(x, rows)
  const product = toBf16(referenceGemm({ a, b: operandOf(weights.gateUp) }).values)
  const { values } = referenceSwiglu(product, [rows.length, width])
  const activation = referenceQuantize(Float32Array.from(values), [rows.length, width], '1x128')
  return toBf16(referenceGemm({ a: operandOf(activation), b: operandOf(weights.down) }).values)
}

export type LayerReference = {
  /** [tokens, hidden] */
  readonly values: Float64Array
  /** Smallest gap between selection scores of each token, see `referenceRoute`. */
  readonly margins: Float64Array
}

/** The whole layer in float64, with the roundings that the layer documents and no others. */
export function referenceLayer(
  x: Float32Array,
  host: HostWeights,
  spec: LayerSpec,
  gating: Gating & { readonly bias?: Float32Array },
): LayerReference {
  const { hidden, experts, topK, shared } = spec
  const tokens = x.length / hidden
  const quantized = operandOf(referenceQuantize(x, [tokens, hidden], '1x128'))
  const logits = referenceGemm({ a: quantized, b: operandOf(host.router) }).values
  const kind = gating.gating ?? 'softmax'
  const routing = referenceRoute({
    normalize: true,
    ...gating,
    gating: kind,
    logits: Float32Array.from(logits),
    tokens,
    experts,
  })
  const rows = new Float32Array(tokens * topK * hidden)
  for (let expert = 0; expert < experts; expert++) {
    const slots = [...routing.indices.keys()].filter((slot) => routing.indices[slot] === expert)
    const weights = { gateUp: host.gateUp[expert], down: host.down[expert] } as Block
    const sources = slots.map((slot) => Math.floor(slot / topK))
    const results = block(quantized, sources, weights)
    for (const [i, slot] of slots.entries()) {
      rows.set(results.subarray(i * hidden, (i + 1) * hidden), slot * hidden)
    }
  }
  const all = Array.from({ length: tokens }, (_, token) => token)
  const both = { gateUp: host.sharedGateUp, down: host.sharedDown }
  const { values } = referenceCombine({
    tokens,
    topK,
    columns: hidden,
    destination: Int32Array.from(routing.indices.keys()),
    weights: routing.weights,
    rows,
    ...(shared > 0 && { addend: block(quantized, all, both) }),
  })
  return { values, margins: routing.margins }
}
