/** Which reports are there, and which one answers what an analyst wants to know? */

import { get, reportPage } from "./api.js";
import { byId, h } from "./dom.js";
import { number, sentence } from "./format.js";
import { follow } from "./live.js";
import { problemBoard } from "./problem.js";
import { wireSearch } from "./search.js";

const attempt = problemBoard(byId("problem"));
const ORDER = ["profiling", "persistency", "profitability", "performance", "prospecting", "product", "promotion", "rfm", "behaviour", "service", "own"];
const NAMES = { rfm: "RFM", own: "Your own" };
const filter = byId("filter");
let listed = null;

function entry({ name, title, question, own, version }) {
  return h("li", {}, h("a", { href: reportPage(name) }, h("b", {}, title ?? name), own && version ? h("small", {}, `version ${number(version)}`) : null),
    h("p", {}, question ?? ""));
}

function panel([group, reports]) {
  return h("section", { class: "panel", "aria-label": NAMES[group] ?? sentence(group) },
    h("header", {}, h("h2", {}, NAMES[group] ?? sentence(group))), h("ul", { class: "reports" }, reports.map(entry)));
}

/** Every word that was typed is in the report's name, title, question or group. */
function matches({ name, title, question, group }, typed) {
  const text = `${name} ${title} ${question} ${group}`.toLowerCase();
  return typed.every((word) => text.includes(word));
}

function draw() {
  if (!listed) return;
  const typed = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = listed.items.filter((report) => matches(report, typed));
  const groups = new Map();
  for (const report of found) {
    const group = report.own ? "own" : report.group;
    groups.set(group, [...(groups.get(group) ?? []), report]);
  }
  const place = ([group]) => (ORDER.includes(group) ? ORDER.indexOf(group) : ORDER.length);
  byId("reports").replaceChildren(...[...groups].sort((a, b) => place(a) - place(b)).map(panel));
  byId("count").textContent = typed.length ? `${number(found.length)} of ${number(listed.items.length)}` : `${number(found.length)} to ask`;
  byId("broken").replaceChildren(...listed.broken.map(({ name, error }) => h("li", {}, h("b", {}, name), h("p", {}, error))));
  byId("broken-panel").hidden = listed.broken.length === 0;
}

async function read() {
  listed = (await attempt("reports", () => get("/reports"))) ?? listed;
  draw();
}

wireSearch();
filter.addEventListener("input", draw);
follow("/live", {}, read);
