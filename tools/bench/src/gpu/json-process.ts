// A child process that answers every line of JSON with one: { id, ok } or { id, error }.

import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { NativeError } from 'deepgemm'

type Waiting = {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
  readonly timer: NodeJS.Timeout
}

type Answer = { readonly id: number; readonly ok?: unknown; readonly error?: string }

export type JsonProcessOptions = {
  /** Names the process in errors. */
  readonly subject: string
  /** An absolute path. */
  readonly file: string
  readonly args: readonly string[]
  readonly cwd?: string
  /** An answer that takes longer ends the process. */
  readonly timeoutMs: number
}

export class JsonProcess {
  readonly #subject: string
  readonly #timeoutMs: number
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  readonly #waiting = new Map<number, Waiting>()
  #ended: NativeError | undefined
  #last = 0

  constructor({ subject, file, args, cwd, timeoutMs }: JsonProcessOptions) {
    this.#subject = subject
    this.#timeoutMs = timeoutMs
    this.#child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'], cwd })
    this.#child.stdin.on('error', () => {}) // its end is told by `close` or `error` below
    this.#child.once('error', (cause) => this.#end(`it did not start (${cause.message})`))
    this.#child.once('close', (code, signal) => this.#end(`it ended with ${signal ?? code}`))
    createInterface(this.#child.stdout).on('line', (line) => this.#answer(line))
  }

  /** Why it answers no more; undefined while it does. */
  get ended(): NativeError | undefined {
    return this.#ended
  }

  /** @throws {NativeError} for an answer that is an error, that is late, or that never comes */
  ask(verb: string, members: object = {}): Promise<unknown> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended)
    const id = ++this.#last
    return new Promise((resolve, reject) => {
      const late = `no answer to ${verb} in ${this.#timeoutMs / 1000} s`
      const timer = setTimeout(() => this.#stop(late), this.#timeoutMs)
      this.#waiting.set(id, { resolve, reject, timer })
      this.#child.stdin.write(`${JSON.stringify({ id, do: verb, ...members })}\n`)
    })
  }

  close(): void {
    this.#stop('it was closed')
  }

  #answer(line: string): void {
    const answer = parsed(line)
    const waiting = answer && this.#waiting.get(answer.id)
    if (answer === undefined || waiting === undefined) {
      this.#stop(`the answer ${JSON.stringify(line.slice(0, 200))}`)
      return
    }
    this.#waiting.delete(answer.id)
    clearTimeout(waiting.timer)
    if (answer.error === undefined) waiting.resolve(answer.ok)
    else waiting.reject(new NativeError(`${this.#subject} failed`, { given: answer.error }))
  }

  #stop(given: string): void {
    this.#end(given)
    this.#child.stdin.end()
    this.#child.kill('SIGKILL')
  }

  #end(given: string): void {
    this.#ended ??= new NativeError(`${this.#subject} answers no more`, { given })
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer)
      reject(this.#ended)
    }
    this.#waiting.clear()
  }
}

function parsed(line: string): Answer | undefined {
  try {
    const value = JSON.parse(line) as Partial<Answer> | null
    return typeof value?.id === 'number' ? (value as Answer) : undefined
  } catch {
    return undefined
  }
}
