// One build at a time in a folder: ninja itself does not guard against a second one. Test runs of
// several packages start together and each brings the addon up to date first.

import { readFileSync, rmSync, writeFileSync } from 'node:fs'

const PAUSE_MS = 200

function isAlive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM' // it runs, under another user
  }
}

function tryTake(path) {
  try {
    writeFileSync(path, String(process.pid), { flag: 'wx' })
    return true
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
    return false
  }
}

/** Removes a lock whose owner has died; an empty one is being written this moment. */
function dropIfAbandoned(path) {
  try {
    const text = readFileSync(path, 'utf8')
    if (text !== '' && !isAlive(Number(text))) rmSync(path, { force: true })
  } catch (error) {
    if (error.code !== 'ENOENT') throw error
  }
}

/**
 * Runs `work` while no other process runs one under the same lock file.
 * @template T
 * @param {string} path
 * @param {() => T} work
 * @returns {Promise<T>}
 */
export async function withLock(path, work) {
  while (!tryTake(path)) {
    dropIfAbandoned(path)
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
  }
  try {
    return work()
  } finally {
    rmSync(path, { force: true })
  }
}
