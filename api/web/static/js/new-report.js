/** How does an analyst make a report without SQL, see what it will run, and keep it? */

import { answerBoard, showAnswer } from "./answer.js";
import { builderPage, download, exchange, get, reportPage } from "./api.js";
import { byId, facts, h } from "./dom.js";
import { fetchedFile, files } from "./files.js";
import { number } from "./format.js";
import { follow } from "./live.js";
import { nameOf } from "./names.js";
import { problemBoard } from "./problem.js";
import { addDimension, addFilter, addMeasure, addOrder, drawForm, offerColumns, readForm, useFields } from "./report-form.js";
import { wireSearch } from "./search.js";
import { statement } from "./sql-link.js";

const attempt = problemBoard(byId("problem"));
const board = answerBoard(attempt);
const place = byId("form");
const PAUSE_MS = 400;
const TYPED = [["Parquet", "parquet"], ["Arrow", "arrow"]]; // which the engine writes
const FIRST = { from: "orders", measures: [{ measure: "count" }] };
let tables = [];
let kept = {}; // what a form says that has no control
let changed = null; // the saved report that this one is to replace
let timer = 0;

/** The fields of a module, and those of its customers. */
function fieldsOf(module) {
  const columns = (name) => tables.find((table) => table.name === name)?.columns ?? [];
  const own = columns(module).map(({ name, type, comment }) => [name, type, comment]);
  if (module === "customers" || !own.some(([name]) => name === "customer_id")) return own;
  return [...own, ...columns("customers").map(({ name, type, comment }) => [`customers.${name}`, type, comment])];
}

function useModule(module) {
  useFields(fieldsOf(module));
  byId("module-means").textContent = tables.find(({ name }) => name === module)?.comment ?? "";
}

function drawModules() {
  const base = tables.filter(({ name, parameters }) => !parameters?.length && !name.endsWith("_at"));
  const group = (title, found) => h("optgroup", { label: title }, found.map(({ name }) => h("option", { value: name }, name)));
  byId("module").replaceChildren(group("What is", base.filter(({ name }) => /^[a-z]/.test(name))), group("Events", base.filter(({ name }) => !/^[a-z]/.test(name))));
}

/** The form, and which report it is a change of: {form, changes: {name, title, version} or null}. */
function ofAddress() {
  const asked = new URLSearchParams(location.hash.slice(1));
  try {
    return { form: JSON.parse(asked.get("form")) ?? FIRST, changes: JSON.parse(asked.get("changes")) };
  } catch {
    return { form: FIRST, changes: null };
  }
}

function showPlan(plan) {
  byId("plan").hidden = !plan;
  if (!plan) return;
  const { query, parameters, tables: read, rows } = plan;
  byId("estimate").textContent = `reads at most ${number(rows)} ${rows === 1 ? "row" : "rows"}`;
  byId("statement").replaceChildren(statement({ query, parameters }), facts(read.map(({ table, rows: each }) => [table, number(each)])));
}

/** Say what the form would run; nothing runs. */
async function explain() {
  const form = readForm(kept);
  offerColumns(form);
  history.replaceState(null, "", builderPage(form, changed));
  showPlan(await attempt("answer", () => exchange("/reports/explain", form)));
}

/** The rows that are shown, and what the engine answers to the same form again. */
function downloads(answer, form) {
  const asked = TYPED.map(([title, format]) => fetchedFile(title, `report.${format}`, () => attempt("file", () => download(`/reports/ask?format=${format}`, form))));
  return [...files(answer, "report"), ...asked];
}

function ask() {
  const form = readForm(kept);
  return board((signal) => exchange("/reports/ask", form, { signal }), (answer) => showAnswer(answer, downloads(answer, form)));
}

/** Under the name of the report that is changed, as its next version; else under one from the title, as its first. */
async function save() {
  const title = byId("title").value.trim();
  if (!title) return byId("title").focus();
  const name = changed?.name ?? nameOf(title, "report");
  byId("save").disabled = true;
  const saved = await attempt("save", () =>
    exchange("/reports", { name, title, form: readForm(kept), expected_version: changed?.version ?? 0 }));
  byId("save").disabled = false;
  if (saved) location.assign(reportPage(name));
}

function later() {
  clearTimeout(timer);
  timer = setTimeout(explain, PAUSE_MS);
}

function load({ form, changes }) {
  changed = changes;
  byId("title").value = changes?.title ?? "";
  byId("save").textContent = changes ? `Save as version ${number(changes.version + 1)}` : "Save";
  kept = { pivot: form.pivot };
  useModule(form.from);
  drawForm(form);
}

for (const [button, add] of [["add-measure", addMeasure], ["add-dimension", addDimension], ["add-filter", addFilter], ["add-order", addOrder]])
  byId(button).addEventListener("click", () => add().querySelector("select:not([hidden]), input:not([hidden])").focus());
byId("module").addEventListener("change", () => {
  useModule(byId("module").value);
  drawForm({ ...FIRST, from: byId("module").value });
});
place.addEventListener("input", later);
place.addEventListener("change", later);
place.addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});
byId("save").addEventListener("click", save);

wireSearch();
follow("/live", {}, () => {});
const schema = await attempt("schema", () => get("/sql/schema"));
if (schema) {
  tables = schema.tables;
  drawModules();
  load(ofAddress());
  explain();
}
