// Building and updating elements. All text is set as text, never as HTML: models and clients choose much of it.

export const byId = (id) => document.getElementById(id);

export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-")) made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children);
  return made;
}

export function setText(target, text) {
  const found = typeof target === "string" ? byId(target) : target;
  if (found.textContent !== text) found.textContent = text;
}

// Fills a table with one row for each item and keeps the rows, so that the focus stays where it is.
// Each cell is a function of the item: it returns a text, [text, note], or, made once for a row, an element.
export function fillTable(id, items, keyOf, cells, empty) {
  const table = byId(id);
  const body = table.tBodies[0];
  const labels = [...table.tHead.rows[0].cells];
  const before = [...body.rows];
  items.forEach((item, place) => {
    const key = String(keyOf(item));
    const found = before.findIndex((row) => row.dataset.key === key); // several items may have the same key
    const row = found < 0 ? newRow(key, labels) : before.splice(found, 1)[0];
    cells.forEach((cell, column) => fillCell(row.cells[column], cell, item));
    if (body.rows[place] !== row) body.insertBefore(row, body.rows[place] ?? null);
  });
  for (const row of before) row.remove();
  table.hidden = items.length === 0;
  const note = byId(`${id}-empty`);
  note.hidden = items.length > 0;
  setText(note, empty);
}

function newRow(key, labels) {
  const row = element("tr");
  row.dataset.key = key;
  for (const label of labels) {
    const cell = element("td", { className: label.className });
    cell.dataset.label = label.classList.contains("action") ? "" : label.textContent;
    row.append(cell);
  }
  return row;
}

function fillCell(cell, content, item) {
  if (cell.querySelector("button")) return; // made once
  const value = content(item);
  if (value instanceof Node) {
    cell.replaceChildren(value);
    return;
  }
  const [text, note, kind] = Array.isArray(value) ? value : [value];
  if (cell.dataset.shown === `${text}\n${note}\n${kind}`) return;
  cell.dataset.shown = `${text}\n${note}\n${kind}`;
  const main = element("span", { className: kind ?? "" }, text);
  cell.replaceChildren(element("div", {}, main, ...(note ? [element("small", {}, note)] : [])));
}

export function button(text, label, act, kind = "") {
  const made = element("button", { type: "button", textContent: text, className: kind, "aria-label": label });
  made.addEventListener("click", async () => {
    made.disabled = true;
    try {
      await act();
    } finally {
      made.disabled = false;
    }
  });
  return made;
}

// Says what an action did, also to screen readers.
export function announce(text, isBad = false) {
  const message = byId("message");
  message.hidden = false;
  message.classList.toggle("bad", isBad);
  message.textContent = text;
}

export async function attempt(action) {
  try {
    await action();
  } catch (failure) {
    announce(failure.message, true);
  }
}
