import { DeviceError } from '@deepgemm/core'
import type { NativeDeviceProperties, NativeProbe } from '../native/cuda.js'
import { loadAddon } from '../native/load.js'
import { driverLibrary } from './library.js'

/** 12.3, as the driver counts. */
const OLDEST_DRIVER = 12_030

/** Why a device cannot be used, as a sentence and for programs. */
type CudaProblem = { readonly code: string; readonly given: string; readonly remedy: string }

/** A CUDA device and why it cannot be used, if so. */
export type CudaDeviceInfo = {
  readonly library: string
  readonly ordinal: number
  /** Of CUDA as the driver has it, `13.0`; undefined where the driver gives no answer. */
  readonly driverVersion: string | undefined
  readonly properties: NativeDeviceProperties | undefined
  readonly problem: CudaProblem | undefined
}

/**
 * The CUDA devices of this machine. None where there is no driver; one without properties where a
 * driver is there that gives no answer.
 *
 * @throws {OptionError} when DEEPGEMM_CUDA_LIBRARY is a relative path
 */
export function probeCuda(): CudaDeviceInfo[] {
  const { path, chosen } = driverLibrary()
  const silent = (problem: CudaProblem): CudaDeviceInfo[] => [
    { library: path, ordinal: 0, driverVersion: undefined, properties: undefined, problem },
  ]
  let probe: NativeProbe
  try {
    probe = loadAddon().cuda.probe(path)
  } catch (cause) {
    const { message, given } = cause as { message: string; given: string }
    // A driver without a device: the package is installed on a machine that has none.
    if (given === 'CUDA_ERROR_NO_DEVICE') return []
    return silent(unanswering(path, `${given} from ${message}`))
  }
  if (probe.problem !== undefined) return chosen ? silent(noDriver(path, probe.problem)) : []
  return (probe.devices ?? []).map((properties, ordinal) => ({
    library: path,
    ordinal,
    driverVersion: showVersion(probe.version ?? 0),
    properties,
    problem: driverProblem(path, probe) ?? deviceProblem(properties),
  }))
}

/**
 * The first usable CUDA device.
 *
 * @throws {DeviceError} that says why there is none: ERR_NO_DRIVER, ERR_DRIVER_TOO_OLD,
 * ERR_DRIVER_INCOMPLETE, ERR_DRIVER_FAILED, ERR_NO_HOPPER or ERR_NO_MEMORY_POOLS
 */
export function requireCudaDevice(): CudaDeviceInfo & { properties: NativeDeviceProperties } {
  const devices = probeCuda()
  const usable = devices.find(({ problem }) => problem === undefined)
  if (usable?.properties !== undefined) return { ...usable, properties: usable.properties }
  const { code, given, remedy } =
    devices[0]?.problem ?? noDriver(driverLibrary().path, 'it is not there or drives no device')
  throw new DeviceError('There is no CUDA device to compute on', {
    given,
    allowed: 'a GPU of compute capability 9.0 with a driver for CUDA 12.3 or newer',
    remedy,
    code,
  })
}

function noDriver(path: string, reason: string): CudaProblem {
  return {
    code: 'ERR_NO_DRIVER',
    given: `driver library ${path}: ${reason}`,
    remedy: 'Install the NVIDIA driver, or name its library in DEEPGEMM_CUDA_LIBRARY.',
  }
}

function unanswering(path: string, reason: string): CudaProblem {
  return {
    code: 'ERR_DRIVER_FAILED',
    given: `driver library ${path}: ${reason}`,
    remedy: 'Check the driver with nvidia-smi.',
  }
}

function driverProblem(
  path: string,
  { version = 0, missing = [] }: NativeProbe,
): CudaProblem | undefined {
  const shown = showVersion(version)
  if (version < OLDEST_DRIVER) {
    return {
      code: 'ERR_DRIVER_TOO_OLD',
      given: `a driver for CUDA ${shown}`,
      remedy: 'Update the NVIDIA driver to 545 or newer.',
    }
  }
  if (missing.length === 0) return undefined
  return {
    code: 'ERR_DRIVER_INCOMPLETE',
    given: `driver library ${path} (CUDA ${shown}) without ${missing.join(', ')}`,
    remedy: 'Install the NVIDIA driver anew.',
  }
}

/** The driver counts 1000 × major + 10 × minor. */
function showVersion(version: number): string {
  return `${Math.floor(version / 1000)}.${Math.floor((version % 1000) / 10)}`
}

// The kernels are compiled for sm_90a, which no other architecture runs.
function deviceProblem(properties: NativeDeviceProperties): CudaProblem | undefined {
  const { name, major, minor, memoryPools } = properties
  if (major !== 9 || minor !== 0) {
    return {
      code: 'ERR_NO_HOPPER',
      given: `${name} of compute capability ${major}.${minor}`,
      remedy: 'The kernels need a Hopper GPU, such as an H100 or H200; use the CPU device here.',
    }
  }
  if (memoryPools) return undefined
  return {
    code: 'ERR_NO_MEMORY_POOLS',
    given: `${name}, whose driver offers no memory pools`,
    remedy: 'Use a driver and a virtualisation profile with stream-ordered allocation.',
  }
}
