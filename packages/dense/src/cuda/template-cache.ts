import type { CudaStream, PreparedLaunch } from '@deepgemm/runtime/cuda'
import type { GemmPlacement } from '../backend.js'
import {
  IDENTITY_LENGTH,
  SHAPE_LENGTH,
  sameNumbers,
  slotOf,
  writeIdentity,
  writeShape,
} from './signature.js'

/** Shapes that a plan remembers: the Ms of a server's batches, at a few KB each. */
const SLOTS = 64

type Template = {
  readonly shape: Float64Array
  readonly launch: PreparedLaunch
  /** The tensors and the stream that the launch is bound to. */
  readonly identity: Float64Array
  /** Points the launch at the tensors of a placement; false when one of them cannot be used. */
  readonly rebind: (placement: GemmPlacement) => boolean
}

/**
 * Launches of earlier products of two matrices that the kernels read as they are. A product of the
 * same shape, strides and alignment is the same launch at other addresses: it needs no validation.
 * A slot holds the shape that was stored in it last.
 */
export class TemplateCache {
  readonly #templates: (Template | undefined)[] = new Array(SLOTS).fill(undefined)
  readonly #shape = new Float64Array(SHAPE_LENGTH)
  readonly #identity = new Float64Array(IDENTITY_LENGTH)

  /** Enqueues the product if one of its shape is known; false otherwise. */
  replay(placement: GemmPlacement): boolean {
    writeShape(this.#shape, placement)
    const template = this.#templates[slotOf(this.#shape, SLOTS)]
    if (template === undefined || !sameNumbers(template.shape, this.#shape)) return false
    writeIdentity(this.#identity, placement)
    const stream = placement.stream as CudaStream
    const { launch, identity } = template
    if (sameNumbers(identity, this.#identity) && launch.run(stream)) return true
    if (!template.rebind(placement)) return false
    identity.set(this.#identity)
    return launch.run(stream)
  }

  store(placement: GemmPlacement, launch: PreparedLaunch, rebind: Template['rebind']): void {
    const shape = new Float64Array(SHAPE_LENGTH)
    const identity = new Float64Array(IDENTITY_LENGTH)
    writeShape(shape, placement)
    writeIdentity(identity, placement)
    this.#templates[slotOf(shape, SLOTS)] = { shape, launch, identity, rebind }
  }
}
