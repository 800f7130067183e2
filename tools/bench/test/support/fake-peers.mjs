// Answers like peers/gpu_peers.py, without a GPU. Its first argument, if any, says how it misbehaves.

import { createInterface } from 'node:readline'

const [manner] = process.argv.slice(2)
const answers = {
  hello: () => ({
    peers: { deepgemm: '9.9' },
    missing: { cublaslt: 'ImportError: no such module' },
  }),
  copy: () => ({ gbs: 3000.4 }),
  prepare: ({ m }) => ({
    deepgemm: m === 2 ? { refused: 'ValueError: not two' } : { error: m === 3 ? 0.5 : 1e-6 },
  }),
  prepare_grouped: (members) => answers.prepare(members),
  prepare_layer: () => ({ torch_layer: { error: 1e-6 }, triton_layer: { refused: 'no Triton' } }),
  measure: ({ replays }) => ({ us: Array.from({ length: replays }, (_, i) => 20 + i) }),
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, do: verb, ...members } = JSON.parse(line)
  if (verb === 'measure' && manner === 'ends') process.exit(3)
  if (verb === 'measure' && manner === 'silent') return
  if (verb === 'measure' && manner === 'babbles') console.log('Compiling ...')
  const answer = answers[verb]
  const body = answer === undefined ? { error: `no ${verb}` } : { ok: answer(members) }
  console.log(JSON.stringify({ id, ...body }))
})
