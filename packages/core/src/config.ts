import { type Sm90Config, sm90ConfigName } from './sm90/config.js'

/** How a CPU runs a GEMM: the instruction set of its kernels and the threads that share the tiles. */
export type CpuConfig = {
  readonly target: 'cpu'
  readonly isa: string
  readonly threads: number
}

/** A kernel variant chosen for a problem on a device. */
export type GemmConfig = CpuConfig | Sm90Config

/** A short stable name for messages and tables, such as `cpu/avx512_bf16/8`. */
export function configName(config: GemmConfig): string {
  if (config.target === 'sm_90a') return `sm_90a/${sm90ConfigName(config)}`
  return `${config.target}/${config.isa}/${config.threads}`
}
