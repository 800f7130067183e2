import { DisposedError, type Tensor } from '@deepgemm/core'
import type { Sm90Choice, Sm90Config } from '@deepgemm/core/sm90'
import type { CudaKernel, CudaStream, PreparedLaunch } from '@deepgemm/runtime/cuda'
import type { GemmCall, GemmPlacement, GemmRange, PreparedGemm } from '../backend.js'
import { gemmAddresses, gemmArguments, gemmGeometry } from './arguments.js'
import type { Chooser } from './chooser.js'
import { LaunchCache, runAll } from './launch-cache.js'
import { groupOf, kernelOperand, matrixOf } from './operands.js'
import { requireCudaCall } from './requirements.js'
import { TemplateCache } from './template-cache.js'
import { GemmWorkspace } from './workspace.js'

/** The kernels for a range of products, loaded, with the launches of earlier runs. */
export class CudaGemm implements PreparedGemm {
  readonly configs: readonly Sm90Config[]
  readonly #kernels: ReadonlyMap<Sm90Config, CudaKernel>
  readonly #chooser: Chooser
  readonly #workspace: GemmWorkspace
  readonly #templates = new TemplateCache()
  readonly #cache = new LaunchCache()

  constructor(
    range: GemmRange,
    kernels: ReadonlyMap<Sm90Config, CudaKernel>,
    chooser: Chooser,
    multiprocessors: number,
  ) {
    this.configs = [...kernels.keys()]
    this.#kernels = kernels
    this.#chooser = chooser
    this.#workspace = new GemmWorkspace(range, this.configs, multiprocessors)
  }

  replay(placement: GemmPlacement): boolean {
    return this.#templates.replay(placement) || this.#cache.replay(placement)
  }

  reserve(stream: CudaStream): void {
    this.#workspace.reserve(stream)
  }

  enqueue(stream: CudaStream, call: GemmCall): void {
    if (isEmpty(call)) return
    requireCudaCall(call)
    const choice = this.#chooser.choose(call.problem.m)
    const launches = this.#prepare(stream, call, choice)
    if (!runAll(launches, stream)) {
      throw new DisposedError('The device of a plan was disposed', {
        remedy: 'Keep a device open while its plans run.',
      })
    }
    const placement = { ...call, stream }
    const [launch] = launches
    if (call.a.shape.length === 2 && launches.length === 1 && launch !== undefined) {
      this.#templates.store(placement, launch, (other) => this.#rebind(launch, choice, other))
    } else this.#cache.store(placement, launches)
  }

  /** For every product of a batch: what brings operands into the kernels' form, and the kernel. */
  #prepare(stream: CudaStream, call: GemmCall, choice: Sm90Choice): readonly PreparedLaunch[] {
    const { form, problem, weightsReady } = call
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

  /** Points a product's launch at other tensors of the same shapes; false when one is not usable. */
  #rebind(launch: PreparedLaunch, { config, schedule }: Sm90Choice, to: GemmPlacement): boolean {
    const stream = to.stream as CudaStream
    const { device } = stream
    const isUsable = ({ storage }: Tensor): boolean =>
      !storage.disposed && storage.device === device
    const { a, b, out } = to
    const tensors = [a.values, a.scales.tensor, b.values, b.scales.tensor, out]
    if (!tensors.every(isUsable)) return false
    launch.rebind(gemmAddresses(config, to, this.#workspace.partialSums(stream, schedule)))
    return true
  }
}

/** Sums over no K at all. */
export class EmptySums implements PreparedGemm {
  readonly configs: readonly Sm90Config[] = []

  enqueue(stream: CudaStream, call: GemmCall): void {
    if (isEmpty(call) || call.problem.accumulate) return
    for (let group = 0; group < call.problem.groups; group++) {
      stream.zero(matrixOf(call.out, group))
    }
  }
}

export function isEmpty({ problem }: Pick<GemmCall, 'problem'>): boolean {
  return problem.m === 0 || problem.n === 0 || problem.groups === 0
}
