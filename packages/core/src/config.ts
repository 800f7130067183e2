/** How a CPU runs a GEMM: the instruction set of its kernels and the threads that share the tiles. */
export type CpuConfig = {
  readonly target: 'cpu'
  readonly isa: string
  readonly threads: number
}

/** A kernel variant chosen for a problem on a device. */
export type GemmConfig = CpuConfig

/** A short stable name for messages and tables, such as `cpu/avx512_bf16/8`. */
export function configName(config: GemmConfig): string {
  return `${config.target}/${config.isa}/${config.threads}`
}
