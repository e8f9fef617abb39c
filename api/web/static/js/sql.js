/** What does the whole history say to a statement that an analyst writes? */

import { exchange, get } from "./api.js";
import { dataTable } from "./data-table.js";
import { byId, h } from "./dom.js";
import { number } from "./format.js";
import { follow } from "./live.js";
import { problemBoard } from "./problem.js";
import { progress } from "./progress.js";
import { wireSchema } from "./schema.js";
import { wireSearch } from "./search.js";
import { sqlOfAddress, sqlPage } from "./sql-link.js";
import { drawValues, readValues } from "./sql-values.js";
import { isNumeric, plain } from "./values.js";

const attempt = problemBoard(byId("problem"));
const running = progress(byId("told"));
const editor = byId("query");
const MAX_ROWS = 10_000;
let saved = [];
let links = []; // of what can be downloaded, until the next answer

/** Put text where the cursor is. */
function insert(text) {
  editor.focus();
  editor.setRangeText(text, editor.selectionStart, editor.selectionEnd, "end");
  editor.dispatchEvent(new Event("input"));
}

function cells(value) {
  if (value === null) return h("span", { class: "null" }, "NULL");
  return plain(typeof value === "object" ? JSON.stringify(value) : value);
}

function csv({ columns, rows }) {
  const field = (value) => {
    const text = value === null ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [columns.map(({ name }) => name), ...rows].map((row) => row.map(field).join(",")).join("\r\n") + "\r\n";
}

function downloads(answer) {
  links.forEach((link) => URL.revokeObjectURL(link));
  const objects = answer.rows.map((row) => Object.fromEntries(answer.columns.map(({ name }, place) => [name, row[place]])));
  const files = [["CSV", "csv", "text/csv", csv(answer)], ["JSON", "json", "application/json", JSON.stringify(objects, null, 1)]];
  links = files.map(([, , type, text]) => URL.createObjectURL(new Blob([text], { type })));
  return files.map(([title, format], place) => h("a", { href: links[place], download: `answer.${format}` }, title));
}

function show(answer) {
  const { columns, rows, elapsed_ms: elapsed, truncated } = answer;
  const counted = `${number(rows.length)} ${rows.length === 1 ? "row" : "rows"} in ${number(Math.round(elapsed))} ms`;
  byId("told").textContent = truncated ? `The first ${counted}: there are more, so add a WHERE, a GROUP BY or a LIMIT` : counted;
  byId("downloads").replaceChildren(h("span", { class: "quiet" }, "Download"), ...downloads(answer));
  const drawn = columns.map((column) => ({ title: column.name, means: column.type, numeric: isNumeric(column), write: cells }));
  byId("table").replaceChildren(dataTable("Answer", drawn, rows));
}

async function ask() {
  const query = editor.value.trim();
  if (!query) return editor.focus();
  const parameters = readValues(byId("values"));
  history.replaceState(null, "", sqlPage(query, parameters));
  const signal = running.start();
  byId("answer").hidden = false;
  byId("answer").setAttribute("aria-busy", "true");
  const answer = await attempt("sql", () => exchange("/sql", { query, parameters, max_rows: MAX_ROWS }, { signal }));
  if (!running.stop(signal)) return; // somebody asked again
  byId("answer").removeAttribute("aria-busy");
  if (answer) show(answer);
  else byId("answer").hidden = !signal.aborted;
}

function write(query, parameters = {}) {
  editor.value = query;
  drawValues(byId("values"), query, parameters);
}

async function readSaved() {
  const answer = await attempt("saved", () => get("/sql/saved"));
  if (!answer) return;
  saved = answer.items;
  byId("saved").replaceChildren(h("option", { value: "" }, saved.length ? "Saved queries" : "No saved queries yet"),
    ...saved.map(({ name }) => h("option", { value: name }, name)));
  byId("saved").disabled = saved.length === 0;
}

async function save() {
  const name = byId("name").value.trim(), query = editor.value.trim();
  if (!name) return byId("name").focus();
  if (!query) return editor.focus();
  byId("save").disabled = true;
  const kept = await attempt("save", () => exchange("/sql/saved", { name, query }));
  byId("save").disabled = false;
  if (!kept) return;
  byId("save").textContent = "Saved";
  if (!saved.some((each) => each.name === name)) saved = [...saved, { name, query }];
  await readSaved();
  byId("saved").value = name;
}

byId("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});
editor.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  ask();
});
editor.addEventListener("input", () => drawValues(byId("values"), editor.value, readValues(byId("values"))));
byId("save").addEventListener("click", save);
byId("name").addEventListener("input", () => byId("save").replaceChildren("Save"));
byId("name").addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  event.preventDefault();
  save();
});
byId("saved").addEventListener("change", () => {
  const chosen = saved.find(({ name }) => name === byId("saved").value);
  if (!chosen) return;
  write(chosen.query);
  byId("name").value = chosen.name;
});

wireSearch();
follow("/live", {}, () => {});
const asked = sqlOfAddress();
write(asked.query, asked.parameters);
readSaved();
const schema = await attempt("schema", () => get("/sql/schema"));
if (schema) wireSchema(schema.tables, { insert, isEmpty: () => !editor.value.trim() });
