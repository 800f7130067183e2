export type { ExportReport, ImportReport } from './cache/bundle.js'
export type { CacheFs } from './cache/cache-fs.js'
export type { Admission } from './cache/compile-once.js'
export type { CacheEntry } from './cache/entry.js'
export type { CacheEvent, CacheListener } from './cache/events.js'
export type { Eviction } from './cache/evict.js'
export type { Occupant } from './cache/inventory.js'
export { type CachedKernel, KernelCache, type KernelCacheOptions } from './cache/kernel-cache.js'
export type { CacheListing, CacheProblem, VerifyReport } from './cache/maintenance.js'
export type { Manifest } from './cache/manifest.js'
export type { CacheRoot } from './cache/root.js'
export { type CacheRoots, defaultMaxBytes } from './cache/settings.js'
export type { CanonicalValue } from './canonical-json.js'
export type { CompileRequest, CompileResult, Compiler } from './compile/compiler.js'
export { type FindCompilerOptions, findCompiler } from './compile/find-compiler.js'
export { type KernelResources, kernelResources } from './compile/kernel-resources.js'
export { type LookedAt, locateNvcc, type NvccLocation } from './compile/locate-nvcc.js'
export { NvccCompiler, type NvccOptions } from './compile/nvcc.js'
export { type NvrtcBinding, NvrtcCompiler, type NvrtcResult } from './compile/nvrtc.js'
export type { KernelConfig } from './config.js'
export { configHeader } from './config-header.js'
export {
  type DeviceKernelSpec,
  DeviceKernels,
  deviceKernels,
  kernelRequest,
  type LoadOptions,
  type LoadProgress,
} from './device-kernels.js'
export {
  Jit,
  type JitOptions,
  type Kernel,
  type KernelProgress,
  type KernelRequest,
} from './jit.js'
export {
  type CompilerIdentity,
  type KernelIdentity,
  type KernelSpec,
  kernelKey,
  kernelKeyFormat,
} from './kernel-key.js'
export { type Answer, measuredOnce, type Question } from './measured.js'
export {
  type CastCall,
  type CastExtents,
  castConfig,
  castKernel,
  enqueueCast,
  requireCastExtents,
} from './shared-kernels/cast.js'
export {
  enqueueScaleRelayout,
  prepareScaleRelayout,
  type RelayoutOptions,
  scaleRelayoutKernel,
  scaleRelayoutLaunch,
} from './shared-kernels/scale-copy.js'
export { pushScaleGrid, scaleGridView, transposedGrid } from './shared-kernels/scale-grid.js'
export { groupStride, rowStride } from './shared-kernels/strides.js'
export {
  enqueueTranspose,
  prepareTranspose,
  transposeKernels,
  transposeLaunch,
} from './shared-kernels/transpose.js'
export { assembleSource, OpenUnit, type SourceFiles } from './source/assemble.js'
export { kernelSources } from './source/kernel-sources.js'
export { readSourceTree } from './source/source-tree.js'
