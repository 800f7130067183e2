// Where, when and of what a report was made.

import { execFile } from 'node:child_process'
import { cpus, loadavg, release, type } from 'node:os'
import { promisify } from 'node:util'
import { checkout } from './native/folders.js'
import type { Meta } from './report.js'

type Known = Pick<Meta, 'command' | 'pairs' | 'quick' | 'peers'>

/** All but the load afterwards. */
export async function startMeta(known: Known): Promise<Omit<Meta, 'load_after'>> {
  const processors = cpus()
  return {
    device: processors[0]?.model.trim() || process.arch,
    cores: processors.length,
    os: `${type()} ${release()} ${process.arch}`,
    date: new Date().toISOString(),
    commit: await commit(['kernels/cpu', 'packages', 'tools/bench']),
    node: process.versions.node,
    load_before: loads(),
    ...known,
  }
}

/** Load averages over 1, 5 and 15 minutes. */
export function loads(): number[] {
  return loadavg().map((load) => Number(load.toFixed(2)))
}

/**
 * Commit of the sources, marked when what is measured differs from it; `unknown` without git.
 * `DEEPGEMM_COMMIT` names it where what runs was built elsewhere.
 */
export async function commit(measured: readonly string[]): Promise<string> {
  const named = process.env['DEEPGEMM_COMMIT']
  if (named) return named
  const git = async (...args: string[]): Promise<string> =>
    (await promisify(execFile)('git', args, { cwd: checkout })).stdout.trim()
  // Elsewhere git would tell of a repository that is not ours.
  if (checkout === undefined) return 'unknown'
  try {
    const head = await git('rev-parse', '--short=12', 'HEAD')
    const changed = await git('status', '--porcelain', '--untracked-files=no', '--', ...measured)
    return changed === '' ? head : `${head} with uncommitted changes`
  } catch {
    return 'unknown'
  }
}
