import type { Checkpoint } from 'deepgemm'
import type { Engine, FeedForward, Linear } from './engine.js'
import { addInPlace, swiglu } from './norm.js'
import { chooseExperts, type RouterConfig } from './router.js'
import { type Matrix, readFloats, readMatrix, readStacked } from './weights.js'

/**
 * Every product in f32, in plain TypeScript: what the FP8 engine is measured against. FP8 weights
 * of a checkpoint are dequantised first.
 */
export class ReferenceEngine implements Engine {
  readonly name = 'f32 reference'
  readonly #checkpoint: Checkpoint

  constructor(checkpoint: Checkpoint) {
    this.#checkpoint = checkpoint
  }

  async linear(names: readonly string[]): Promise<Linear> {
    const matrix = await readStacked(this.#checkpoint, names)
    return block(async (x) => multiply(x, matrix))
  }

  async dense(prefix: string): Promise<FeedForward> {
    const expert = await this.#expert(prefix)
    return block(async (x) => runExpert(x, expert))
  }

  async mixture(prefix: string, router: RouterConfig): Promise<FeedForward> {
    const gate = await readMatrix(this.#checkpoint, `${prefix}.gate.weight`)
    const bias = await readFloats(this.#checkpoint, `${prefix}.gate.e_score_correction_bias`)
    const shared = await this.#expert(`${prefix}.shared_experts`)
    const experts: Expert[] = []
    for (let i = 0; i < router.experts; i++) {
      experts.push(await this.#expert(`${prefix}.experts.${i}`))
    }
    return block(async (x) => {
      const out = runExpert(x, shared)
      const logits = multiply(x, gate)
      const width = gate.columns
      for (let t = 0; t < x.length / width; t++) {
        const row = x.subarray(t * width, (t + 1) * width)
        const tokenLogits = logits.subarray(t * router.experts, (t + 1) * router.experts)
        for (const { expert, weight } of chooseExperts(tokenLogits, bias, router)) {
          const y = runExpert(row, experts[expert] as Expert).map((value) => value * weight)
          addInPlace(out.subarray(t * width, (t + 1) * width), y)
        }
      }
      return out
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async #expert(prefix: string): Promise<Expert> {
    const names = [`${prefix}.gate_proj.weight`, `${prefix}.up_proj.weight`]
    return {
      gateUp: await readStacked(this.#checkpoint, names),
      down: await readMatrix(this.#checkpoint, `${prefix}.down_proj.weight`),
    }
  }
}

/** A SwiGLU block: gate and up projections below one another, and the way back. */
type Expert = { readonly gateUp: Matrix; readonly down: Matrix }

function runExpert(x: Float32Array, { gateUp, down }: Expert): Float32Array {
  return multiply(swiglu(multiply(x, gateUp), down.columns), down)
}

function block(apply: Linear['apply']): Linear {
  return { apply, dispose: () => {} }
}

/** X · Wᵀ in f64, rounded once to f32. Four rows of W at a time, to read X less often. */
function multiply(x: Float32Array, { data, rows, columns }: Matrix): Float32Array {
  const tokens = x.length / columns
  const out = new Float32Array(tokens * rows)
  for (let r = 0; r < rows; r += 4) {
    const last = Math.min(r + 4, rows)
    for (let t = 0; t < tokens; t++) {
      if (last - r === 4)
        multiplyFour(x, t * columns, data, r * columns, columns, out, t * rows + r)
      else {
        for (let i = r; i < last; i++) {
          let sum = 0
          for (let c = 0; c < columns; c++) {
            sum += (x[t * columns + c] as number) * (data[i * columns + c] as number)
          }
          out[t * rows + i] = sum
        }
      }
    }
  }
  return out
}

function multiplyFour(
  x: Float32Array,
  xAt: number,
  w: Float32Array,
  wAt: number,
  columns: number,
  out: Float32Array,
  outAt: number,
): void {
  let [s0, s1, s2, s3] = [0, 0, 0, 0]
  for (let c = 0; c < columns; c++) {
    const value = x[xAt + c] as number
    s0 += value * (w[wAt + c] as number)
    s1 += value * (w[wAt + columns + c] as number)
    s2 += value * (w[wAt + 2 * columns + c] as number)
    s3 += value * (w[wAt + 3 * columns + c] as number)
  }
  out[outAt] = s0
  out[outAt + 1] = s1
  out[outAt + 2] = s2
  out[outAt + 3] = s3
}
