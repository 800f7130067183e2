// Casts to e4m3 beside the bandwidth of a copy.

import { allocateQuantized } from '@deepgemm/runtime'
import { cpuQuantize, cpuQueue } from '@deepgemm/runtime/cpu'
import { type Device, quantize, type Recipe, type Tensor } from 'deepgemm'
import { type Contestant, measureRounds, timed } from '../plan/rounds.js'
import { uniformArray } from '../random.js'
import { type CastRow, OURS, samplesOf } from '../report.js'
import type { Session } from '../session.js'
import { median, pairedRatio, rounded } from '../stats.js'

type Size = { readonly rows: number; readonly columns: number }
type Source = 'f32' | 'bf16'

const CALL = 'quantize'
const COPY = 'copy'
const RECIPES: readonly Recipe[] = ['1x128', '128x128']

/** Every cast of one device. */
export async function measureCasts(
  session: Session,
  threads: number,
  size: Size,
): Promise<CastRow[]> {
  const device = await session.best(threads)
  const found: CastRow[] = []
  for (const source of ['f32', 'bf16'] as const) {
    using x = makeSource(device, size, source)
    for (const recipe of RECIPES) found.push(await measureCast(session, device, x, recipe))
  }
  return found
}

function makeSource(device: Device, { rows, columns }: Size, dtype: Source): Tensor<Source> {
  const values = uniformArray(rows * columns, 3)
  return device.tensor(values, { dtype, shape: [rows, columns] })
}

async function measureCast(
  session: Session,
  device: Device,
  x: Tensor<Source>,
  recipe: Recipe,
): Promise<CastRow> {
  const [rows, columns] = x.shape as readonly [number, number]
  using out = allocateQuantized(device, { shape: x.shape, recipe })
  const moved = x.byteLength + out.byteLength
  const machine = session.machine(device.parallelism)
  const contestants: Contestant[] = [
    { name: OURS, run: () => timed(() => castInto(device, x, out)) },
    { name: CALL, run: () => timed(async () => (await quantize(device, x, recipe)).dispose()) },
    { name: COPY, run: async () => moved / (await machine.copyBandwidth(x.byteLength)) },
  ]
  const samples = await measureRounds(contestants, session.options)
  const [ours, call, copy] = [OURS, CALL, COPY].map((name) => samplesOf(samples, name)) as [
    readonly number[],
    readonly number[],
    readonly number[],
  ]
  const rate = (seconds: readonly number[]): number => rounded(moved / median(seconds) / 1e9)
  return {
    ...{ rows, columns, source: x.dtype, recipe },
    threads: device.parallelism,
    isa: device.architecture,
    ours_gbps: rate(ours),
    call_gbps: rate(call),
    copy_gbps: rate(copy),
    copy_ratio: rounded(pairedRatio(ours, copy)),
    call_copy_ratio: rounded(pairedRatio(call, copy)),
  }
}

/** The cast alone, as `enqueueQuantize` runs it once its result exists. */
function castInto(
  device: Device,
  x: Tensor<Source>,
  out: ReturnType<typeof allocateQuantized>,
): Promise<void> {
  cpuQuantize(cpuQueue(device), x, out)
  return device.defaultStream.synchronize()
}
