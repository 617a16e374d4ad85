// Plots with uPlot, in the colors of the theme and as wide as their place.

import { byId, setText } from "./dom.js";

const HEIGHT = 140;
const plots = new Map(); // id → { plot, draw }

const color = (name) => {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
};

// Draws values over times (seconds since 1970); `shown` makes a text of a value.
export function draw(id, times, values, shown, { bars = false } = {}) {
  const place = byId(id);
  const data = [times, values];
  const last = values.filter((value) => value !== null).at(-1) ?? null;
  const most = values.reduce((one, other) => Math.max(one, other ?? 0), 0);
  if (!bars) setText(`${id}-now`, shown(last));
  place.setAttribute("aria-label", `Latest ${shown(last)}, highest ${shown(most)}`);
  const before = plots.get(id);
  if (before) {
    before.plot.setData(data);
    before.data = data;
    return;
  }
  plots.set(id, { plot: create(place, data, shown, bars), data, shown, bars });
  new ResizeObserver(() => {
    const width = place.clientWidth;
    if (width && width !== plots.get(id).plot.width) plots.get(id).plot.setSize({ width, height: HEIGHT });
  }).observe(place);
}

// Draws all plots again, because the theme has changed.
export function redraw() {
  for (const [id, kept] of plots) {
    kept.plot.destroy();
    kept.plot = create(byId(id), kept.data, kept.shown, kept.bars);
  }
}

function create(place, data, shown, bars) {
  const quiet = color("--quiet");
  const accent = color("--accent");
  const grid = { stroke: color("--line"), width: 1 };
  const axis = { stroke: quiet, grid, ticks: { show: false }, font: "11px system-ui" };
  const options = {
    width: place.clientWidth || 300,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    scales: { y: { range: (_, __, most) => [0, most > 0 ? most * 1.1 : 1] } },
    axes: [
      { ...axis, space: 60, values: bars ? [[86400, "{YYYY}-{MM}-{DD}"]] : [[60, "{HH}:{mm}"]] },
      { ...axis, size: 52, values: (_, ticks) => ticks.map(shown) },
    ],
    series: [
      {},
      bars
        ? { stroke: accent, fill: accent, paths: uPlot.paths.bars({ size: [0.6, 40] }), points: { show: false } }
        : { stroke: accent, width: 1.5, spanGaps: false, points: { size: 4, fill: accent } },
    ],
  };
  return new uPlot(options, data, place);
}
