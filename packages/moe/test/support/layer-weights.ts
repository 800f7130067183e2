import { type QuantizedTensor, scaleGrid } from '@deepgemm/core'
import type { MoeWeights } from '@deepgemm/moe'
import type { Device } from '@deepgemm/runtime'
import { createRandom, type HostQuantized, randomCodes, upload } from '@deepgemm/testing'

/** Extents of a test layer. */
export type LayerSpec = {
  readonly experts: number
  readonly hidden: number
  readonly intermediate: number
  readonly shared: number
  readonly topK: number
  readonly seed: number
}

/** Standard deviation of uniform e4m3 codes. */
const CODE_DEVIATION = 105

/** The weights of a layer on the host: uniform codes, scaled so that products stay near 1. */
export type HostWeights = {
  readonly gateUp: readonly HostQuantized[]
  readonly down: readonly HostQuantized[]
  readonly router: HostQuantized
  readonly sharedGateUp: HostQuantized
  readonly sharedDown: HostQuantized
}

export function hostWeights(spec: LayerSpec): HostWeights {
  const { experts, hidden, intermediate, shared } = spec
  const random = createRandom(spec.seed)
  const matrix = (rows: number, cols: number, recipe: '128x128' | '1x128' = '128x128') => {
    const codes = randomCodes(random, rows * cols)
    const [gridRows, gridCols] = scaleGrid(recipe, rows, cols)
    const grid = Float32Array.from(
      { length: gridRows * gridCols },
      () => (0.5 + random.uniform()) / (CODE_DEVIATION * Math.sqrt(cols)),
    )
    return { rows, cols, codes, recipe, scaleDType: 'f32' as const, grid }
  }
  return {
    gateUp: Array.from({ length: experts }, () => matrix(2 * intermediate, hidden)),
    down: Array.from({ length: experts }, () => matrix(hidden, intermediate)),
    router: matrix(experts, hidden, '1x128'),
    sharedGateUp: matrix(2 * Math.max(shared, 1), hidden),
    sharedDown: matrix(hidden, Math.max(shared, 1)),
  }
}

export type DeviceWeights = MoeWeights & { readonly router: QuantizedTensor }

export function uploadWeights(device: Device, host: HostWeights, spec: LayerSpec): DeviceWeights {
  const { gateUp, down, router, sharedGateUp, sharedDown } = host
  return {
    experts: { gateUp: upload(device, gateUp), down: upload(device, down) },
    router: upload(device, router),
    ...(spec.shared > 0 && {
      shared: { gateUp: upload(device, sharedGateUp), down: upload(device, sharedDown) },
    }),
  }
}

export function disposeWeights({ experts, router, shared }: DeviceWeights): void {
  for (const weight of [experts.gateUp, experts.down, router, shared?.gateUp, shared?.down]) {
    weight?.dispose()
  }
}
