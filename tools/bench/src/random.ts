// Pure: operands that are neither zeros nor denormal. The same seed gives the same numbers.

/** Random e4m3 codes of either sign and a magnitude below 2: no NaN, no overflow. */
export function randomCodes(count: number, seed: number): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(count / 4))
  fill(words, seed)
  for (let i = 0; i < words.length; i++) words[i] = (words[i] as number) & 0xbfbfbfbf
  return new Uint8Array(words.buffer, 0, count)
}

/** Random numbers from -1 (inclusive) to 1 (exclusive). */
export function uniformArray(count: number, seed: number): Float32Array<ArrayBuffer> {
  const words = new Uint32Array(count)
  fill(words, seed)
  const out = new Float32Array(count)
  for (let i = 0; i < count; i++) out[i] = (words[i] as number) / 2 ** 31 - 1
  return out
}

/** xorshift32 */
function fill(words: Uint32Array, seed: number): void {
  let state = (seed * 0x9e3779b9) | 1
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    words[i] = state
  }
}
