import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** A private folder that is removed when the running test ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'deepgemm-jit-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
