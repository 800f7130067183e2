import { DisposedError } from '@deepgemm/core'
import type { Sm90Config } from '@deepgemm/core/sm90'
import type { CudaKernel, CudaStream, PreparedLaunch } from '@deepgemm/runtime/cuda'
import type { GemmCall, GemmPlacement, GemmRange, PreparedGemm } from '../backend.js'
import { gemmArguments, gemmGeometry } from './arguments.js'
import { Chooser } from './configs.js'
import { LaunchCache, runAll } from './launch-cache.js'
import { groupOf, kernelOperand, matrixOf } from './operands.js'
import { requireCudaCall } from './requirements.js'
import { GemmWorkspace } from './workspace.js'

/** The kernels for a range of products, loaded, with the launches of earlier runs. */
export class CudaGemm implements PreparedGemm {
  readonly configs: readonly Sm90Config[]
  readonly #kernels: ReadonlyMap<Sm90Config, CudaKernel>
  readonly #chooser: Chooser
  readonly #workspace: GemmWorkspace
  readonly #cache = new LaunchCache()

  constructor(
    range: GemmRange,
    kernels: ReadonlyMap<Sm90Config, CudaKernel>,
    multiprocessors: number,
  ) {
    this.configs = [...kernels.keys()]
    this.#kernels = kernels
    const { n, k } = range
    this.#chooser = new Chooser(this.configs, { n, k }, { multiprocessors })
    this.#workspace = new GemmWorkspace(range, this.configs, multiprocessors)
  }

  replay(placement: GemmPlacement): boolean {
    return this.#cache.replay(placement)
  }

  reserve(stream: CudaStream): void {
    this.#workspace.reserve(stream)
  }

  enqueue(stream: CudaStream, call: GemmCall): void {
    if (isEmpty(call)) return
    requireCudaCall(call)
    const launches = this.#prepare(stream, call)
    if (!runAll(launches, stream)) {
      throw new DisposedError('The device of a plan was disposed', {
        remedy: 'Keep a device open while its plans run.',
      })
    }
    this.#cache.store({ ...call, stream }, launches)
  }

  /** For every product of a batch: what brings operands into the kernels' form, and the kernel. */
  #prepare(stream: CudaStream, call: GemmCall): readonly PreparedLaunch[] {
    const { form, problem, weightsReady } = call
    const choice = this.#chooser.choose(problem.m)
    const kernel = this.#kernels.get(choice.config) as CudaKernel
    const partials = this.#workspace.partialSums(stream, choice.schedule)
    const roles = {
      a: { name: 'A', transposed: form[0] === 'T' },
      b: { name: 'B', transposed: form[1] === 'N' },
    } as const
    return Array.from({ length: problem.groups }, (_, group) => {
      const a = kernelOperand(stream, groupOf(call.a, group), roles.a, this.#workspace)
      const b = kernelOperand(stream, groupOf(call.b, group), roles.b, this.#workspace)
      const product = {
        problem,
        a: a.operand,
        b: b.operand,
        out: matrixOf(call.out, group),
        // What a launch just before writes is not ready, whatever the caller knows.
        weightsReady: weightsReady && b.launch === undefined,
      }
      const args = gemmArguments(choice, product, partials)
      const gemm = kernel.prepare(args, gemmGeometry(choice))
      return [a.launch, b.launch, gemm].filter((launch) => launch !== undefined)
    }).flat()
  }
}

export function isEmpty({ problem }: Pick<GemmCall, 'problem'>): boolean {
  return problem.m === 0 || problem.n === 0 || problem.groups === 0
}
