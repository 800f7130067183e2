/** CPU operations for the packages above; they trust their arguments. Users import those packages. */
export * from './ops/cast.js'
export { FLOAT_DTYPES, type FloatDType } from './ops/codes.js'
export * from './ops/gemm.js'
export * from './ops/moe.js'
export { type CpuQueue, cpuQueue } from './queue.js'
