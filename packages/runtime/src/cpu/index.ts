/** CPU operations for the packages above; they trust their arguments. Users import those packages. */
export * from './ops/cast.js'
export { cpuF32Scales } from './ops/f32-scales.js'
export * from './ops/gemm.js'
export * from './ops/moe.js'
export { cpuPrepack } from './ops/prepack.js'
export { type CpuQueue, cpuQueue } from './queue.js'
