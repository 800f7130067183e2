export type { GemmProgress, ProgressListener } from './backend.js'
export { fp8GemmNN, fp8GemmNT, fp8GemmTN, fp8GemmTT, type GemmOptions } from './gemm.js'
export { GemmPlan, type GemmPlanSpec, type GemmRun, type PlannedGemm, planGemm } from './plan.js'
export { type PrepackOptions, prepackWeights } from './prepack.js'
