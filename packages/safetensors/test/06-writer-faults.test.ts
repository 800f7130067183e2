import { access, open, readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import {
  SafetensorsFile,
  SafetensorsWriter,
  type TensorSpec,
  writeFileAtomic,
} from '../src/index.js'
import { pattern, refusal, temporaryFolder } from './helpers.js'

afterEach(() => {
  vi.restoreAllMocks()
})

const TWO: readonly TensorSpec[] = [
  { name: 'a', dtype: 'U8', shape: [3] },
  { name: 'b', dtype: 'F32', shape: [2, 2] },
]

async function target(): Promise<string> {
  return join(await temporaryFolder(), 'out.safetensors')
}

/** Makes the next `method` of any file handle fail, as a full or broken disk would. */
async function failNext(method: 'write' | 'sync', code: string): Promise<void> {
  const handle = await open(import.meta.filename)
  const prototype = Object.getPrototypeOf(handle)
  await handle.close()
  vi.spyOn(prototype, method).mockRejectedValueOnce(Object.assign(new Error(code), { code }))
}

describe('a file appears whole or not at all', () => {
  test('there is nothing under its name before finish', async () => {
    const path = await target()
    await using writer = await SafetensorsWriter.create(path, TWO)
    await writer.write('b', new Uint8Array(16))
    await expect(access(path)).rejects.toThrow('ENOENT')
    expect(await readdir(dirname(path))).toEqual([expect.stringMatching(/^\.safetensors-.*\.tmp$/)])
  })

  test('leaving without finish leaves nothing', async () => {
    const path = await target()
    {
      await using writer = await SafetensorsWriter.create(path, TWO)
      await writer.write('b', new Uint8Array(16))
    }
    expect(await readdir(dirname(path))).toEqual([])
  })

  test('finish refuses while bytes are missing, names the tensor, and can be tried again', async () => {
    const path = await target()
    await using writer = await SafetensorsWriter.create(path, TWO)
    await writer.write('b', new Uint8Array(16))
    await writer.write('a', new Uint8Array(2))
    const error = await refusal(() => writer.finish())
    expect(error.given).toBe('1 bytes not written, the first of tensor "a"')
    await writer.write('a', new Uint8Array(1))
    await writer.finish()
    await (await SafetensorsFile.open(path)).close()
  })

  test('finish waits for writes in flight', async () => {
    const path = await target()
    await using writer = await SafetensorsWriter.create(path, [
      { name: 'x', dtype: 'U8', shape: [1 << 22] },
    ])
    const bytes = pattern(1 << 22, 5)
    const writes = [
      writer.write('x', bytes.subarray(0, 1 << 21)),
      writer.write('x', bytes.subarray(1 << 21)),
    ]
    await writer.finish()
    await Promise.all(writes)
    await using file = await SafetensorsFile.open(path)
    expect(Buffer.compare(await file.read('x'), bytes)).toBe(0)
  })

  test.each([
    ['write', 'ENOSPC', /cannot write .*given ENOSPC.*Free space/],
    ['write', 'EDQUOT', /quota/],
    ['write', 'EIO', /given EIO.*Check the disk/],
    ['sync', 'ENOSPC', /Free space/],
  ] as const)('%s failing with %s removes the temporary file', async (method, code, message) => {
    const path = await target()
    const writer = await SafetensorsWriter.create(path, TWO)
    await writer.write('b', new Uint8Array(16))
    await failNext(method, code)
    const error = await refusal(async () => {
      await writer.write('a', new Uint8Array(3))
      await writer.finish()
    })
    expect(error.message).toMatch(message)
    expect(error.message).toContain(path)
    expect(await readdir(dirname(path))).toEqual([])
    expect((await refusal(() => writer.finish())).message).toMatch('is aborted')
  })

  test('a disk that is full when the header is written leaves nothing', async () => {
    const path = await target()
    await failNext('write', 'ENOSPC')
    await refusal(() => SafetensorsWriter.create(path, TWO))
    expect(await readdir(dirname(path))).toEqual([])
  })

  test('of two writes in flight, the failure of one ends both', async () => {
    const path = await target()
    const writer = await SafetensorsWriter.create(path, TWO)
    await failNext('write', 'ENOSPC')
    const results = await Promise.allSettled([
      writer.write('a', new Uint8Array(3)),
      writer.write('b', new Uint8Array(16)),
    ])
    expect(results.map(({ status }) => status)).toContain('rejected')
    expect(writer.aborted).toBe(true)
    expect(await readdir(dirname(path))).toEqual([])
  })

  test('a write that makes no progress ends in an error, not in a loop', async () => {
    const path = await target()
    const writer = await SafetensorsWriter.create(path, TWO)
    const handle = await open(import.meta.filename)
    vi.spyOn(Object.getPrototypeOf(handle), 'write').mockResolvedValueOnce({ bytesWritten: 0 })
    await handle.close()
    expect((await refusal(() => writer.write('a', new Uint8Array(3)))).given).toBe('ENOSPC')
  })

  test('a partial write is continued', async () => {
    const path = await target()
    await using writer = await SafetensorsWriter.create(path, TWO)
    const handle = await open(import.meta.filename)
    const prototype = Object.getPrototypeOf(handle)
    await handle.close()
    const whole = prototype.write
    vi.spyOn(prototype, 'write').mockImplementationOnce(function (
      this: unknown,
      ...args: unknown[]
    ) {
      const [bytes, offset, , position] = args
      return whole.call(this, bytes, offset, 2, position)
    })
    await writer.write('b', pattern(16, 1))
    await writer.write('a', pattern(3, 2))
    await writer.finish()
    await using file = await SafetensorsFile.open(path)
    expect(await file.read('b')).toEqual(pattern(16, 1))
  })
})

test('writeFileAtomic writes text and bytes whole, and replaces only when asked', async () => {
  const path = join(await temporaryFolder(), 'config.json')
  await writeFileAtomic(path, '{"a":"ü"}')
  expect(await readFile(path, 'utf8')).toBe('{"a":"ü"}')
  expect((await refusal(() => writeFileAtomic(path, 'x'))).message).toMatch('will not replace')
  await failNext('write', 'ENOSPC')
  await refusal(() => writeFileAtomic(path, 'x', { overwrite: true }))
  expect(await readFile(path, 'utf8')).toBe('{"a":"ü"}')
  await writeFileAtomic(path, Uint8Array.of(65), { overwrite: true })
  expect(await readFile(path, 'utf8')).toBe('A')
  expect(await readdir(dirname(path))).toEqual(['config.json'])
})
