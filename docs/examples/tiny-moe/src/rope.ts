/**
 * Rotary position embedding of one head, in place, rotate-half convention: elements j and j + d/2
 * turn by position · theta^(−2j/d).
 */
export function rotate(head: Float32Array, position: number, theta: number): void {
  const half = head.length / 2
  for (let j = 0; j < half; j++) {
    const angle = position * theta ** (-j / half)
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)]
    const [x, y] = [head[j] as number, head[j + half] as number]
    head[j] = x * cos - y * sin
    head[j + half] = y * cos + x * sin
  }
}
