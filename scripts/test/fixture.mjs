// A throw-away repository for a check to look at.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'
import { must } from '../lib/run.mjs'

/**
 * @param {Record<string, string | object>} files path -> text, or an object for a JSON file
 * @returns {string} the folder, removed after the test
 */
export function folderWith(files) {
  const folder = mkdtempSync(join(tmpdir(), 'deepgemm-house-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  for (const [path, content] of Object.entries(files)) {
    const file = join(folder, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content))
  }
  return folder
}

/**
 * The same under git, as the checks that list files expect.
 * @param {Record<string, string | object>} files
 */
export async function repositoryWith(files) {
  const folder = folderWith(files)
  await must('git', ['init', '--quiet'], { cwd: folder })
  return folder
}
