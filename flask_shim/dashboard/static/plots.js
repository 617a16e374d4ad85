// Plots with uPlot, in the colors of the theme and as wide as their place.

import { byId, setText } from "./dom.js";

const HEIGHT = 140;
const DAY = 86400;
const STEPS = [1, 2, 5].flatMap((step) => [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8].map((power) => step * power)).sort((one, other) => one - other);
const BY_DAY = {
  incrs: [1, 2, 7, 14, 28, 56, 91, 182, 364].map((days) => days * DAY),
  splits: daysBack,
  values: [[DAY, "{YYYY}-{MM}-{DD}"]],
  space: 80,
};
const plots = new Map(); // id → { plot, data, style }

const color = (name) => {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
};

// Draws values over times (seconds since 1970); `shown` makes a text of a value.
export function draw(id, times, values, shown, { bars = false, whole = bars } = {}) {
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
  const style = { shown, bars, whole };
  plots.set(id, { plot: create(place, data, style), data, style });
  new ResizeObserver(() => {
    const width = place.clientWidth;
    if (width && width !== plots.get(id).plot.width) plots.get(id).plot.setSize({ width, height: HEIGHT });
  }).observe(place);
}

// Draws all plots again, because the theme has changed.
export function redraw() {
  for (const [id, kept] of plots) {
    kept.plot.destroy();
    kept.plot = create(byId(id), kept.data, kept.style);
  }
}

// Returns the first and the last time, half a day apart from the bars; uPlot itself makes years of a single day.
function daysOf({ data: [times] }) {
  return [(times[0] ?? 0) - DAY / 2, (times.at(-1) ?? 0) + DAY / 2];
}

// Returns the last day and every so many days before it; uPlot itself takes the first days of months, two of which collide.
function daysBack({ data: [times] }, _axis, first, _last, step) {
  const day = new Date(1000 * times.at(-1));
  const found = [];
  for (; day / 1000 >= first; day.setDate(day.getDate() - step / DAY)) found.unshift(day / 1000);
  return found;
}

// Returns the width of an axis: a number that is cut is another number.
const widthOf = (_plot, labels) => Math.max(52, 14 + 7 * Math.max(...(labels ?? []).map((label) => label.length)));

// Returns whether each value gets a dot: a line needs two values side by side.
const hasFewValues = ({ data: [, values] }) => values.filter((value) => value !== null).length < 10;

function create(place, data, { shown, bars, whole }) {
  const quiet = color("--quiet");
  const accent = color("--accent");
  const grid = { stroke: color("--line"), width: 1 };
  const axis = { stroke: quiet, grid, ticks: { show: false }, font: "11px system-ui" };
  const options = {
    width: place.clientWidth || 300,
    height: HEIGHT,
    padding: [null, bars ? 36 : null, null, null], // half of the last date
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { range: bars ? daysOf : (_, first, last) => [first, last] },
      y: { range: (_, __, most) => [0, most > 0 ? most * 1.1 : 1] },
    },
    axes: [
      { ...axis, space: 60, size: 28, ...(bars ? BY_DAY : { values: [[60, "{HH}:{mm}"]] }) },
      { ...axis, size: widthOf, values: (_, ticks) => ticks.map(shown), ...(whole ? { incrs: STEPS } : {}) },
    ],
    series: [
      {},
      bars
        ? { stroke: accent, fill: accent, paths: uPlot.paths.bars({ size: [0.6, 40] }), points: { show: false } }
        : { stroke: accent, width: 1.5, spanGaps: false, points: { size: 4, fill: accent, show: hasFewValues } },
    ],
  };
  return new uPlot(options, data, place);
}
