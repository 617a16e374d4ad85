// Both sides of the latest exchanges, and what the server changed between them.

import { get, send, stream } from "./api.js";
import { announce, attempt, button, byId, element, fillTable, setText } from "./dom.js";
import { UNKNOWN, clockTime, count, duration, plural } from "./format.js";
import { refresh } from "./polling.js";

const RECENT = "exchanges";
let selected = "";

export const paths = () => (selected ? [RECENT, `${RECENT}/${encodeURIComponent(selected)}`] : [RECENT]);

// Chooses the exchange of the address: #inspector/ID
export function select(id) {
  selected = id;
  byId("exchange").hidden = true;
  delete byId("exchange").dataset.shown;
}

const EXCHANGES = [
  (exchange) => clockTime(exchange.at),
  (exchange) => exchange.client || UNKNOWN,
  (exchange) => `${exchange.method} ${exchange.path}`,
  (exchange) => exchange.model || UNKNOWN,
  (exchange) => [String(exchange.status || "running"), "", exchange.status >= 400 ? "bad" : ""],
  (exchange) => count(exchange.changes),
  (exchange) => duration(exchange.seconds),
  (exchange) => button("Show", `Show exchange ${exchange.id}`, () => { location.hash = `inspector/${exchange.id}`; }),
];

export function render({ recording, exchanges }, exchange) {
  const isOn = recording.limit > 0;
  const ending = recording.until ? ` until ${clockTime(recording.until)}` : "";
  setText("inspect-state", isOn ? `Recording the last ${plural(recording.limit, "request")}${ending}.` : "Not recording.");
  byId("inspect-stop").hidden = !isOn && exchanges.length === 0;
  const empty = isOn
    ? "Nothing recorded yet. Send a request from the client in question."
    : "Recording is off and costs nothing. Start it, then repeat the request in question.";
  fillTable("exchanges", exchanges, (each) => each.id, EXCHANGES, empty);
  if (exchange) showExchange(exchange);
  return isOn;
}

export function fail(failure) {
  if (failure.status === 404 && selected) {
    announce("That exchange is no longer kept.", true);
    select("");
    return;
  }
  setText("inspect-state", failure.message);
  byId("inspect-start").disabled = failure.status === 403;
}

byId("inspect").addEventListener("submit", (event) => {
  event.preventDefault();
  const wanted = { limit: byId("inspect-count").valueAsNumber, minutes: byId("inspect-minutes").valueAsNumber };
  attempt(async () => {
    await send("POST", RECENT, wanted);
    refresh();
  });
});

byId("inspect-stop").addEventListener("click", () =>
  attempt(async () => {
    await send("DELETE", RECENT);
    select("");
    location.hash = "inspector";
    refresh();
  }),
);

function showExchange(exchange) {
  const place = byId("exchange");
  const version = JSON.stringify(exchange);
  if (place.dataset.shown === version) return;
  const isNew = place.hidden;
  place.dataset.shown = version;
  place.hidden = false;
  const { request } = exchange.client;
  const last = exchange.backend.at(-1);
  place.replaceChildren(
    element("h3", {}, `${request.method} ${request.path} `, element("span", { className: "quiet" }, exchange.id)),
    element("p", { className: exchange.error ? "bad" : "" }, summary(exchange)),
    element("div", { className: "buttons" }, ...actions(exchange, last)),
    ...changes(exchange),
    ...prefix(exchange.prompt_prefix),
    element("pre", { id: "replayed", hidden: true, "aria-live": "polite" }),
    element(
      "div",
      { className: "sides" },
      side("The client sent", request, exchange.answer, "The client received"),
      last ? side("LM Studio received", last.request, last.answer, "LM Studio answered") : nothingSent(),
    ),
  );
  if (isNew) place.focus();
}

function actions(exchange, last) {
  const copyAs = (text, label, base, request) => button(text, label, () => copy(curl(base, request)));
  const shown = [
    button("Download", "Download this exchange as a file", () => download(exchange)),
    copyAs("Copy client's request as curl", "Copy the client's request as a curl command", location.origin, exchange.client.request),
  ];
  if (!last) return shown;
  shown.push(copyAs("Copy LM Studio's request as curl", "Copy the request to LM Studio as a curl command", exchange.backend_url, last.request));
  if (last.request.body) shown.push(button("Replay", "Send the same request to LM Studio again", () => replay(exchange)));
  return shown;
}

