import { CheckpointError, OptionError } from '@deepgemm/core'
import { quote } from './text.js'

/** What a refusal says besides the file it is about. */
export type Refusal = {
  readonly given: string
  readonly allowed: string
  readonly remedy?: string
  readonly cause?: unknown
}

const DAMAGED =
  'The file is damaged or was not made by a safetensors writer: fetch or write it again.'

/** The error for a file whose content breaks a rule of the format. */
export function refuse(subject: string, { remedy = DAMAGED, ...facts }: Refusal): CheckpointError {
  return new CheckpointError(subject, { ...facts, remedy })
}

type Advice = { readonly allowed: string; readonly remedy: string }

const ADVICE: ReadonlyMap<string, Advice> = new Map([
  ['ENOENT', { allowed: 'a path that exists', remedy: 'Check the path for a typing error.' }],
  [
    'ENOTDIR',
    { allowed: 'a path through folders', remedy: 'Check the path: a part of it is a file.' },
  ],
  ['EEXIST', { allowed: 'a free path', remedy: 'Choose another: something is there already.' }],
  ['EISDIR', { allowed: 'a file', remedy: 'Give the path of a file, not of a folder.' }],
  [
    'EACCES',
    { allowed: 'a path this user may use', remedy: 'Change its permissions, or choose another.' },
  ],
  [
    'EPERM',
    { allowed: 'a path this user may use', remedy: 'Change its permissions, or choose another.' },
  ],
  [
    'EROFS',
    { allowed: 'a writable file system', remedy: 'Choose a folder on a writable file system.' },
  ],
  [
    'ENOSPC',
    { allowed: 'a file system with room', remedy: 'Free space on it, or choose another folder.' },
  ],
  [
    'EDQUOT',
    { allowed: 'a quota with room', remedy: 'Free space in your quota, or choose another folder.' },
  ],
  [
    'EFBIG',
    {
      allowed: 'a file size the system takes',
      remedy: 'Write smaller shards, or raise the limit.',
    },
  ],
  ['EMFILE', { allowed: 'fewer open files', remedy: 'Raise the limit with `ulimit -n`.' }],
  ['ENFILE', { allowed: 'fewer open files', remedy: 'Close files in other processes.' }],
  ['ENAMETOOLONG', { allowed: 'a shorter path', remedy: 'Choose a shorter name.' }],
  ['ERR_INVALID_ARG_VALUE', { allowed: 'a path without NUL', remedy: 'Remove the NUL character.' }],
  [
    'ELOOP',
    {
      allowed: 'a path without a circle of links',
      remedy: 'Remove the links that form the circle.',
    },
  ],
])

const UNKNOWN: Advice = {
  allowed: 'an operation the file system completes',
  remedy: 'Check the disk and the path, then try again.',
}

/** The error for a failed system call: names the path, what was being done, and what to do about it. */
export function ioError(path: string, action: string, cause: unknown): CheckpointError {
  if (cause instanceof CheckpointError) return cause
  const code = (cause as { code?: unknown } | null)?.code
  const advice = ADVICE.get(String(code)) ?? UNKNOWN
  const given = typeof code === 'string' ? code : String(cause)
  return new CheckpointError(`cannot ${action} ${quote(path)}`, { given, ...advice, cause })
}

/** Refuses what cannot be a path before the file system is asked. */
export function requirePath(subject: string, path: unknown): void {
  if (typeof path === 'string' && path !== '') return
  throw new OptionError(`${subject}: path`, {
    given: typeof path === 'string' ? 'an empty string' : typeof path,
    allowed: 'the path of a file or folder, as text',
  })
}

/** @throws {CheckpointError} when a checkpoint has more of something than this package holds. */
export function requireCount(path: string, what: string, count: number, most: number): void {
  if (count <= most) return
  throw refuse(`${quote(path)} has too many ${what}`, {
    given: String(count),
    allowed: `at most ${most}`,
  })
}
