// Pure: whether what was timed was also computed.

import { caseText } from './problem.js'
import { OURS, type SuiteResult } from './result.js'

/** A product with a larger error is wrong: rounding to bf16 costs some 2e-6. */
const MOST_ERROR = 1e-4

/** Our products that are wrong, as sentences. */
export function wrongProducts({ rows }: Pick<SuiteResult, 'rows'>): string[] {
  return rows.flatMap((row) => {
    const error = row.figures[OURS]?.error ?? null
    if (error !== null && error <= MOST_ERROR) return []
    const what = error === null ? 'not a number' : String(error)
    return [`${row.layer}, ${caseText(row)}: its error is ${what}`]
  })
}
