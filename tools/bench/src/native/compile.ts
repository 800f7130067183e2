// Compiles a program of this package when it is older than what it is made from.

import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdirSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { NativeError } from 'deepgemm'
import { cacheFolder } from './folders.js'

export type Program = {
  readonly name: string
  /** C++ sources, and objects or libraries that are files. */
  readonly inputs: readonly string[]
  /** Headers: the program is older than they are when they changed. */
  readonly headers?: readonly string[]
  readonly includes?: readonly string[]
  readonly libraries?: readonly string[]
}

const TIMEOUT_MS = 300_000

/** The arguments of the C++ compiler. */
export function compilerArgs(program: Program, output: string): string[] {
  return [
    ...['-std=c++20', '-O3', '-Wall', '-Wextra'],
    ...(program.includes ?? []).flatMap((folder) => ['-I', folder]),
    ...program.inputs,
    ...(program.libraries ?? []).map((name) => `-l${name}`),
    ...['-pthread', '-o', output],
  ]
}

/** Path of the compiled program. @throws {NativeError} with what the compiler says. */
export async function compile(program: Program): Promise<string> {
  const folder = join(cacheFolder, 'bin')
  const output = join(folder, program.name)
  if (!isStale(output, [...program.inputs, ...(program.headers ?? [])])) return output
  mkdirSync(folder, { recursive: true })
  const unfinished = `${output}.${randomUUID()}`
  const compiler = process.env['CXX'] || 'g++'
  try {
    await promisify(execFile)(compiler, compilerArgs(program, unfinished), {
      timeout: TIMEOUT_MS,
      maxBuffer: 1 << 24,
    })
  } catch (cause) {
    const { stderr, message } = cause as { stderr?: string; message: string }
    throw new NativeError(`The program ${program.name} does not compile`, {
      given: firstError(stderr || message),
      remedy: `Install a C++20 compiler or name it in CXX (now ${compiler}); bring the addon up to date with pnpm build.`,
      cause,
    })
  }
  renameSync(unfinished, output)
  return output
}

/** Is the output missing, or older than one of the files it is made from? */
export function isStale(output: string, inputs: readonly string[]): boolean {
  const made = changedAt(output)
  return made === undefined || inputs.some((input) => (changedAt(input) ?? made) > made)
}

function changedAt(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs
}

/** The line of a compiler's or linker's output that says what is wrong. */
export function firstError(output: string): string {
  const lines = output.split('\n').filter((line) => line.trim() !== '')
  return lines.find((line) => /error|undefined reference/.test(line)) ?? lines[0] ?? 'no output'
}
