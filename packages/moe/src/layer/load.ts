import {
  CheckpointError,
  decodeArray,
  FLOAT_DTYPES,
  type FloatDType,
  type QuantizedTensor,
  showShape,
  type Tensor,
} from '@deepgemm/core'
import { allocateQuantized, type Device } from '@deepgemm/runtime'
import type { MoeWeights, SwigluWeights } from './model.js'
import { fillSlot, floatRows, slotOf } from './slot.js'
import { type Entry, requireEntry, type Source } from './source.js'

/** The weights of one layer. Everything in them belongs to the caller. */
export type LoadedWeights = {
  readonly weights: MoeWeights
  /** Selection bias, when the checkpoint has one. */
  readonly bias: Float32Array<ArrayBuffer> | undefined
}

/** Reads the weights under `prefix`, named as in DeepSeek-V3. @throws {CheckpointError} */
export async function readWeights(
  device: Device,
  source: Source,
  prefix: string,
): Promise<LoadedWeights> {
  const made: QuantizedTensor[] = []
  const block = async (names: readonly string[], stacked: boolean): Promise<SwigluWeights> => {
    const target = allocateBlock(device, source, names, stacked)
    made.push(target.gateUp, target.down)
    await fillBlock(device, source, names, target)
    return target
  }
  try {
    const experts = await block(expertNames(source, prefix), true)
    const sharedName = `${prefix}.shared_experts`
    const hasShared = source.find(`${sharedName}.gate_proj.weight`) !== undefined
    const shared = hasShared ? await block([sharedName], false) : undefined
    const bias = await readBias(source, `${prefix}.gate.e_score_correction_bias`, experts)
    const router = await readRouter(device, source, `${prefix}.gate.weight`, experts)
    return { weights: { experts, router, ...(shared && { shared }) }, bias }
  } catch (error) {
    for (const weight of made) weight.dispose()
    throw error
  }
}

function expertNames(source: Source, prefix: string): string[] {
  const names: string[] = []
  const next = (): string => `${prefix}.experts.${names.length}`
  while (source.find(`${next()}.gate_proj.weight`) !== undefined) names.push(next())
  if (names.length > 0) return names
  throw new CheckpointError('There are no experts under the prefix', {
    given: prefix,
    allowed: 'a prefix P with tensors P.experts.0.gate_proj.weight and so on',
  })
}

function allocateBlock(
  device: Device,
  source: Source,
  names: readonly string[],
  stacked: boolean,
): SwigluWeights {
  const { shape, name } = requireEntry(source, `${names[0]}.gate_proj.weight`)
  const [intermediate, hidden] = shape
  if (shape.length !== 2 || intermediate === undefined || hidden === undefined) {
    throw new CheckpointError(`The weight ${name} has the wrong rank`, {
      given: showShape(shape),
      allowed: '[intermediate, hidden]',
    })
  }
  const lead = stacked ? [names.length] : []
  const allocate = (label: string, ...extents: number[]): QuantizedTensor =>
    allocateQuantized(device, { shape: [...lead, ...extents], recipe: '128x128', label })
  return {
    gateUp: allocate(`${names[0]} gate and up`, 2 * intermediate, hidden),
    down: allocate(`${names[0]} down`, hidden, intermediate),
  }
}

async function fillBlock(
  device: Device,
  source: Source,
  names: readonly string[],
  { gateUp, down }: SwigluWeights,
): Promise<void> {
  const [hidden, intermediate] = down.shape.slice(-2) as [number, number]
  for (const [index, name] of names.entries()) {
    const slot = (target: QuantizedTensor): QuantizedTensor =>
      target.shape.length === 3 ? slotOf(target, index) : target
    const entry = (projection: string, ...shape: number[]): Entry =>
      requireEntry(source, `${name}.${projection}_proj.weight`, shape)
    const halves = [entry('gate', intermediate, hidden), entry('up', intermediate, hidden)]
    await fillSlot(device, source, slot(gateUp), halves)
    await fillSlot(device, source, slot(down), [entry('down', hidden, intermediate)])
  }
}

async function readBias(
  source: Source,
  name: string,
  experts: SwigluWeights,
): Promise<Float32Array<ArrayBuffer> | undefined> {
  if (source.find(name) === undefined) return undefined
  const entry = requireEntry(source, name, [experts.gateUp.shape[0] as number])
  requireFloat(entry)
  return decodeArray(entry.dtype, await entry.read()) as Float32Array<ArrayBuffer>
}

async function readRouter(
  device: Device,
  source: Source,
  name: string,
  { gateUp }: SwigluWeights,
): Promise<QuantizedTensor | Tensor> {
  const shape = [gateUp.shape[0] as number, gateUp.shape[2] as number]
  const entry = requireEntry(source, name, shape)
  if (entry.dtype !== 'e4m3') return floatRows(device, [entry], requireFloat(entry), shape)
  const router = allocateQuantized(device, { shape, recipe: '128x128', label: 'router' })
  await fillSlot(device, source, router, [entry])
  return router
}

function requireFloat({ name, dtype }: Entry): FloatDType {
  const float = FLOAT_DTYPES.find((known) => known === dtype)
  if (float !== undefined) return float
  throw new CheckpointError(`The weight ${name} has the wrong dtype`, {
    given: dtype,
    allowed: FLOAT_DTYPES.join(', '),
  })
}
