// Counts by day, client and model, if SHIM_HISTORY_DAYS keeps them.

import { byId, fillTable, setText } from "./dom.js";
import { count, duration, rate } from "./format.js";
import { draw } from "./plots.js";
import { refresh } from "./polling.js";

export const paths = () => ["history"];

byId("history-by").addEventListener("change", refresh);

const SHOWN = ["requests", "errors", "prompt_tokens", "output_tokens"];
const SUMS = [...SHOWN, "timed_tokens", "generation_seconds", "first_tokens", "first_token_seconds"];

const COLUMNS = [
  (row) => row.name || "unknown",
  ...SHOWN.map((name) => (row) => count(row[name])),
  (row) => rate(row.tokens_per_second),
  (row) => duration(row.time_to_first_token_seconds),
];

export function render({ days_kept: kept, rows }) {
  const by = byId("history-by").value;
  setText(byId("history").tHead.rows[0].cells[0], by[0].toUpperCase() + by.slice(1));
  const empty = kept
    ? "Nothing counted yet. The first request appears within a minute."
    : "History is off. Set SHIM_HISTORY_DAYS, for example to 30, and restart: counts and times are kept, never prompts.";
  const groups = grouped(rows, by);
  fillTable("history", by === "day" ? groups.toReversed() : groups, (row) => row.name, COLUMNS, empty);
  byId("history-plots").hidden = rows.length === 0;
  const days = grouped(rows, "day");
  const times = days.map((day) => Date.parse(`${day.name}T00:00`) / 1000);
  draw("plot-days", times, days.map((day) => day.requests), count, { bars: true });
  draw("plot-tokens", times, days.map((day) => day.output_tokens), count, { bars: true });
  return false;
}

// Adds up the rows of each day, client or model. The means are those of all answers whose time is known.
function grouped(rows, by) {
  const groups = new Map();
  for (const row of rows) {
    const group = groups.get(row[by]) ?? { name: row[by] };
    groups.set(row[by], group);
    for (const name of SUMS) group[name] = (group[name] ?? 0) + row[name];
  }
  for (const group of groups.values()) {
    group.tokens_per_second = group.generation_seconds ? group.timed_tokens / group.generation_seconds : null;
    group.time_to_first_token_seconds = group.first_tokens ? group.first_token_seconds / group.first_tokens : null;
  }
  return [...groups.values()].sort((one, other) => (by === "day" ? one.name.localeCompare(other.name) : other.requests - one.requests));
}
