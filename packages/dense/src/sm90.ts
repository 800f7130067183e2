/** The kernels that products need, for tools that compile them ahead of time. Pure. */
export { gemmConfigs, gemmKernel } from './cuda/configs.js'
