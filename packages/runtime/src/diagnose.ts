/** What a tool tells people about this installation; nothing here is needed to compute. */
import { addonPath, loadAddon } from './native/load.js'

export { openNvrtc } from './cuda/nvrtc.js'
export { type CudaDeviceInfo, probeCuda } from './cuda/probe.js'

/** The native addon and what it knows of the CPU. */
export type AddonInfo = {
  readonly path: string
  /** Instruction sets that this build and this machine can run, slowest first. */
  readonly isas: readonly string[]
  readonly defaultIsa: string
  readonly defaultThreads: number
}

/** @throws {NativeError} that lists every place looked at and what to do */
export function addonInfo(): AddonInfo {
  const { isas, defaultIsa, defaultThreads } = loadAddon().cpuInfo()
  return { path: addonPath(), isas, defaultIsa, defaultThreads }
}
