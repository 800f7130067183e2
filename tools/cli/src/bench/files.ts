import { constants } from 'node:fs'
import { access, readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { parseResult, type SuiteResult } from '@deepgemm/bench'
import { OptionError } from 'deepgemm'

/** Measuring takes minutes; a file that cannot be written is refused before. @throws {OptionError} */
export async function requireWritableFolder(option: string, file: string): Promise<void> {
  try {
    await access(dirname(resolve(file)), constants.W_OK)
  } catch (cause) {
    throw new OptionError(`The file of ${option} cannot be written there`, {
      given: `${file} (${(cause as NodeJS.ErrnoException).code})`,
      allowed: 'a file in a folder that is there and may be written to',
      cause,
    })
  }
}

/** @throws {OptionError} for what is no result; errors of the system for what cannot be read */
export async function readResult(file: string): Promise<SuiteResult> {
  return parseResult(await readFile(file, 'utf8'), file)
}
