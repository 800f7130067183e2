/** Inputs that a coverage-guided fuzzer found, see tools/fuzz: each of them another way through. */

import { readdir, readFile } from 'node:fs/promises'
import { CheckpointError } from '@deepgemm/core'
import { expect, test } from 'vitest'
import { target as headerTarget } from '../../../tools/fuzz/targets/header.mjs'
import { target as indexTarget } from '../../../tools/fuzz/targets/index.mjs'
import * as headers from '../src/header-parse.js'
import * as indexes from '../src/index-file.js'
import * as quantization from '../src/quantization.js'
import * as text from '../src/text.js'

test.each([
  ['header', headerTarget({ ...headers, CheckpointError })],
  ['index', indexTarget({ ...indexes, ...quantization, ...text, CheckpointError })],
])('every input of the fuzzer’s corpus reads or is refused: %s', async (name, fuzz) => {
  const folder = new URL(`../../../tools/fuzz/corpus/${name}/`, import.meta.url)
  const names = await readdir(folder)
  expect(names.length).toBeGreaterThan(50)
  for (const input of names) {
    const bytes = await readFile(new URL(input, folder))
    expect(() => fuzz(bytes), input).not.toThrow()
  }
})
