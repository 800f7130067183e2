import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { defineConfig } from 'vitest/config'
import { needsAddon, packages, root, sourceEntries } from './scripts/lib/workspace.mjs'

const all = packages()
const addonSetup = join(root, 'scripts/vitest/build-addon.mjs')
const withTests = all.filter((item) => existsSync(join(item.dir, 'test')))

export default defineConfig({
  root,
  resolve: {
    // Tests run against sources: no package has to be built before another one's tests.
    alias: sourceEntries(all).map(({ specifier, source }) => ({
      find: new RegExp(`^${specifier}$`),
      replacement: source,
    })),
  },
  test: {
    maxWorkers: 2,
    testTimeout: 60_000,
    reporters: ['default', ['./scripts/vitest/tally.mjs', { file: '.cache/tests.json' }]],
    coverage: {
      provider: 'v8',
      include: ['packages/*/src/**/*.ts', 'tools/*/src/**/*.ts', 'kernels/src/**/*.ts'],
      reporter: ['text-summary', 'json-summary', 'html'],
      reportOnFailure: true,
      thresholds: { lines: 90 },
    },
    projects: [
      ...withTests.map((item) => ({
        extends: true as const,
        test: {
          name: item.name.replace('@deepgemm/', ''),
          root: item.dir,
          include: ['test/**/*.test.ts'],
          globalSetup: needsAddon(item.name, all) ? [addonSetup] : [],
        },
      })),
      {
        extends: true as const,
        test: { name: 'house', root: join(root, 'scripts'), include: ['test/**/*.test.mjs'] },
      },
    ],
  },
})
