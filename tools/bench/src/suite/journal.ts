// Rows of a run that is under way, on disk: the same command goes on where it was interrupted.

import { createHash } from 'node:crypto'
import { type FileHandle, mkdir, open, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { caseKey } from './problem.js'
import { isRow } from './read-result.js'
import type { SuiteRow } from './result.js'

/** Rows that are older were measured on a machine that is another one by now. */
const MOST_AGE_MS = 24 * 3600 * 1000
const MOST_BYTES = 1 << 28

type Head = { readonly date: string }
type Line = SuiteRow | { readonly sitting: Head }

export class Journal {
  /** What earlier sittings measured, by the key of the product. */
  readonly rows: ReadonlyMap<string, SuiteRow>
  /** This sitting included. */
  readonly sittings: number
  /** When the first one began. */
  readonly date: string
  readonly #path: string
  readonly #file: FileHandle

  private constructor(
    path: string,
    file: FileHandle,
    known: Pick<Journal, 'rows' | 'sittings' | 'date'>,
  ) {
    this.#path = path
    this.#file = file
    this.rows = known.rows
    this.sittings = known.sittings
    this.date = known.date
  }

  /**
   * The journal of the run with this identity: whatever makes rows of two sittings comparable.
   * `fresh` drops what is there.
   */
  static async open(folder: string, identity: unknown, fresh: boolean): Promise<Journal> {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const name = createHash('sha256').update(JSON.stringify(identity)).digest('hex').slice(0, 24)
    const path = join(folder, `${name}.jsonl`)
    if (fresh) await rm(path, { force: true })
    const lines = await linesOf(path)
    const rows = lines.filter((line) => 'figures' in line)
    const heads = lines.flatMap((line) => ('sitting' in line ? [line.sitting] : []))
    const now = new Date().toISOString()
    const known = {
      rows: new Map(rows.map((row) => [caseKey(row), row])),
      sittings: heads.length + 1,
      date: heads[0]?.date ?? now,
    }
    // What a killed process left half-written goes.
    await writeFile(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''), {
      mode: 0o600,
    })
    const journal = new Journal(path, await open(path, 'a', 0o600), known)
    await journal.#append({ sitting: { date: now } })
    return journal
  }

  add(row: SuiteRow): Promise<void> {
    return this.#append(row)
  }

  /** Closes it; `done` removes it. */
  async close(done: boolean): Promise<void> {
    await this.#file.close()
    if (done) await rm(this.#path, { force: true })
  }

  async #append(line: Line): Promise<void> {
    await this.#file.appendFile(`${JSON.stringify(line)}\n`)
    await this.#file.datasync()
  }
}

async function linesOf(path: string): Promise<readonly Line[]> {
  const found = await stat(path).catch(() => undefined)
  if (found === undefined || found.size > MOST_BYTES) return []
  if (Date.now() - found.mtimeMs > MOST_AGE_MS) return []
  const text = await readFile(path, 'utf8')
  return text.split('\n').flatMap((line): Line[] => {
    const value = parsed(line)
    return value === undefined ? [] : [value]
  })
}

function parsed(line: string): Line | undefined {
  try {
    const value = JSON.parse(line) as Partial<SuiteRow> & { sitting?: Head }
    if (typeof value.sitting?.date === 'string') return { sitting: value.sitting }
    return isRow(value, value.figures ?? {}) ? value : undefined
  } catch {
    return undefined
  }
}
