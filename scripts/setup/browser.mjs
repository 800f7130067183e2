// A browser for what is looked at: reports and the site. Only CI installs one, and only as root on a
// system with apt; elsewhere what needs it is skipped, and said so.

import { findBrowser } from '../lib/browser.mjs'
import { say } from '../lib/report.mjs'
import { run } from '../lib/run.mjs'

const APT = ['-y', '--no-install-recommends', 'install', 'chromium']

export async function installBrowser() {
  if (findBrowser() !== undefined || process.getuid?.() !== 0) return
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  try {
    await run('apt-get', ['update'], { env })
    const { code, output } = await run('apt-get', APT, { env })
    if (code !== 0) say(`Chromium could not be installed:\n${output.trimEnd()}`)
  } catch {
    // No apt here.
  }
}
