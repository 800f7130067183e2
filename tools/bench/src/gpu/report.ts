// The form of the JSON that a GPU benchmark writes.

import type { GpuRow } from './rows.js'

export type JitReport = {
  /** One kernel, in a process whose NVRTC has compiled before. */
  readonly first_compile_s: number
  /** The very first one of the process, with the start of the library. */
  readonly process_first_compile_s: number
  /** From the disk cache to a kernel that can be launched. */
  readonly cached_load_ms: number
  readonly compiler: string
}

export type HostReport = {
  /** Host time of `plan.run()` with operands and an output that it has run with before. */
  readonly run_us: number
  /** cuLaunchKernel of an empty kernel from C++; null without a C++ compiler. */
  readonly bare_launch_us: number | null
  /** The same kernel through the runtime's launch. */
  readonly runtime_launch_us: number
}

export type GpuMeta = {
  readonly device: string
  readonly multiprocessors: number
  /** As nvidia-smi tells, while the GPU rests; null without it. */
  readonly driver: string | null
  readonly clocks: string | null
  readonly copy_bandwidth_gbs: number | null
  readonly date: string
  readonly commit: string
  readonly command: string
  readonly node: string
  readonly rounds: number
  readonly replays: number
  readonly quick: boolean
  readonly seconds: number
  /** Versions of the peers that were there. */
  readonly peers: Readonly<Record<string, string>>
  /** Why the others, and single products, are null. */
  readonly missing: readonly string[]
  readonly method: string
  readonly compared: string
}

export type GpuReport = {
  readonly meta: GpuMeta
  readonly rows: readonly GpuRow[]
  readonly jit: JitReport
  readonly host: HostReport
}

export const METHOD: string = [
  'graph_rotating: CUDA graphs of at least 20 launches that rotate among copies of operands and',
  'outputs totalling over 160 MB, so that weights are cold; a replay is timed with events behind a',
  'pause of 100 us and divided by the launches; ours, the peers and the floor take turns in every',
  'round, and a figure is the median over all replays of all rounds. Ours: planGemm and plan.run of',
  'the public API, programmatic dependent launch as plan.run does it, weightsReady. LHS scales lie in the TMA',
  'layout for all. Peers run in a process of their own, on operands of the same bytes, with their',
  'default settings: DeepGEMM does without dependent launch; deepgemm_dependent_us is DeepGEMM with',
  'set_pdl(True). The floor reads the weights with cp.async.bulk, without dependent launch.',
].join(' ')

export const COMPARED: string = [
  'max_error compares every element of one output of ours, poisoned with NaN beforehand, with the',
  'product of the dequantised operands summed on the GPU by a plain kernel of the benchmark: f32',
  'over 16 of K, float64 beyond. A peer whose error against an f32 product is above 1e-4 is null.',
].join(' ')
