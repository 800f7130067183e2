// A child process that answers every line with one line: `ok <number>` or `error <sentence>`.

import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { NativeError } from 'deepgemm'

type Waiting = { readonly resolve: (value: number) => void; readonly reject: (e: Error) => void }

/** What an answer says. @throws {NativeError} for an error, or a line of another form. */
export function parseAnswer(subject: string, line: string): number {
  const value = /^ok (\S+)$/.exec(line)?.[1]
  if (value !== undefined && Number.isFinite(Number(value))) return Number(value)
  const reason = /^error (.*)$/.exec(line)?.[1]
  throw new NativeError(`${subject} failed`, {
    given: reason ?? `the answer ${JSON.stringify(line)}`,
  })
}

export class LineProcess {
  readonly #subject: string
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  readonly #waiting: Waiting[] = []
  #ended: NativeError | undefined

  constructor(
    subject: string,
    file: string,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ) {
    this.#subject = subject
    this.#child = spawn(file, args, {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, ...env },
    })
    this.#child.stdin.on('error', () => {}) // its end is told by `close` or `error` below
    this.#child.once('error', (cause) => this.#end(`it did not start (${cause.message})`))
    this.#child.once('close', (code, signal) => this.#end(`it ended with ${signal ?? code}`))
    createInterface(this.#child.stdout).on('line', (line) => this.#answer(line))
  }

  /** Sends a line and resolves with the number that answers it. @throws {NativeError} */
  ask(line: string): Promise<number> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended)
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      this.#child.stdin.write(`${line}\n`)
    })
  }

  close(): void {
    this.#ended ??= new NativeError(`${this.#subject} was closed`)
    this.#child.stdin.end()
    this.#child.kill()
  }

  #answer(line: string): void {
    const waiting = this.#waiting.shift()
    try {
      waiting?.resolve(parseAnswer(this.#subject, line))
    } catch (error) {
      waiting?.reject(error as Error)
    }
  }

  #end(given: string): void {
    this.#ended ??= new NativeError(`${this.#subject} ended early`, { given })
    for (const { reject } of this.#waiting.splice(0)) reject(this.#ended)
  }
}
