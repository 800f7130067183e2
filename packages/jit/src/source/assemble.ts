import { createHash, type Hash } from 'node:crypto'
import { posix } from 'node:path'
import { CompileError } from '@deepgemm/core'
import { type SourceLine, scanLines } from './scan-lines.js'

/** Source text by its path relative to the source root, with forward slashes. */
export type SourceFiles = ReadonlyMap<string, string>

const maxDepth = 64

type Assembly = {
  readonly files: SourceFiles
  readonly taken: Set<string>
  readonly output: string[]
}

/**
 * Makes one translation unit of an entry file and what it includes. Every file stands in it once,
 * at its first include; `#line` directives keep compiler messages pointing at the original file by
 * its relative path. Pure: the same files give the same text.
 *
 * Only `#include "…"` of files in the map is possible: a kernel needs no CUDA or system header.
 */
export function assembleSource(files: SourceFiles, entry: string): string {
  const assembly: Assembly = { files, taken: new Set(), output: [] }
  appendFile(assembly, entry, [])
  return `${assembly.output.join('\n')}\n`
}

/** A line that no source has. */
const HOLE = '@ a generated file stands here @'

/** A unit but for one file, which is generated. What is the same for all such files is done once. */
export class OpenUnit {
  readonly #before: string
  readonly #after: string | undefined
  readonly #digest: Hash

  /** `generated` is the path of the file that is left open; it includes nothing. */
  constructor(files: SourceFiles, entry: string, generated: string) {
    const unit = assembleSource(new Map(files).set(generated, HOLE), entry)
    const [before, after] = unit.split(HOLE)
    this.#before = before as string
    this.#after = after
    this.#digest = createHash('sha256').update(this.#before)
  }

  /** The whole unit, as `assembleSource` makes it, and the SHA-256 of its UTF-8 form. */
  close(text: string): { readonly source: string; readonly sha256: string } {
    const rest = this.#after === undefined ? '' : `${withoutPragmaOnce(text)}${this.#after}`
    const sha256 = this.#digest.copy().update(rest).digest('hex')
    return { source: this.#before + rest, sha256 }
  }
}

function withoutPragmaOnce(text: string): string {
  const lines = text.replace(/\n$/, '').split('\n')
  const kept = scanLines(lines).map(({ kind }, i) => (kind === 'pragma-once' ? '' : lines[i]))
  return kept.join('\n')
}

function appendFile(assembly: Assembly, path: string, from: readonly string[]): void {
  const text = assembly.files.get(path)
  if (text === undefined) throw missing(assembly, path, from)
  if (from.includes(path) || from.length >= maxDepth) throw cyclic(path, from)
  if (assembly.taken.has(path)) return
  assembly.taken.add(path)
  const lines = text.replace(/\n$/, '').split('\n')
  assembly.output.push(lineDirective(1, path))
  let depth = 0
  scanLines(lines).forEach((line, index) => {
    const place = `${path}:${index + 1}`
    if (line.kind === 'conditional') depth += line.change
    if (line.kind === 'include') {
      if (depth > 0) throw conditionalInclude(place, line.path)
      appendFile(assembly, resolveInclude(assembly, path, line.path, place), [...from, path])
      assembly.output.push(lineDirective(index + 2, path))
      return
    }
    refuseForeign(line, place)
    // A dropped line leaves an empty one, so that line numbers stay true.
    assembly.output.push(line.kind === 'pragma-once' ? '' : (lines[index] ?? ''))
  })
}

function lineDirective(line: number, path: string): string {
  return `#line ${line} ${JSON.stringify(path)}`
}

/** Beside the including file first, then from the root; never outside the root. */
function resolveInclude(assembly: Assembly, from: string, path: string, place: string): string {
  if (path === '' || path.includes('\\') || posix.isAbsolute(path)) throw outside(place, path)
  const beside = posix.normalize(posix.join(posix.dirname(from), path))
  if (assembly.files.has(beside)) return beside
  const fromRoot = posix.normalize(path)
  if (assembly.files.has(fromRoot)) return fromRoot
  if (beside.startsWith('..') && fromRoot.startsWith('..')) throw outside(place, path)
  throw new CompileError(`${place} includes a file that does not exist`, {
    given: JSON.stringify(path),
    allowed: 'a source beside the including file or under the source root',
    remedy: 'Correct the path; kernels include nothing from outside their own sources.',
  })
}

function refuseForeign(line: SourceLine, place: string): void {
  if (line.kind !== 'system-include' && line.kind !== 'odd-include') return
  throw new CompileError(`${place} includes something other than a kernel source`, {
    given: line.kind === 'system-include' ? `<${line.path}>` : 'an include through a macro',
    allowed: '#include "…" of a file under the source root',
    remedy: 'Write what is needed into a source of its own: kernels compile without any header.',
  })
}

function missing(assembly: Assembly, path: string, from: readonly string[]): CompileError {
  const by = from.length === 0 ? 'as the entry' : `from ${from.at(-1)}`
  return new CompileError(`the kernel source ${JSON.stringify(path)} does not exist`, {
    given: by,
    allowed: `one of the ${assembly.files.size} files under the source root`,
    remedy: 'Correct the name of the entry file.',
  })
}

function cyclic(path: string, from: readonly string[]): CompileError {
  return new CompileError('kernel sources include each other in a circle', {
    given: [...from.slice(Math.max(0, from.indexOf(path))), path].join(' -> '),
    remedy: 'Move what both need into a third file.',
  })
}

function conditionalInclude(place: string, path: string): CompileError {
  return new CompileError(`${place} includes a file inside #if`, {
    given: JSON.stringify(path),
    allowed: 'includes outside of #if; each file is taken once, at its first include',
    remedy: 'Include it unconditionally, and use #pragma once instead of include guards.',
  })
}

function outside(place: string, path: string): CompileError {
  return new CompileError(`${place} includes a path outside the kernel sources`, {
    given: JSON.stringify(path.slice(0, 200)),
    allowed: 'a relative path with forward slashes that stays under the source root',
    remedy: 'Move the file under the source root.',
  })
}
