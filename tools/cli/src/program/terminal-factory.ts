import type { RawOptions } from '../options.js'
import type { Terminal } from '../output/terminal.js'

/** Makes the terminal a command writes to, once its options are known. */
export type TerminalFactory = (json: boolean) => Terminal

/** The terminal for the options that a command was given. */
export type On = (options: RawOptions) => Terminal
