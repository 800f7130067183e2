export { processTerminal, type Terminal } from './output/terminal.js'
export type { TerminalFactory } from './program/terminal-factory.js'
export { program } from './program.js'
export { run } from './run.js'
