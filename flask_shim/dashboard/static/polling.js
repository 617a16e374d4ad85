// One loop that fetches what the current view shows: often while something happens, seldom while the page is hidden.

import { get } from "./api.js";
import { announce, byId } from "./dom.js";

const BUSY_SECONDS = 1;
const IDLE_SECONDS = 3;
const HIDDEN_SECONDS = 30;
const LONGEST_SECONDS = 30;
const STALE_SECONDS = 8;

let timer = 0;
let failures = 0;
let isAway = false; // the last request got no answer
let sentAt = 0;
let lastAnswer = Date.now();
let view = null;
let running = false;

export function show(next) {
  view = next;
  byId("main").ariaBusy = "true";
  refresh();
}

// Fetches now, then in intervals again.
export async function refresh() {
  clearTimeout(timer);
  if (running) {
    timer = setTimeout(refresh, 100);
    return;
  }
  running = true;
  sentAt = Date.now();
  const shown = view;
  let isBusy = false;
  try {
    const data = await Promise.all(shown.paths().map(get));
    lastAnswer = Date.now();
    failures = 0;
    isAway = false;
    if (shown === view) {
      isBusy = shown.render(...data);
      byId("main").ariaBusy = "false";
    }
  } catch (failure) {
    failures += 1;
    isAway = !failure.status;
    if (!isAway) {
      lastAnswer = Date.now();
      if (shown === view) (shown.fail ?? announceFailure)(failure);
    } else if (!(failure instanceof TypeError)) throw failure; // fetch throws a TypeError if there is no answer
  } finally {
    running = false;
    badge();
    timer = setTimeout(refresh, 1000 * interval(isBusy));
  }
}

const announceFailure = ({ message }) => announce(message, true);

function interval(isBusy) {
  if (failures) return Math.min(LONGEST_SECONDS, 2 ** failures);
  if (document.hidden) return HIDDEN_SECONDS;
  return isBusy ? BUSY_SECONDS : IDLE_SECONDS;
}

function badge() {
  const shown = byId("freshness");
  const seconds = Math.round((Date.now() - lastAnswer) / 1000);
  const isStale = isAway ? seconds >= 1 : running && Date.now() - sentAt >= 1000 * STALE_SECONDS;
  shown.className = isStale ? "badge stale" : "badge live";
  const text = isStale ? `Stale: ${seconds < 60 ? `${seconds} s` : `${Math.round(seconds / 60)} min`}` : "Live";
  if (shown.textContent !== text) shown.textContent = text;
  document.body.classList.toggle("stale", isStale);
}

setInterval(badge, 1000);
document.addEventListener("visibilitychange", () => document.hidden || refresh());
