import type { CompilerIdentity } from '../kernel-key.js'

/** One translation unit to compile. */
export type CompileRequest = {
  readonly source: string
  /** GPU architecture, `sm_90a`. */
  readonly target: string
  /** After the compiler's own base flags. */
  readonly flags: readonly string[]
  /** The kernel's name, for messages and for compilers that must be told which symbol to keep. */
  readonly entryName: string
}

export type CompileResult = {
  readonly cubin: Uint8Array
  /** What the compiler printed; empty when it had nothing to say. */
  readonly log: string
}

/** Anything that turns CUDA source into a cubin. Stateless: several compiles may run at once. */
export interface Compiler {
  readonly name: string
  /** Flags it always passes. They are part of a kernel's key, so they must not name a path. */
  readonly baseFlags: readonly string[]
  /** Asked once per process and part of a kernel's key: the full version, never a path. */
  identity(): Promise<CompilerIdentity>
  /** Rejects with a CompileError that quotes the first errors. */
  compile(request: CompileRequest): Promise<CompileResult>
}
