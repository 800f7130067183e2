// Child processes without a shell. Quiet on success, the whole output on failure.

import { spawn } from 'node:child_process'
import { delimiter, join } from 'node:path'
import { PlainError } from './report.mjs'
import { root } from './workspace.mjs'

/** The environment of every tool: our own binaries first, no telemetry. */
export function toolEnvironment() {
  return {
    ...process.env,
    PATH: `${join(root, 'node_modules', '.bin')}${delimiter}${process.env.PATH}`,
    TURBO_TELEMETRY_DISABLED: '1',
    DO_NOT_TRACK: '1',
  }
}

/**
 * @typedef {{ cwd?: string, env?: NodeJS.ProcessEnv, input?: string }} RunOptions
 * @typedef {{ code: number, output: string }} RunResult
 */

/**
 * Runs a command and returns its exit code with stdout and stderr together.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {RunOptions} [options]
 * @returns {Promise<RunResult>}
 */
export function run(command, args, { cwd = root, env = toolEnvironment(), input = '' } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: ['pipe', 'pipe', 'pipe'] })
    /** @type {Buffer[]} */
    const chunks = []
    child.stdout.on('data', (chunk) => chunks.push(chunk))
    child.stderr.on('data', (chunk) => chunks.push(chunk))
    child.stdin.on('error', () => {}) // a child that does not read its input is no failure
    child.stdin.end(input)
    child.on('error', reject)
    child.on('close', (code) => {
      resolve({ code: code ?? 1, output: Buffer.concat(chunks).toString('utf8') })
    })
  })
}

/**
 * Runs a command that must succeed.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {RunOptions} [options]
 * @returns {Promise<string>} its output
 */
export async function must(command, args, options) {
  const { code, output } = await run(command, args, options)
  if (code === 0) return output
  throw new PlainError(`${output.trimEnd()}\n\n${command} ${args.join(' ')}: exit code ${code}`)
}

/**
 * Runs a command in the foreground, its output going straight to ours.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<number>} its exit code
 */
export function foreground(command, args, env = toolEnvironment()) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, env, stdio: 'inherit' })
    child.on('error', reject)
    child.on('close', (code) => resolve(code ?? 1))
  })
}
