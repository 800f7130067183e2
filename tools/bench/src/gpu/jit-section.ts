// What compiling a kernel costs, and loading one that was compiled before.

import type { Sm90Range } from '@deepgemm/core/sm90'
import { gemmConfigs, gemmKernel } from '@deepgemm/dense/sm90'
import { type DeviceKernelSpec, DeviceKernels, findCompiler, kernelRequest } from '@deepgemm/jit'
import type { CudaDevice } from '@deepgemm/runtime/cuda'
import { planGemm } from 'deepgemm'
import { timed } from '../plan/rounds.js'
import { median, rounded } from '../stats.js'
import type { JitReport } from './report.js'

/** One shape, whose range of M has kernels of every kind. */
const SHAPE = { n: 4096, k: 7168 } as const
const ROWS = 4096

/** Kernels that are compiled one after another, past the cache. */
const COMPILES = { quick: 2, full: 7 } as const

function specsOf(device: CudaDevice): readonly DeviceKernelSpec[] {
  const family = { recipeB: '128x128', out: 'bf16', accumulate: false } as const
  const range: Sm90Range = { family, m: { min: 1, max: ROWS }, ...SHAPE }
  const { multiprocessors } = device.properties
  return gemmConfigs(range, { multiprocessors }).map(gemmKernel)
}

/** Must be the first in its process to compile. @throws {CompileError | CacheError | CudaError} */
export async function measureJit(device: CudaDevice, quick: boolean): Promise<JitReport> {
  const specs = specsOf(device)
  const compiler = await findCompiler()
  const { name, version } = await compiler.identity()
  const flags = uncachedFlags(name, version)
  const compiles: number[] = []
  for (const spec of specs.slice(0, COMPILES[quick ? 'quick' : 'full'])) {
    const { source, entryName, target } = await kernelRequest(spec)
    const request = { source, entryName, target, flags }
    compiles.push(await timed(() => compiler.compile(request)))
  }
  const [first, ...later] = compiles as [number, ...number[]]
  return {
    first_compile_s: rounded(median(later)),
    process_first_compile_s: rounded(first),
    cached_load_ms: rounded(1000 * (await cachedLoadSeconds(device, specs))),
    compiler: `${name} ${version}`,
  }
}

/** NVRTC 13 keeps results of its own, also between processes; older versions know no such option. */
function uncachedFlags(name: string, version: string): readonly string[] {
  return name === 'nvrtc' && Number.parseInt(version, 10) >= 13 ? ['--no-cache'] : []
}

/** Median over kernels that the disk cache has and nothing has loaded. */
async function cachedLoadSeconds(
  device: CudaDevice,
  specs: readonly DeviceKernelSpec[],
): Promise<number> {
  await planGemm(device, { ...SHAPE, m: { max: ROWS } }) // fills the cache
  const kernels = new DeviceKernels(device)
  const [first, ...others] = specs as [DeviceKernelSpec, ...DeviceKernelSpec[]]
  await kernels.load([first]) // opens the cache
  const loads: number[] = []
  for (const spec of others) loads.push(await timed(() => kernels.load([spec])))
  return median(loads)
}
