// A browser of this machine, for what is to be looked at.

import { accessSync, constants } from 'node:fs'
import { delimiter, isAbsolute, join } from 'node:path'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome']

/** Without a display; as root, where Chromium's own sandbox does not work, it does without. */
export const BROWSER_OPTIONS = {
  args: ['--disable-gpu', ...(process.getuid?.() === 0 ? ['--no-sandbox'] : [])],
}

/**
 * The file of a Chromium or Chrome: DEEPGEMM_BROWSER, or the first on the PATH.
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {string | undefined}
 */
export function findBrowser(env = process.env) {
  if (env.DEEPGEMM_BROWSER) return env.DEEPGEMM_BROWSER
  const folders = (env.PATH ?? '').split(delimiter).filter((folder) => isAbsolute(folder))
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable)
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
