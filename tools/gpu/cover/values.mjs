// Inputs of the runs that tools watch.

/** Numbers of a few magnitudes and both signs. */
export function numbers(...shape) {
  const count = shape.reduce((all, extent) => all * extent, 1)
  return { data: Float32Array.from({ length: count }, (_, i) => 3 * Math.sin(i)), shape }
}

export function disposeAll(...owners) {
  for (const owner of owners) owner.dispose()
}
