import type { FloatDType, QuantizedTensor, Tensor } from '@deepgemm/core'
import type { CudaDevice, PreparedLaunch } from '@deepgemm/runtime/cuda'

/** Forms that are remembered for a device, at a few hundred bytes each; then the oldest go. */
const MOST_FORMS = 256

/** Bytes that offsets may differ by without a difference to kernels. */
const ALIGNMENT = 16

const known = new WeakMap<CudaDevice, Map<string, PreparedLaunch>>()

/** Launches of earlier casts by their form: an equal cast is the same launch at other addresses. */
export function rememberedLaunch(device: CudaDevice, form: string): PreparedLaunch | undefined {
  return known.get(device)?.get(form)
}

export function rememberLaunch(device: CudaDevice, form: string, launch: PreparedLaunch): void {
  const launches = known.get(device) ?? new Map<string, PreparedLaunch>()
  known.set(device, launches)
  if (launches.size >= MOST_FORMS) launches.delete(launches.keys().next().value as string)
  launches.set(form, launch)
}

/** All that the launch of a cast depends on, except where tensors lie. */
export function castForm(
  source: Tensor<FloatDType>,
  { values, scales }: QuantizedTensor,
  transpose: boolean,
): string {
  const { tensor, recipe, orientation } = scales
  const kind = `${transpose ? 'T' : 'N'} ${recipe} ${orientation} ${source.dtype} ${tensor.dtype}`
  return `${kind} ${placeOf(source)} ${placeOf(values)} ${placeOf(tensor)}`
}

function placeOf({ shape, strides, byteOffset }: Tensor): string {
  const [a, b] = shape
  const [s, t] = strides
  const two = `${a} ${b} ${s} ${t} ${byteOffset % ALIGNMENT}`
  return shape.length === 2 ? two : `${two} ${shape[2]} ${strides[2]}`
}
