// Checks that are one command of a well-kept tool.

import { run } from '../lib/run.mjs'

/** @returns {import('./index.mjs').Check} */
function command(name, title, tool, args) {
  return {
    name,
    title,
    async check() {
      const { code, output } = await run(tool, args)
      return { problems: code === 0 ? [] : [output.trimEnd()] }
    },
  }
}

export const biome = command('biome', 'lint and format (biome)', 'biome', [
  'ci',
  '--error-on-warnings',
  '--diagnostic-level=warn',
  '--colors=off',
])
export const types = command('types', 'tests and scripts type-check (tsc)', 'tsc', [
  '-p',
  'tsconfig.tests.json',
])
export const knip = command('knip', 'no dead code or unused dependency (knip)', 'knip', [
  '--no-progress',
  '--no-config-hints',
])
