// Pure: a result as it was written, checked before anything leans on it.

import { OptionError } from 'deepgemm'
import { FORMAT, OURS, type SuiteResult, type SuiteRow } from './result.js'

type Members = Readonly<Record<string, unknown>>

/** @throws {OptionError} unless the text is a result of the suite in today's format */
export function parseResult(text: string, name: string): SuiteResult {
  const value = parsed(text, name)
  if (!isMembers(value) || value['format'] !== FORMAT) {
    throw new OptionError('This file is no result of the benchmark', {
      given: `${name}${isMembers(value) ? `, format ${String(value['format'] ?? 'not told')}` : ''}`,
      allowed: `JSON that deepgemm bench --out wrote, format ${FORMAT}`,
    })
  }
  const problem = problemOf(value)
  if (problem === undefined) return value as SuiteResult
  throw new OptionError('The result is damaged', {
    given: `${name}: ${problem}`,
    remedy: 'Measure again with deepgemm bench --out.',
  })
}

function parsed(text: string, name: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new OptionError('This file is no JSON', { given: name, allowed: 'a result', cause })
  }
}

function problemOf({ meta, contestants, ceilings, formats, rows }: Members): string | undefined {
  if (!isMembers(meta) || typeof meta['device'] !== 'string') return 'it has no meta.device'
  if (!isMembers(contestants) || !isMembers(contestants[OURS])) return 'it has no contestant ours'
  if (!isMembers(ceilings) || !isNumbers(ceilings['read_gbs'])) return 'it has no ceilings'
  if (!Array.isArray(ceilings['peaks']) || !Array.isArray(formats)) return 'it has no ceilings'
  if (!Array.isArray(rows)) return 'it has no rows'
  const bad = rows.findIndex((row) => !isRow(row, contestants))
  return bad < 0 ? undefined : `row ${bad + 1} is incomplete`
}

/** Also what a run left behind is read with it. */
export function isRow(row: unknown, contestants: Members): row is SuiteRow {
  if (!isMembers(row) || typeof row['layer'] !== 'string') return false
  if (row['problem'] !== 'dense' && row['problem'] !== 'contiguous') return false
  if (!['m', 'n', 'k', 'groups'].every((name) => isExtent(row[name]))) return false
  const { figures } = row
  if (!isMembers(figures) || !isNumbers(row['floor_us'])) return false
  const names = Object.keys(figures)
  return (
    names.includes(OURS) && names.every((name) => name in contestants && isFigures(figures[name]))
  )
}

function isFigures(value: unknown): boolean {
  if (!isMembers(value) || !isNumbers(value['us'])) return false
  return value['us'].length > 0 && (value['error'] === null || typeof value['error'] === 'number')
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isNumbers(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'number' && item > 0)
}

function isExtent(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0
}
