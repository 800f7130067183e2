// The process of the self-test on another GPU: prints its finding as JSON.

import { selfTest } from './self-test.js'

process.stdout.write(JSON.stringify(await selfTest('cuda')))
