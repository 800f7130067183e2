// What a launch costs the host: ours, the runtime's, and the driver's own.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ArgumentList } from '@deepgemm/runtime/cuda'
import { NativeError, planGemm } from 'deepgemm'
import { compile } from '../native/compile.js'
import { nativeSources } from '../native/folders.js'
import { LineProcess } from '../native/line-process.js'
import { median, rounded } from '../stats.js'
import type { GpuCase } from './cases.js'
import type { BenchKernels } from './kernels.js'
import { productSet } from './operands.js'
import type { HostReport } from './report.js'

const ROUNDS = 15
/** Few enough to stay in the GPU's queue, where a launch waits for room otherwise. */
const LAUNCHES = 500
/** A product that the GPU runs faster than the host enqueues it, or nearly. */
const ITEM: GpuCase = { problem: 'dense', m: 16, n: 1024, k: 1024 }
const THREADS = 128

const LAUNCH_PROGRAM = {
  name: 'launch',
  inputs: [join(nativeSources, 'gpu/launch.cpp')],
  headers: [join(nativeSources, 'protocol.hpp')],
  includes: [nativeSources],
  libraries: ['dl'],
}

/** @throws {CompileError | CudaError} */
export async function measureHost(
  kernels: BenchKernels,
  cubin: Uint8Array,
  say: (line: string) => void,
): Promise<HostReport> {
  const { stream, device } = kernels
  const plan = await planGemm(device, { n: ITEM.n, k: ITEM.k, m: { max: ITEM.m } })
  using set = productSet(kernels, ITEM)
  const { a, b, out } = set
  const empty = kernels.kernel('bench_empty')
  const noArguments = new ArgumentList()
  const geometry = { grid: [device.properties.multiprocessors], block: [THREADS] } as const
  const bare = await BareLaunches.open(cubin, device.properties.multiprocessors, say)
  const times: Record<'run' | 'runtime' | 'bare', number[]> = { run: [], runtime: [], bare: [] }
  try {
    for (let round = 0; round < ROUNDS; round++) {
      times.run.push(await hostMicroseconds(kernels, () => plan.run({ a, b, out, stream })))
      times.runtime.push(
        await hostMicroseconds(kernels, () => empty.launch(noArguments, geometry, stream)),
      )
      if (bare !== undefined) times.bare.push(await bare.microseconds())
    }
  } finally {
    bare?.close()
  }
  return {
    run_us: rounded(median(times.run)),
    bare_launch_us: bare === undefined ? null : rounded(median(times.bare)),
    runtime_launch_us: rounded(median(times.runtime)),
  }
}

/** Microseconds of the host per call; the GPU is idle before. */
async function hostMicroseconds({ stream }: BenchKernels, launch: () => void): Promise<number> {
  await stream.synchronize()
  const start = performance.now()
  for (let i = 0; i < LAUNCHES; i++) launch()
  const microseconds = ((performance.now() - start) * 1000) / LAUNCHES
  await stream.synchronize()
  return microseconds
}

/** cuLaunchKernel called from C++, in a process of its own. */
class BareLaunches {
  readonly #process: LineProcess
  readonly #folder: string

  private constructor(program: string, cubin: Uint8Array, blocks: number) {
    this.#folder = mkdtempSync(join(tmpdir(), 'deepgemm-launch-'))
    const file = join(this.#folder, 'kernels.cubin')
    writeFileSync(file, cubin)
    const args = [file, String(blocks), String(THREADS)]
    this.#process = new LineProcess('The launch program', program, args)
  }

  /** Undefined, and said so, where no C++ compiler is or the driver cannot be used from C++. */
  static async open(
    cubin: Uint8Array,
    blocks: number,
    say: (line: string) => void,
  ): Promise<BareLaunches | undefined> {
    let bare: BareLaunches | undefined
    try {
      bare = new BareLaunches(await compile(LAUNCH_PROGRAM), cubin, blocks)
      await bare.microseconds() // the first launches of a process cost more
      return bare
    } catch (error) {
      bare?.close()
      if (!(error instanceof NativeError)) throw error
      say(`bare launches are not measured: ${error.message}`)
      return undefined
    }
  }

  /** Microseconds of the host per launch. */
  microseconds(): Promise<number> {
    return this.#process.ask(`launch ${LAUNCHES}`)
  }

  close(): void {
    this.#process.close()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
