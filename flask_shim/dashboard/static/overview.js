// The first view: what runs, on what, and why it may be stuck.

import { send } from "./api.js";
import { announce, attempt, button, byId, fillTable, setText } from "./dom.js";
import { UNKNOWN, clockTime, count, duration, left, percent, plural, rate, size } from "./format.js";
import { draw } from "./plots.js";
import { refresh } from "./polling.js";

export const paths = () => ["status", "requests"];

export function render(status, { running }) {
  showHeadline(status, running);
  showFacts(status);
  setText("running-count", running.length ? String(running.length) : "");
  fillTable("running", running, (request) => request.id, RUNNING, idleText(status));
  fillTable("loaded", status.loaded ?? [], (model) => model.name, LOADED, unloadedText(status));
  byId("machines-part").hidden = !status.backends;
  fillTable("machines", status.backends ?? [], (machine) => machine.name, MACHINES, "");
  showPlots(status.last_hour ?? []);
  return running.length > 0;
}

const RUNNING = [
  (request) => [clientName(request), request.client_address],
  (request) => [request.model || UNKNOWN, machineOf(request)],
  (request) => [phase(request), request.route],
  (request) => [count(request.prompt_tokens), request.cached_tokens ? `${count(request.cached_tokens)} cached` : ""],
  (request) => count(request.output_tokens),
  (request) => rate(request.tokens_per_second),
  (request) => duration(request.time_to_first_token_seconds),
  (request) => duration(request.age_seconds),
  (request) => button("Stop", `Stop the request of ${clientName(request)}`, () => stop(request), "stop"),
];

const LOADED = [
  (model) => [model.name, (model.backends ?? []).join(", ")],
  (model) => size(model.size_bytes),
  (model) => count(model.context_length),
  (model) => left(model.expires_at),
  (model) => button("Unload", `Unload ${model.name}`, () => unload(model.name)),
];

const MACHINES = [
  (machine) => [machine.name, machine.url],
  (machine) => [machine.state, machine.error ?? "", STATES[machine.state]],
  (machine) => machine.loaded.join(", ") || "none",
  (machine) => count(machine.models),
  (machine) => [count(machine.in_flight), machine.max_streams ? `of ${count(machine.max_streams)}` : ""],
  (machine) => count(machine.priority),
];

const STATES = { ready: "good", away: "bad", asleep: "quiet", draining: "quiet" };

// The machine that answers a request, if there are several; otherwise the server sends LM Studio's address.
export const machineOf = ({ backend }) => (backend?.includes(":") ? "" : backend ?? "");

export const clientName = (request) => request.client || request.user_agent || "unknown client";

function phase(request) {
  const { phase: name, queue_seconds: waited, progress_estimate: share } = request;
  if (name === "queued" && typeof waited === "number") return `queued for ${duration(waited)}`;
  return typeof share === "number" ? `${name}, about ${percent(share)}` : name;
}

function showHeadline(status, running) {
  const { backend, slots } = status;
  let [kind, text] = ["good", "Ready. No request is in flight."];
  if (!backend.reachable) {
    [kind, text] = ["bad", backend.error || `LM Studio is not reachable at ${backend.url}. Start it with: lms server start`];
  } else if (slots.total && slots.in_use >= slots.total) {
    [kind, text] = ["warn", `All ${slots.total} slots are in use${waiting(slots)}. Stop a request, or raise SHIM_MAX_STREAMS.`];
  } else if (running.length) {
    const phases = [...new Set(running.map((request) => request.phase))];
    const parts = phases.map((name) => `${running.filter((request) => request.phase === name).length} ${name}`);
    text = `${plural(running.length, "request")} in flight: ${parts.join(", ")}.`;
  }
  byId("headline").firstElementChild.className = `dot ${kind}`;
  setText("headline-text", text);
  document.title = running.length ? `(${running.length}) flask-shim` : "flask-shim";
}

const waiting = (slots) => (slots.waiting ? `, ${plural(slots.waiting, "request")} waiting` : "");

// With SHIM_PORT=0 the system chose the port; this page knows it.
const addresses = (listening) => listening.map((url) => (url.endsWith(":0") ? location.origin : url));

function showFacts({ version, listening, workers, started_at: since, backend, backends, slots, last_error: error }) {
  setText("fact-listening", addresses(listening).join(", "));
  const workersText = workers > 1 ? `, ${workers} workers` : "";
  setText("fact-shim", `Version ${version}, since ${clockTime(since)}${workersText}`);
  const ready = (backends ?? []).filter((machine) => machine.state === "ready");
  setText("fact-backend", backends ? `${ready.length} of ${plural(backends.length, "machine")} ready` : backend.url);
  setText("fact-api", backend.reachable ? `API ${backend.api_version ?? UNKNOWN}` : "Not reachable");
  byId("fact-api").classList.toggle("bad", !backend.reachable);
  setText("fact-slots", `${count(slots.total - slots.in_use)} of ${count(slots.total)}${waiting(slots)}`);
  byId("slots").value = slots.total ? slots.in_use / slots.total : 0;
  setText("fact-error", error ? error.message : "None since the start");
  const remedy = error ? `${clockTime(error.at)}${error.remedy ? ` – ${error.remedy}` : ""}` : "";
  setText("fact-remedy", remedy);
}

// The server sends the minutes in which answers ended; the others are gaps in the plots.
function showPlots(minutes) {
  const found = new Map(minutes.map((each) => [Date.parse(each.minute) / 60000, each]));
  const now = Math.floor(Date.now() / 60000);
  const hour = Array.from({ length: 60 }, (_, place) => now - 59 + place);
  const times = hour.map((minute) => minute * 60);
  const values = (name, otherwise) => hour.map((minute) => found.get(minute)?.[name] ?? otherwise);
  draw("plot-speed", times, values("tokens_per_second", null), rate);
  draw("plot-first", times, values("time_to_first_token_seconds", null), duration);
  draw("plot-streams", times, values("streams", 0), count, { whole: true });
}

function idleText({ backend, listening }) {
  if (!backend.reachable) return "Requests fail until LM Studio answers.";
  return `Nothing is running. Point a client at ${addresses(listening)[0]} and send it a question.`;
}

function unloadedText({ backend }) {
  if (!backend.reachable) return "Unknown while LM Studio does not answer.";
  return "No model is loaded. The first request loads one, or load it under Models.";
}

const stop = (request) =>
  attempt(async () => {
    await send("DELETE", `requests/${encodeURIComponent(request.id)}`);
    announce(`Stopped the request of ${clientName(request)}.`);
    refresh();
  });

export const unload = (model) =>
  attempt(async () => {
    await send("POST", "models/unload", { model });
    announce(`Unloaded ${model}.`);
    refresh();
  });
