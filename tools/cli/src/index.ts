export { processTerminal, type Terminal } from './output/terminal.js'
export { program, type TerminalFactory } from './program.js'
export { run } from './run.js'
