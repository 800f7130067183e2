// Draws the pictures of a report; bundled with the plot library into its page.

import type { ChartData } from '@deepgemm/bench'
import { accuracyPlot } from './accuracy.js'
import { rooflinePlot } from './roofline.js'
import { speedupPlots } from './speedups.js'

type Draw = (data: ChartData, width: number) => readonly Element[]

const PICTURES: Readonly<Record<string, Draw>> = {
  roofline: (data, width) => [rooflinePlot(data, width)],
  speedups: speedupPlots,
  accuracy: (data, width) => [accuracyPlot(data, width)],
}

const data = JSON.parse(document.getElementById('data')?.textContent ?? '') as ChartData
for (const [id, draw] of Object.entries(PICTURES)) {
  const place = document.getElementById(id)
  if (place !== null) keepDrawn(place, (width) => draw(data, width))
}

/** Draws again whenever the place has another width, as on a phone that is turned. */
function keepDrawn(place: HTMLElement, draw: (width: number) => readonly Element[]): void {
  let drawn = 0
  const update = (): void => {
    const width = Math.floor(place.clientWidth)
    if (width === drawn || width === 0) return
    drawn = width
    place.replaceChildren(...draw(width))
  }
  new ResizeObserver(update).observe(place)
  update()
}
