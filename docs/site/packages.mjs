// The public entries whose reference the site shows, in reading order.

import { fileURLToPath } from 'node:url'

/** @type {{ name: string, source: string, page: string }[]} */
export const entries = [
  ['@deepgemm/dense', 'packages/dense/src/index.ts'],
  ['@deepgemm/moe', 'packages/moe/src/index.ts'],
  ['@deepgemm/quant', 'packages/quant/src/index.ts'],
  ['@deepgemm/safetensors', 'packages/safetensors/src/index.ts'],
  ['@deepgemm/runtime', 'packages/runtime/src/index.ts'],
  ['@deepgemm/runtime/cuda', 'packages/runtime/src/cuda/index.ts'],
  ['@deepgemm/jit', 'packages/jit/src/index.ts'],
  ['@deepgemm/core', 'packages/core/src/index.ts'],
  ['@deepgemm/core/sm90', 'packages/core/src/sm90/index.ts'],
  ['@deepgemm/kernels', 'kernels/src/index.ts'],
  ['@deepgemm/bench', 'tools/bench/src/index.ts'],
  ['@deepgemm/cli', 'tools/cli/src/index.ts'],
  // Last: what it passes on is described where it comes from.
  ['deepgemm', 'packages/deepgemm/src/index.ts'],
].map(([name, source]) => ({
  name,
  source: fileURLToPath(new URL(`../../${source}`, import.meta.url)),
  page: name.replace('@deepgemm/', '').replaceAll('/', '-'),
}))
