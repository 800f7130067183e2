export { type CombineOptions, combine } from './combine.js'
export type { Gating, GatingKind } from './gating.js'
export type { GroupedOperand, GroupedWeights, RowsLayout } from './grouped/call.js'
export {
  type GroupedGemmOptions,
  groupedGemmContiguous,
  groupedGemmKGrouped,
  groupedGemmMasked,
  groupedGemmPacked,
  type MaskedGemmOptions,
} from './grouped/gemm.js'
export type { GroupIndices } from './grouped/indices.js'
export { type KGroupedMatrix, KGroupedTensor } from './grouped/k-grouped-tensor.js'
export {
  GroupedGemmPlan,
  type GroupedGemmPlanSpec,
  type GroupedGemmRun,
  planGroupedGemm,
} from './grouped/plan.js'
export type { MoeExtents, MoeWeights, SwigluWeights } from './layer/model.js'
export { MoeLayer } from './layer/moe-layer.js'
export type {
  MoeCapacity,
  MoeLayerOptions,
  MoeLoadOptions,
  MoeRunOptions,
} from './layer/options.js'
export type { CheckpointLike, NamedTensors, WeightSource } from './layer/source.js'
export { type Permutation, type PermutationOptions, planPermutation } from './permutation.js'
export { type PermuteOptions, permute } from './permute.js'
export { type QuantizeKGroupedOptions, quantizeKGrouped } from './quantize-k-grouped.js'
export { type RouteOptions, Routing, route } from './route.js'
export type { RowGroups } from './row-set.js'
export {
  type SwigluOptions,
  type SwigluQuantizeOptions,
  swiglu,
  swigluQuantize,
} from './swiglu.js'
