import { type CudaDeviceInfo, probeCuda } from '@deepgemm/runtime/diagnose'
import { formatBytes } from '../output/format.js'
import { type Finding, failure, note, ok, problem } from './finding.js'
import { mappedLibrary } from './mapped-library.js'

export type GpuFindings = {
  readonly findings: readonly Finding[]
  /** Ordinals of the GPUs that can be used; this process opens the first of them. */
  readonly usable: readonly number[]
}

/** The driver and every GPU it knows. */
export async function gpuFindings(): Promise<GpuFindings> {
  let gpus: readonly CudaDeviceInfo[]
  try {
    gpus = probeCuda()
  } catch (error) {
    return { findings: [failure('GPU', error)], usable: [] }
  }
  const usable = gpus.flatMap(({ ordinal, problem }) => (problem === undefined ? [ordinal] : []))
  if (gpus.length === 0) {
    const remedy =
      'For a Hopper GPU, install the NVIDIA driver 545 or newer; in a container, start it with ' +
      '--gpus all. DEEPGEMM_CUDA_LIBRARY names a driver library elsewhere.'
    return { findings: [note('GPU', 'no CUDA driver found; the CPU computes', remedy)], usable }
  }
  return { findings: [...(await driverFinding(gpus)), ...gpus.map(gpuFinding)], usable }
}

async function driverFinding([first]: readonly CudaDeviceInfo[]): Promise<Finding[]> {
  const { library, driverVersion } = first as CudaDeviceInfo
  if (driverVersion === undefined) return []
  const path = (await mappedLibrary(/^libcuda\.so/)) ?? library
  return [ok('CUDA driver', `CUDA ${driverVersion}, ${path}`, { version: driverVersion, path })]
}

function gpuFinding({ ordinal, properties, problem: trouble }: CudaDeviceInfo): Finding {
  const name = `GPU ${ordinal}`
  if (properties === undefined) {
    return problem(name, trouble?.given ?? 'no answer', trouble?.remedy ?? 'Check nvidia-smi.')
  }
  const { major, minor, multiprocessors, memoryBytes, l2Bytes } = properties
  const detail =
    `${properties.name}, compute capability ${major}.${minor}, ` +
    `${multiprocessors} multiprocessors, ${formatBytes(memoryBytes)} of memory, ` +
    `${formatBytes(l2Bytes)} of L2 cache`
  if (trouble === undefined) return ok(name, detail, { ordinal, ...properties })
  // Another architecture is no fault of this machine: the CPU takes its place.
  if (trouble.code === 'ERR_NO_HOPPER') return note(name, detail, trouble.remedy)
  return problem(name, `${detail}: ${trouble.given}`, trouble.remedy)
}
