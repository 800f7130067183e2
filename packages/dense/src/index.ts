export { fp8GemmNN, fp8GemmNT, fp8GemmTN, fp8GemmTT, type GemmOptions } from './gemm.js'
export { GemmPlan, type GemmPlanSpec, type GemmRun, planGemm } from './plan.js'
