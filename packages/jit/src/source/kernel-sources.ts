import { cudaSources } from '@deepgemm/kernels'
import type { SourceFiles } from './assemble.js'
import { readSourceTree } from './source-tree.js'

let sources: Promise<SourceFiles> | undefined

/** The CUDA sources of `@deepgemm/kernels`, read once per process. */
export function kernelSources(): Promise<SourceFiles> {
  sources ??= readSourceTree(cudaSources)
  return sources
}
