// The end of the log.

import { byId, element } from "./dom.js";

export const paths = () => ["log"];

let shown = null;

export function render(data) {
  if (data === shown) return true; // the server answered that nothing has changed
  shown = data;
  const place = byId("log");
  const isAtEnd = place.scrollHeight - place.scrollTop - place.clientHeight < 40;
  place.replaceChildren(...data.lines.map((line) => element("div", { className: line.level ?? "" }, line.text ?? line)));
  place.hidden = data.lines.length === 0;
  byId("log-empty").hidden = data.lines.length > 0;
  if (isAtEnd) place.scrollTop = place.scrollHeight;
  return true;
}
