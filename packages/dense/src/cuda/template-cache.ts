import type { CudaStream, PreparedLaunch } from '@deepgemm/runtime/cuda'
import type { GemmPlacement } from '../backend.js'
import { Memo } from './memo.js'
import {
  IDENTITY_LENGTH,
  SHAPE_LENGTH,
  sameNumbers,
  writeIdentity,
  writeShape,
} from './signature.js'

type Template = {
  /** The shape. */
  readonly key: Float64Array
  readonly launch: PreparedLaunch
  /** The tensors and the stream that the launch is bound to. */
  readonly identity: Float64Array
  /** Points the launch at the tensors of a placement; false when one of them cannot be used. */
  readonly rebind: (placement: GemmPlacement) => boolean
}

/**
 * Launches of earlier products of two matrices that the kernels read as they are. A product of the
 * same shape, strides and alignment is the same launch at other addresses: it needs no validation.
 */
export class TemplateCache {
  readonly #memo = new Memo<Template>()
  readonly #shape = new Float64Array(SHAPE_LENGTH)
  readonly #identity = new Float64Array(IDENTITY_LENGTH)

  /** Enqueues the product if one of its shape is known; false otherwise. */
  replay(placement: GemmPlacement): boolean {
    writeShape(this.#shape, placement)
    const template = this.#memo.find(this.#shape)
    if (template === undefined) return false
    writeIdentity(this.#identity, placement)
    const stream = placement.stream as CudaStream
    const { launch, identity } = template
    if (sameNumbers(identity, this.#identity) && launch.run(stream)) return true
    if (!template.rebind(placement)) return false
    identity.set(this.#identity)
    return launch.run(stream)
  }

  store(placement: GemmPlacement, launch: PreparedLaunch, rebind: Template['rebind']): void {
    const key = new Float64Array(SHAPE_LENGTH)
    const identity = new Float64Array(IDENTITY_LENGTH)
    writeShape(key, placement)
    writeIdentity(identity, placement)
    this.#memo.store({ key, launch, identity, rebind })
  }
}
