/** The kernels that casts need, for tools that compile them ahead of time. Pure. */
export { castKernel } from '@deepgemm/jit'
export { dequantizeKernel } from './cuda/kernel.js'
