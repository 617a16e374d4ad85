// The models of LM Studio: load, unload, download.

import { send, stream } from "./api.js";
import { announce, attempt, button, byId, element, fillTable, setText } from "./dom.js";
import { UNKNOWN, count, left, percent, size } from "./format.js";
import { unload } from "./overview.js";
import { refresh } from "./polling.js";

export const paths = () => ["models"];

const MODELS = [
  (model) => [model.name, machinesOf(model)],
  (model) => model.kind ?? UNKNOWN,
  (model) => size(model.size_bytes),
  (model) => [
    count(model.is_loaded ? model.context_length : model.max_context_length),
    model.is_loaded && model.max_context_length ? `of ${count(model.max_context_length)}` : "",
  ],
  (model) => (model.is_loaded ? ["loaded", left(model.expires_at), "good"] : ["not loaded", "", "quiet"]),
  (model) =>
    element(
      "span",
      {},
      button("Load", `Load ${model.name}`, () => askAndLoad(model)),
      button("Unload", `Unload ${model.name}`, () => unload(model.name)),
    ),
];

const machinesOf = ({ backends }) =>
  (backends ?? []).map(({ name, is_loaded: isLoaded }) => (isLoaded ? `${name} (loaded)` : name)).join(", ");

export function render({ models }) {
  fillTable("models", models, (model) => model.name, MODELS, "LM Studio has no models. Download one above.");
  const rows = byId("models").tBodies[0].rows;
  models.forEach((model, place) => {
    const [load, drop] = rows[place].querySelectorAll("button");
    load.hidden = model.is_loaded;
    drop.hidden = !model.is_loaded;
  });
  return false;
}

export function fail(failure) {
  fillTable("models", [], String, [], failure.message);
}

function askAndLoad(model) {
  const dialog = byId("load-dialog");
  setText("load-name", model.name);
  byId("load-context").max = model.max_context_length ?? "";
  dialog.querySelector("form").onsubmit = (event) => {
    event.preventDefault();
    dialog.close();
    load(model.name, byId("load-context").valueAsNumber, byId("load-ttl").valueAsNumber);
  };
  byId("load-cancel").onclick = () => dialog.close();
  dialog.showModal();
}

const load = (model, context, minutes) =>
  attempt(async () => {
    announce(`Loading ${model} …`);
    const wanted = { model };
    if (context) wanted.context_length = context;
    if (minutes) wanted.ttl_seconds = 60 * minutes;
    await send("POST", "models/load", wanted);
    announce(`Loaded ${model}.`);
    refresh();
  });

byId("pull").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(() => pull(byId("pull-name").value.trim()));
});

async function pull(model) {
  byId("message").hidden = true;
  byId("pull-button").disabled = true;
  byId("pull-state").hidden = false;
  setText("pull-text", `Looking for ${model} …`);
  byId("pull-bar").removeAttribute("value");
  try {
    for await (const step of lines(await stream("POST", "models/pull", { model }))) {
      if (step.error) throw new Error(step.error);
      showStep(step);
    }
    announce(`${model} is complete.`);
  } finally {
    byId("pull-button").disabled = false;
    byId("pull-state").hidden = true;
    refresh();
  }
}

function showStep({ status, total, completed }) {
  const share = total ? (completed ?? 0) / total : null;
  if (share !== null) byId("pull-bar").value = share;
  const isMoving = share !== null && status.startsWith("pulling ");
  setText("pull-text", isMoving ? `${percent(share)} of ${size(total)}` : status);
}

// Yields the JSON objects of a streamed answer, one a line.
async function* lines(answer) {
  let rest = "";
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    const found = (rest + (value ?? "")).split("\n");
    rest = done ? "" : found.pop();
    for (const line of found) if (line.trim()) yield JSON.parse(line);
    if (done) return;
  }
}
