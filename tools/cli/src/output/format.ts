const UNITS = ['B', 'kB', 'MB', 'GB', 'TB']

/** `10.3 MB`, in powers of 1000. */
export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit === 0 ? value : value.toPrecision(3)} ${UNITS[unit]}`
}

/** `4 s`, `3 min 20 s`, `2 h 5 min`. */
export function formatDuration(seconds: number): string {
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`
}

/** An error measure: `6.79e-4`, or `0`. */
export function formatError(value: number): string {
  return value === 0 ? '0' : value.toExponential(2)
}

/** `[256, 128]` */
export function formatShape(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`
}

/** `just now`, `12 min ago`, `3 d ago`. */
export function formatAge(time: Date, now: Date = new Date()): string {
  const minutes = Math.floor((now.getTime() - time.getTime()) / 60_000)
  if (minutes < 1) return 'just now'
  if (minutes < 60) return `${minutes} min ago`
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ago`
  return `${Math.floor(minutes / (24 * 60))} d ago`
}
