import * as core from '@deepgemm/core'
import { describe, expect, it } from 'vitest'

const { DeepGemmError } = core

const CODES = {
  ShapeError: 'ERR_SHAPE',
  DTypeError: 'ERR_DTYPE',
  LayoutError: 'ERR_LAYOUT',
  RecipeError: 'ERR_RECIPE',
  GroupError: 'ERR_GROUP',
  DisposedError: 'ERR_DISPOSED',
  DeviceError: 'ERR_DEVICE',
  OptionError: 'ERR_OPTION',
  NativeError: 'ERR_NATIVE',
  CheckpointError: 'ERR_CHECKPOINT',
  CacheError: 'ERR_CACHE',
  CompileError: 'ERR_COMPILE',
} as const

/** Everything exported under the name of an error. */
const classes = new Map(Object.entries(core).filter(([name]) => name.endsWith('Error')))

describe('errors', () => {
  it.each(Object.entries(CODES))('%s has the code %s and its own name', (name, code) => {
    const Class = classes.get(name) as new (subject: string) => core.DeepGemmError
    const error = new Class('It failed')
    expect(error).toBeInstanceOf(Error)
    expect(error).toBeInstanceOf(DeepGemmError)
    expect([error.name, error.code, error.message]).toEqual([name, code, 'It failed'])
  })

  it('all have a code of their own', () => {
    const expected = [...Object.keys(CODES), 'DeepGemmError']
    expect([...classes.keys()].sort()).toEqual(expected.sort())
    expect(new Set(Object.values(CODES)).size).toBe(Object.keys(CODES).length)
  })

  it('say what was given, what is allowed and what to do', () => {
    const detail = { given: '3', allowed: '1 or 2', remedy: 'Use 2.' }
    const error = new DeepGemmError('K is wrong', detail)
    expect(error.message).toBe('K is wrong: given 3; allowed 1 or 2. Use 2.')
    expect(error).toMatchObject({ ...detail, code: 'ERR_DEEPGEMM' })
  })

  it('leave out what is not known', () => {
    expect(new DeepGemmError('X', { given: '3' }).message).toBe('X: given 3')
    expect(new DeepGemmError('X', { remedy: 'Stop.' }).message).toBe('X. Stop.')
    expect(new DeepGemmError('X').given).toBeUndefined()
  })

  it('carry a cause and a more specific code when there is one', () => {
    const cause = new Error('disk')
    const error = new core.CacheError('X', { cause, code: 'ERR_CACHE_FULL' })
    expect(error.cause).toBe(cause)
    expect(error.code).toBe('ERR_CACHE_FULL')
    expect('cause' in new core.CacheError('X')).toBe(false)
  })
})
