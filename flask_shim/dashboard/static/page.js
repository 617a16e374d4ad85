// Shows the view that the address names, and keeps the choice of the theme.

import { byId } from "./dom.js";
import * as history from "./history.js";
import * as inspector from "./inspector.js";
import * as log from "./log.js";
import * as models from "./models.js";
import * as overview from "./overview.js";
import { redraw } from "./plots.js";
import { show } from "./polling.js";
import * as requests from "./requests.js";

const VIEWS = { overview, requests, models, history, log, inspector };
const THEME = "flask-shim-theme";

function showView() {
  const [wanted, item = ""] = location.hash.slice(1).split("/");
  const name = wanted in VIEWS ? wanted : "overview";
  for (const each of Object.keys(VIEWS)) byId(`view-${each}`).hidden = each !== name;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  byId("message").hidden = true;
  VIEWS[name].select?.(decodeURIComponent(item));
  show(VIEWS[name]);
}

function setTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  redraw();
}

const chooser = byId("theme");
chooser.value = localStorage.getItem(THEME) ?? "";
chooser.addEventListener("change", () => {
  localStorage.setItem(THEME, chooser.value);
  setTheme(chooser.value);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
setTheme(chooser.value);

addEventListener("hashchange", () => {
  showView();
  byId("main").focus({ preventScroll: true });
});
showView();
