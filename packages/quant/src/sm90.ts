/** The kernels that casts need, for tools that compile them ahead of time. Pure. */
export { castKernel, dequantizeKernel } from './cuda/kernel.js'
