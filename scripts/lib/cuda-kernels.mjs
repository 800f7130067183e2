// The kernels that are compiled as a check: kernels/cuda/kernels.json and those of its folders list them.
// [{ "name", "source", "defines": { "BLOCK_M": "128" } }], or with "config": { "name", "members" }
// instead, which becomes config.cuh as the JIT writes it.

import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { root } from './workspace.mjs'

/**
 * @typedef {{ name: string, source: string, defines?: Record<string, string>,
 *   config?: { name: string, members: Record<string, string | number | boolean> } }} ListedKernel
 */

/** @param {string} folder of the CUDA sources @returns {ListedKernel[]} */
export function listedKernels(folder) {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  return names
    .filter((name) => basename(name) === 'kernels.json')
    .sort()
    .flatMap((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')))
}

/** A built package of ours, or an entry of it. */
export function built(name, entry = 'index.js') {
  return import(pathToFileURL(join(root, 'packages', name, 'dist', entry)).href)
}

/**
 * Runs `work` on every item, a few at a time, each worker taking the next one.
 * @template T
 * @param {readonly T[]} items
 * @param {number} workers
 * @param {(item: T) => Promise<string[]>} work
 * @returns {Promise<string[]>} what all of them returned
 */
export async function inTurn(items, workers, work) {
  const problems = []
  const waiting = [...items]
  const worker = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) {
      problems.push(...(await work(item)))
    }
  }
  await Promise.all(Array.from({ length: workers }, worker))
  return problems
}
