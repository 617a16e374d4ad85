// Shows ../openapi.json with Swagger UI. Everything comes from this server.
"use strict";

const form = document.getElementById("ask");

function get(path, key) {
  return fetch(path, { headers: key ? { Authorization: `Bearer ${key}` } : {} });
}

async function list(path, key) {
  try {
    const answer = await get(path, key);
    return answer.ok ? (await answer.json()).models : [];
  } catch {
    return []; // LM Studio is away: the examples keep their own names
  }
}

// What is there for each kind of example; loaded models first, since those answer at once.
async function present(key) {
  const [running, all] = await Promise.all([list("../api/ps", key), list("../api/tags", key)]);
  const loaded = new Set(running.map((model) => model.name));
  const models = [...all].sort((one, other) => loaded.has(other.name) - loaded.has(one.name));
  const first = (wanted) => models.find((model) => model.capabilities.includes(wanted))?.name;
  return {
    names: new Set(models.flatMap((model) => [model.name, model.name.replace(/:latest$/, "")])),
    chat: first("completion"),
    vision: first("vision"),
    embedding: first("embedding"),
    decision: first("decision"),
  };
}

function withModels(spec, here) {
  const other = new Map();
  for (const [kind, name] of Object.entries(spec["x-example-models"])) {
    if (here[kind] && !here.names.has(name)) other.set(name, here[kind]);
  }
  const swap = (_, value) => (other.has(value) ? other.get(value) : value);
  return JSON.parse(JSON.stringify(spec), swap);
}

async function show(key) {
  const answer = await get("../openapi.json", key);
  if (answer.status === 401) {
    document.getElementById("wrong").textContent = key ? "That key is not the right one." : "";
    form.hidden = false;
    return;
  }
  form.hidden = true;
  const spec = withModels(await answer.json(), await present(key));
  spec.servers = [{ url: new URL("..", location.href).href.replace(/\/$/, "") }];
  const ui = SwaggerUIBundle({
    spec,
    domNode: document.getElementById("page"),
    deepLinking: true,
    displayRequestDuration: true,
    defaultModelsExpandDepth: 0,
    docExpansion: "list",
    tryItOutEnabled: true,
    validatorUrl: null,
    onComplete: () => key && ui.preauthorizeApiKey("key", key),
  });
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  show(document.getElementById("key").value);
});

show("");
