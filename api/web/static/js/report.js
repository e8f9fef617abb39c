/** What does one report answer, to whom asks it so? */

import { customerPage, get, Problem, reportPath } from "./api.js";
import { drawChart } from "./chart.js";
import { dataTable } from "./data-table.js";
import { byId, facts, h } from "./dom.js";
import { dayAndTime, number } from "./format.js";
import { follow } from "./live.js";
import { drawParameters, markFaults, readParameters, withCommon } from "./parameters.js";
import { problemBoard } from "./problem.js";
import { progress } from "./progress.js";
import { wireSearch } from "./search.js";
import { queriesOf } from "./sql-link.js";
import { heading, isNumeric, writer } from "./values.js";

const attempt = problemBoard(byId("problem"));
const form = byId("parameters");
const { name } = byId("report").dataset;
const path = reportPath(name);
const FORMATS = [["CSV", "csv"], ["Parquet", "parquet"], ["Arrow", "arrow"], ["JSON", "json"]];
const running = progress(byId("told"));
let specs = withCommon([]);

/** Of an address, the rows that the page shows: without a time, as of when they were read. */
function downloads(asOf) {
  const asked = new URLSearchParams(location.search);
  if (asOf) asked.set("as_of", asOf);
  return FORMATS.map(([title, format]) => {
    const query = new URLSearchParams([...asked, ["format", format]]);
    return h("a", { href: `${path}?${query}`, download: `${name}.${format}` }, title);
  });
}

function write(column, timezone) {
  const text = writer(column, timezone);
  if (column.name !== "customer_id") return text;
  return (id) => (id ? h("a", { href: customerPage(id) }, id) : "–");
}

function tableOf({ title, columns, rows, currency, timezone }) {
  const drawn = columns.map((column) => ({ ...heading(column, currency), means: column.means, numeric: isNumeric(column), write: write(column, timezone) }));
  return [dataTable(title, drawn, rows), meanings(columns)];
}

function meanings(columns) {
  return h("details", { class: "try" }, h("summary", {}, "What the columns mean"),
    facts(columns.map(({ name: column, unit, means }) => [h("code", {}, column), [means, unit].filter(Boolean).join(" · ")]), { class: "facts meanings" }));
}

function told({ rows, elapsed_ms: elapsed, truncated }) {
  const counted = `${number(rows.length)} ${rows.length === 1 ? "row" : "rows"} in ${number(Math.round(elapsed))} ms`;
  return truncated ? `${counted}, and there are more: narrow the parameters to see all` : counted;
}

async function show(answer) {
  const { title, question, as_of: asOf, timezone, note, rows } = answer;
  document.title = `${title} · Headwater`;
  byId("report").textContent = title;
  byId("question").textContent = question;
  byId("as-of").replaceChildren(...(asOf ? ["As of ", dayAndTime(asOf), " UTC · days in ", timezone] : [`Days in ${timezone}`]));
  byId("told").textContent = told(answer);
  byId("downloads").replaceChildren(h("span", { class: "quiet" }, "Download"), ...downloads(asOf));
  byId("note").textContent = note ?? "";
  byId("note").hidden = !note;
  byId("table").replaceChildren(...(rows.length ? tableOf(answer) : []));
  byId("sql").replaceChildren(...queriesOf(answer.queries));
  byId("sql").hidden = answer.queries.length === 0;
  byId("answer").hidden = false;
  byId("parameter-timezone").placeholder = timezone;
  await drawChart(byId("chart"), answer);
}

async function ask() {
  const signal = running.start();
  byId("answer").hidden = false;
  byId("answer").setAttribute("aria-busy", "true");
  let faults = [];
  const answer = await attempt("report", () => get(path + location.search, { signal }).catch((problem) => {
    faults = problem.errors ?? [];
    throw problem;
  }));
  if (!running.stop(signal)) return; // somebody asked again
  byId("answer").removeAttribute("aria-busy");
  markFaults(form, faults);
  if (answer) await show(answer);
  else byId("answer").hidden = !signal.aborted;
}

/** What the report is, from the list; one that does not load is named with its error. */
async function describe() {
  const { items, broken } = await get("/reports");
  const fault = broken.find((report) => report.name === name);
  if (fault) throw new Problem({ title: "This report does not load", detail: fault.error });
  const found = items.find((report) => report.name === name);
  if (!found) return;
  specs = withCommon(found.parameters);
  byId("report").textContent = found.title;
  byId("question").textContent = found.question;
}

const draw = () => drawParameters(form, specs, new URLSearchParams(location.search));

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const query = readParameters(form, specs).toString();
  history.pushState(null, "", location.pathname + (query ? `?${query}` : ""));
  ask();
});
addEventListener("popstate", () => {
  draw();
  ask();
});

wireSearch();
follow("/live", {}, () => {});
await attempt("list", describe);
draw();
ask();
