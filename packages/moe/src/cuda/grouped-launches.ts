import { DisposedError, type Tensor } from '@deepgemm/core'
import { type GroupedExtents, isStaged, type Sm90Choice } from '@deepgemm/core/sm90'
import type { CudaKernel, CudaStream, PreparedLaunch } from '@deepgemm/runtime/cuda'
import type { GroupedCall } from '../grouped/call.js'
import { groupedArguments, groupedGeometry, type PartialSums } from './grouped-arguments.js'
import type { GroupedScales } from './grouped-scales.js'

/** Launches that are remembered; M of most callers comes from a small set. */
const MOST_LAUNCHES = 256

/** One product, down to the memory that it reads and writes. */
export type GroupedLaunch = {
  readonly call: GroupedCall
  readonly choice: Sm90Choice
  readonly scales: GroupedScales
  readonly extents: GroupedExtents
  readonly workspace: PartialSums
}

/** Launches of earlier runs: the next with the same shapes is the same bytes with other addresses. */
export class GroupedLaunches {
  readonly #launches = new Map<string, PreparedLaunch>()

  /** @throws {DeviceError | DisposedError | CudaError} */
  run(stream: CudaStream, kernel: CudaKernel, launch: GroupedLaunch): void {
    const key = keyOf(launch)
    const known = this.#launches.get(key)
    if (known !== undefined) {
      known.rebind(addressesOf(launch))
      if (known.run(stream)) return
    }
    const { call, choice, scales, extents, workspace } = launch
    const made = kernel.prepare(
      groupedArguments(choice, call, scales, extents, workspace),
      groupedGeometry(choice),
    )
    if (!made.run(stream)) {
      throw new DisposedError('The device of a plan was disposed', {
        remedy: 'Keep a device open while its plans run.',
      })
    }
    if (this.#launches.size >= MOST_LAUNCHES) this.#launches.clear()
    this.#launches.set(key, made)
  }
}

/** All that the bytes of a launch depend on within a plan, but for addresses. */
function keyOf({ call, scales, extents }: GroupedLaunch): string {
  const { a, b, out, groupsReady } = call
  const tensors = [a.values, b.values, out, scales.a, scales.b]
  const strides = tensors.map((tensor) => `${tensor.shape} ${tensor.strides.at(-2)}`)
  return `${extents.m} ${extents.k} ${extents.expected} ${groupsReady} ${strides.join(' ')}`
}

/** What `groupedArguments` points at, in its order. */
function addressesOf({ call, choice, scales, workspace }: GroupedLaunch): Tensor[] {
  const { config } = choice
  const [left, right] = config.swapped ? [call.b, call.a] : [call.a, call.b]
  const [leftScales, rightScales] = config.swapped ? [scales.b, scales.a] : [scales.a, scales.b]
  const tensors: Tensor[] = [left.values, right.values]
  if (config.leftScaling === 'vectors') tensors.push(leftScales)
  if (config.rightScaling === 'vectors') tensors.push(rightScales)
  if (isStaged(config)) tensors.push(call.out)
  if (call.layout !== 'k-grouped') tensors.push(scales.b)
  tensors.push(call.out)
  if (workspace !== undefined) tensors.push(workspace.partials, workspace.flags)
  return [...tensors, call.groups]
}
