import { type Device, MoeLayer, QuantizedTensor, Scales, type Tensor } from 'deepgemm'

/** Extents of a layer with random weights. */
export type LayerShape = {
  readonly hidden: number
  readonly intermediate: number
  readonly experts: number
  readonly topK: number
  readonly groups: number
  readonly topGroups: number
}

export const SHAPES: Readonly<Record<string, LayerShape>> = {
  small: { hidden: 512, intermediate: 256, experts: 16, topK: 4, groups: 4, topGroups: 2 },
  'deepseek-v3': {
    ...{ hidden: 7168, intermediate: 2048 },
    ...{ experts: 256, topK: 8, groups: 8, topGroups: 4 },
  },
}

export type LayerRoom = { readonly maxTokens: number; readonly maxDecodeTokens: number }

/** Bytes of random codes that are repeated over and over: layers are large. */
const PIECE = 1 << 24
/** Standard deviation of uniform e4m3 codes. */
const CODE_DEVIATION = 105

/** A layer with random weights, and what frees both. */
export async function demoLayer(
  device: Device,
  shape: LayerShape,
  room: LayerRoom,
): Promise<{ readonly layer: MoeLayer; dispose(): void }> {
  const { hidden, intermediate, experts, topK, groups, topGroups } = shape
  const weights = {
    gateUp: await randomWeights(device, [experts, 2 * intermediate, hidden]),
    down: await randomWeights(device, [experts, hidden, intermediate]),
  }
  const router = randomRouter(device, experts, hidden)
  const layer = await MoeLayer.create(device, {
    ...{ experts: weights, router, topK, groups, topGroups },
    gating: 'group-limited-sigmoid',
    scalingFactor: 2.5,
    ...room,
  })
  router.dispose()
  const dispose = (): void => {
    layer.dispose()
    weights.gateUp.dispose()
    weights.down.dispose()
  }
  return { layer, dispose }
}

/** Codes without NaN, with scales that keep products near 1. */
async function randomWeights(
  device: Device,
  shape: readonly [number, number, number],
): Promise<QuantizedTensor> {
  const [groups, rows, columns] = shape
  const values = device.zeros({ dtype: 'e4m3', shape, label: 'random weights' })
  const piece = Uint8Array.from({ length: Math.min(PIECE, values.size) }, randomCode)
  for (let at = 0; at < values.size; at += piece.length) {
    await values.storage.write(at, piece.subarray(0, Math.min(piece.length, values.size - at)))
  }
  const grid = [groups, Math.ceil(rows / 128), Math.ceil(columns / 128)] as const
  const scale = 1 / (CODE_DEVIATION * Math.sqrt(columns))
  const numbers = new Float32Array(grid[0] * grid[1] * grid[2]).fill(scale)
  const tensor = device.tensor(numbers, { dtype: 'f32', shape: grid, label: 'random scales' })
  return new QuantizedTensor(
    values,
    new Scales(tensor, { recipe: '128x128', orientation: 'k-major' }),
  )
}

function randomCode(): number {
  const code = Math.floor(256 * Math.random())
  return (code & 0x7f) === 0x7f ? 0 : code
}

function randomRouter(device: Device, experts: number, hidden: number): Tensor<'f32'> {
  const scale = Math.sqrt(12 / hidden)
  const numbers = Float32Array.from(
    { length: experts * hidden },
    () => scale * (Math.random() - 0.5),
  )
  return device.tensor(numbers, { dtype: 'f32', shape: [experts, hidden], label: 'router' })
}