function nothingSent() {
  return element("section", {}, element("h4", {}, "LM Studio received"), element("p", { className: "empty" }, "Nothing was sent."));
}

function summary({ outcome, status, error, model, seconds, first_token_seconds: first }) {
  const facts = [`${status || "running"} ${outcome}`, model, `took ${duration(seconds)}`, `first token after ${duration(first)}`];
  return error ? `${status}: ${error}` : facts.filter(Boolean).join(" · ");
}

function changes({ changes: found, backend }) {
  if (!backend.length) return [];
  if (!found.length) return [element("p", { className: "quiet" }, "The request was passed on without changes.")];
  const rows = found.map(({ field, change, reason }) =>
    element("tr", {}, ...[["Field", field], ["Change", change], ["Reason", reason]].map(([label, text]) => labeledCell(label, text))),
  );
  const head = element("tr", {}, ...["Field", "Change", "Reason"].map((text) => element("th", { scope: "col" }, text)));
  return [element("h4", {}, "What was changed, and why"), element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows))];
}

function labeledCell(label, text) {
  const cell = element("td", {}, text);
  cell.dataset.label = label;
  return cell;
}

function prefix(found) {
  if (!found) return [];
  const text = found.differs_at === null
    ? `The prompt continues the one of ${found.previous}: LM Studio can reuse its cache.`
    : `The prompt differs from that of ${found.previous} from message ${found.differs_at + 1} (${found.role}) on, so LM Studio must read it again from there.`;
  const parts = [element("h4", {}, "Prompt cache"), element("p", {}, text)];
  if (found.differs_at !== null) parts.push(element("pre", {}, `before: ${found.before}\nnow:    ${found.now}`));
  return parts;
}

function side(title, request, answer, answerTitle) {
  const body = typeof request.body === "string" ? request.body : JSON.stringify(request.body, null, 2);
  const head = Object.entries(request.headers ?? {}).map(([name, value]) => `${name}: ${value}`);
  return element(
    "section",
    {},
    element("h4", {}, title),
    element("pre", { tabIndex: 0 }, [`${request.method} ${request.path}`, ...head, "", body ?? ""].join("\n")),
    element("h4", {}, answerTitle),
    element("pre", { tabIndex: 0 }, answer ? chunks(answer) : "No answer."),
  );
}

function chunks({ status, first, last, chunks: number, bytes }) {
  const shown = (chunk) => `+${duration(chunk.seconds)}  ${chunk.text}`;
  const left = number - first.length - last.length;
  const middle = left > 0 ? [`… ${plural(left, "chunk")} left out …`] : [];
  return [`Status ${status}, ${plural(number, "chunk")}, ${count(bytes)} bytes`, ...first.map(shown), ...middle, ...last.map(shown)].join("\n");
}

function curl(base, { method, path, headers, body }) {
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const words = ["curl -N", `-X ${method}`, quoted(base.replace(/\/$/, "") + path)];
  for (const [name, value] of Object.entries(headers ?? {})) {
    if (!/^(host|user-agent|connection|content-length|content-encoding|accept-encoding)$/i.test(name)) words.push(`-H ${quoted(`${name}: ${value}`)}`);
  }
  if (body) words.push(`--data-binary ${quoted(typeof body === "string" ? body : JSON.stringify(body))}`);
  return words.join(" \\\n  ");
}

const copy = (text) =>
  attempt(async () => {
    if (!navigator.clipboard) throw new Error("The browser allows copying only on https and on localhost. Download the file instead.");
    await navigator.clipboard.writeText(text);
    announce("Copied.");
  });

function download(exchange) {
  const file = new Blob([JSON.stringify(exchange, null, 2)], { type: "application/json" });
  const link = element("a", { href: URL.createObjectURL(file), download: `flask-shim-${exchange.id}.json` });
  link.click();
  URL.revokeObjectURL(link.href);
}

const replay = (exchange) =>
  attempt(async () => {
    const shown = byId("replayed");
    shown.hidden = false;
    shown.textContent = "";
    const answer = await stream("POST", `${RECENT}/${encodeURIComponent(exchange.id)}/replay`);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) shown.append(part.value);
  });
