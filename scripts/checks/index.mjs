// The house rules, one check each, and how they are run.

import { PlainError, say, seconds } from '../lib/report.mjs'
import * as clangFormat from './clang-format.mjs'
import * as cuda from './cuda.mjs'
import * as cycles from './cycles.mjs'
import * as fileLength from './file-length.mjs'
import * as layers from './layers.mjs'
import * as links from './links.mjs'
import * as nvrtc from './nvrtc.mjs'
import * as readme from './readme.mjs'
import * as registry from './registry.mjs'
import * as site from './site.mjs'
import * as symbols from './symbols.mjs'
import * as tarballs from './tarballs.mjs'
import { biome, knip, types } from './tools.mjs'

/**
 * @typedef {{ problems: string[], note?: string, skipped?: string }} Outcome
 * @typedef {{ name: string, title: string, check: () => Promise<Outcome> }} Check
 */

/** @type {Check[]} */
const checks = [
  { name: 'layers', title: layers.title, check: () => layers.check() },
  { name: 'cycles', title: cycles.title, check: () => cycles.check() },
  { name: 'file-length', title: fileLength.title, check: () => fileLength.check() },
  biome,
  { name: 'clang-format', title: clangFormat.title, check: () => clangFormat.check() },
  types,
  knip,
  { name: 'cuda', title: cuda.title, check: () => cuda.check() },
  { name: 'nvrtc', title: nvrtc.title, check: nvrtc.check },
  { name: 'readme', title: readme.title, check: readme.check },
  { name: 'links', title: links.title, check: () => links.check() },
  { name: 'site', title: site.title, check: site.check },
  { name: 'symbols', title: symbols.title, check: symbols.check },
  { name: 'tarballs', title: tarballs.title, check: tarballs.check },
  { name: 'registry', title: registry.title, check: registry.check },
]

/** @returns {Promise<'passed' | 'failed' | 'skipped'>} */
async function perform({ name, title, check }) {
  const since = performance.now()
  const { problems, note, skipped } = await check()
  const detail = [note, seconds(since)].filter(Boolean).join(', ')
  if (skipped) {
    say(`  skipped ${name}: ${skipped}`)
    return 'skipped'
  }
  say(`  ${problems.length === 0 ? 'ok     ' : 'FAILED '} ${name}: ${title} (${detail})`)
  for (const problem of problems) say(problem.replaceAll(/^/gm, '          '))
  return problems.length === 0 ? 'passed' : 'failed'
}

/**
 * Runs the named checks, or all.
 * @param {readonly string[]} names
 */
export async function runChecks(names) {
  const unknown = names.filter((name) => !checks.some((item) => item.name === name))
  if (unknown.length > 0) {
    const known = checks.map((item) => item.name).join(', ')
    throw new PlainError(`Unknown check ${unknown.join(', ')}. There are: ${known}.`)
  }
  const tally = { passed: 0, failed: 0, skipped: 0 }
  for (const item of checks) {
    if (names.length > 0 && !names.includes(item.name)) continue
    tally[await perform(item)]++
  }
  return tally
}
