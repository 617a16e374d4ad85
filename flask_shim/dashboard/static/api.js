// Requests to this server: with the key that it asks for, the token of this page, and ETags.

const KEY = "flask-shim-key";
const token = document.querySelector('meta[name="shim-token"]').content;
const kept = new Map(); // path → { etag, data }

export class Failure extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

// Returns the data of a path; the same object as before if nothing has changed.
export async function get(path) {
  const before = kept.get(path);
  const answer = await call("GET", path, before?.etag ? { "If-None-Match": before.etag } : {});
  if (answer.status === 304) return before.data;
  const data = await answer.json();
  kept.set(path, { etag: answer.headers.get("ETag"), data });
  return data;
}

export async function send(method, path, body) {
  const answer = await stream(method, path, body);
  const text = await answer.text();
  return text ? JSON.parse(text) : null;
}

// Returns the answer itself, to read it while it arrives.
export function stream(method, path, body, signal) {
  const headers = { "X-Shim-Token": token, "Content-Type": "application/json" };
  return call(method, path, headers, body === undefined ? undefined : JSON.stringify(body), signal);
}

async function call(method, path, headers, body, signal) {
  for (;;) {
    const key = sessionStorage.getItem(KEY);
    const sent = key ? { ...headers, Authorization: `Bearer ${key}` } : headers;
    const answer = await fetch(path, { method, headers: sent, body, signal, cache: "no-store" });
    if (answer.ok || answer.status === 304) return answer;
    if (answer.status !== 401) throw new Failure(answer.status, await errorText(answer));
    if (sessionStorage.getItem(KEY) === key) await askForKey(key !== null);
  }
}

async function errorText(answer) {
  try {
    const { error } = await answer.json();
    return typeof error === "string" ? error : error.message;
  } catch {
    return `The server answered with status ${answer.status}.`;
  }
}

let asking = null;

// Shows the dialog once, however many requests need the key.
function askForKey(wasWrong) {
  asking ??= new Promise((resolve) => {
    const dialog = document.getElementById("key-dialog");
    const input = document.getElementById("key");
    document.getElementById("key-wrong").textContent = wasWrong ? "That key is not valid here." : "";
    dialog.oncancel = (event) => event.preventDefault();
    dialog.querySelector("form").onsubmit = (event) => {
      event.preventDefault();
      sessionStorage.setItem(KEY, input.value);
      input.value = "";
      dialog.close();
      asking = null;
      resolve();
    };
    dialog.showModal();
  });
  return asking;
}
