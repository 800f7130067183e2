// Where the kernel sources lie on this machine. Data only: nothing here compiles or loads anything.

import { fileURLToPath } from 'node:url'

export { wgmmaColumns, wgmmaInstructions } from './wgmma.js'

/** Folder of the C++ sources that the native addon links in. */
export const cpuSources: string = fileURLToPath(new URL('../cpu/', import.meta.url))

/** Folder of the CUDA sources that are compiled at run time. */
export const cudaSources: string = fileURLToPath(new URL('../cuda/', import.meta.url))
