import type { RouterConfig } from './router.js'

/** A linear layer: [tokens, in] to [tokens, out]. */
export interface Linear {
  apply(x: Float32Array<ArrayBuffer>, tokens: number): Promise<Float32Array>
  dispose(): void
}

/** A block that keeps the width: [tokens, hidden] to [tokens, hidden]. */
export type FeedForward = Linear

/** Where the matrix products of a model are computed. */
export interface Engine extends AsyncDisposable {
  /** For people: "f32" or the device. */
  readonly name: string
  /** One layer whose outputs are those of the named weights [out, in] side by side. */
  linear(names: readonly string[]): Promise<Linear>
  /** The dense SwiGLU block under `prefix`. */
  dense(prefix: string): Promise<FeedForward>
  /** The mixture of experts under `prefix`: router, routed experts and a shared expert. */
  mixture(prefix: string, router: RouterConfig): Promise<FeedForward>
}
