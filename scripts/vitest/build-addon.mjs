// Vitest global set-up of the projects that reach the native addon: brings it up to date, once.

import { must } from '../lib/run.mjs'

/** @type {Promise<string> | undefined} */
let building

export async function setup() {
  building ??= must(process.execPath, ['packages/runtime/scripts/build-native.mjs'])
  await building
}
