import type { KernelNote } from './errors.js'

/** Most kernels that an error names. */
const MAX_NAMED = 8

/** One launch: its kernel, or the kernels of a graph. */
type Launch = { readonly number: number; readonly kernels: readonly KernelNote[] }

/** The latest launches of a stream that are not known to have finished. */
export class LaunchLog {
  #count = 0
  #launches: Launch[] = []

  /** Launches so far; what has finished up to here can be forgotten. */
  get position(): number {
    return this.#count
  }

  add(kernels: readonly KernelNote[]): void {
    this.#count += 1
    if (this.#launches.length === MAX_NAMED) this.#launches.shift()
    this.#launches.push({ number: this.#count, kernels })
  }

  finished(position: number): void {
    this.#launches = this.#launches.filter(({ number }) => number > position)
  }

  inFlight(): KernelNote[] {
    return this.#launches.flatMap(({ kernels }) => kernels).slice(-MAX_NAMED)
  }
}

/** A kernel as errors name it: `gemm {block_m: 128} on stream default`. */
export function describeKernel({ kernel, config, stream }: KernelNote): string {
  const members = Object.entries(config).map(([name, value]) => `${name}: ${value}`)
  const where = stream === undefined ? '' : ` on stream ${stream}`
  return `${kernel}${members.length === 0 ? '' : ` {${members.join(', ')}}`}${where}`
}
