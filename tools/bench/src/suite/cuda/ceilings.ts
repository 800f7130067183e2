// What a GPU does at most: FP8 tensor cores on operands that are there, and reads of memory.

import { ArgumentList } from '@deepgemm/runtime/cuda'
import { ReadFloor } from '../../gpu/floor.js'
import { type BenchKernels, PEAK_SHARED_BYTES } from '../../gpu/kernels.js'
import { workTimes } from '../../gpu/times.js'
import { median } from '../../stats.js'
import type { SuiteSettings } from '../bench.js'
import type { Ceilings } from '../result.js'

/** Larger than any cache by far. */
const READ_BYTES = 2 ** 30
const REPLAYS = 3

/** Long enough for the clocks of a GPU that does nothing else: some 15 ms. */
const ITERATIONS = 40_000
const [THREADS, ROWS, COLUMNS, DEPTH] = [256, 128, 128, 128] as const

const PEAKS = [
  ['FP8 tensor cores', 'bench_peak'],
  ['with promotion', 'bench_peak_promoted'],
] as const

export async function measureCeilings(
  kernels: BenchKernels,
  { rounds, signal }: Pick<SuiteSettings, 'rounds' | 'signal'>,
): Promise<Ceilings> {
  using floor = new ReadFloor(kernels, READ_BYTES)
  const reads: number[] = []
  const peaks = PEAKS.map(([label, name]) => ({ label, name, gflops: [] as number[] }))
  for (let round = 0; round < rounds; round++) {
    signal.throwIfAborted()
    const us = median(await floor.times(REPLAYS))
    if (us > 0) reads.push(figure(READ_BYTES / us / 1e3))
    for (const { name, gflops } of peaks) {
      const measured = await peakGflops(kernels, name)
      if (Number.isFinite(measured)) gflops.push(figure(measured))
    }
  }
  return { read_gbs: reads, peaks: peaks.map(({ label, gflops }) => ({ label, gflops })) }
}

async function peakGflops(kernels: BenchKernels, name: (typeof PEAKS)[number][1]): Promise<number> {
  const { device, stream } = kernels
  using operands = device.zeros({ dtype: 'u8', shape: [PEAK_SHARED_BYTES], label: 'peak operands' })
  using sink = device.zeros({ dtype: 'f32', shape: [THREADS], label: 'peak sink' })
  kernels.fillValues(operands, 1)
  const blocks = device.properties.multiprocessors
  const args = new ArgumentList().pointer(operands).pointer(sink).u32(ITERATIONS)
  const launch = (): void =>
    kernels.kernel(name).launch(args, { grid: [blocks], block: [THREADS] }, stream)
  const us = median(await workTimes(kernels, launch, { replays: REPLAYS }))
  return (2 * ROWS * COLUMNS * DEPTH * ITERATIONS * blocks) / us / 1e3
}

function figure(value: number): number {
  return Number(value.toPrecision(5))
}
