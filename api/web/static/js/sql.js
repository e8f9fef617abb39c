/** What does the whole history say to a statement that an analyst writes? */

import { answerBoard, told } from "./answer.js";
import { exchange, get } from "./api.js";
import { dataTable } from "./data-table.js";
import { byId, h } from "./dom.js";
import { files, titled } from "./files.js";
import { follow } from "./live.js";
import { nameOf } from "./names.js";
import { problemBoard } from "./problem.js";
import { wireSchema } from "./schema.js";
import { wireSearch } from "./search.js";
import { sqlOfAddress, sqlPage } from "./sql-link.js";
import { drawValues, readValues } from "./sql-values.js";
import { isNumeric, plain } from "./values.js";

const attempt = problemBoard(byId("problem"));
const board = answerBoard(attempt);
const editor = byId("query");
const MAX_ROWS = 10_000;
let saved = [];

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

function show(answer) {
  const drawn = answer.columns.map((column) => ({ title: column.name, means: column.type, numeric: isNumeric(column), write: cells }));
  byId("told").textContent = told(answer, "add a WHERE, a GROUP BY or a LIMIT");
  byId("downloads").replaceChildren(...titled(files(answer, "answer")));
  byId("table").replaceChildren(dataTable("Answer", drawn, answer.rows));
}

async function ask() {
  const query = editor.value.trim();
  if (!query) return editor.focus();
  const parameters = readValues(byId("values"));
  history.replaceState(null, "", sqlPage(query, parameters));
  await board((signal) => exchange("/sql", { query, parameters, max_rows: MAX_ROWS }, { signal }), show);
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
  const title = byId("name").value.trim(), query = editor.value.trim();
  if (!title) return byId("name").focus();
  if (!query) return editor.focus();
  const name = nameOf(title, "query");
  byId("save").disabled = true;
  const kept = await attempt("save", () => exchange("/sql/saved", { name, query }));
  byId("save").disabled = false;
  if (!kept) return;
  byId("save").textContent = "Saved";
  await readSaved();
  byId("saved").value = byId("name").value = name;
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
