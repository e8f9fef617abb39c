/** What does one report answer, to whom asks it so? */

import { answerBoard, showAnswer } from "./answer.js";
import { builderPage, get, reportPath } from "./api.js";
import { byId, h } from "./dom.js";
import { dayAndTime } from "./format.js";
import { follow } from "./live.js";
import { drawParameters, markFaults, readParameters, withCommon } from "./parameters.js";
import { problemBoard } from "./problem.js";
import { wireSearch } from "./search.js";
import { queriesOf } from "./sql-link.js";

const attempt = problemBoard(byId("problem"));
const form = byId("parameters");
const { name } = byId("report").dataset;
const path = reportPath(name);
const FORMATS = [["CSV", "csv"], ["Parquet", "parquet"], ["Arrow", "arrow"], ["JSON", "json"]];
const board = answerBoard(attempt);
const VERSION = { name: "version", kind: "integer", minimum: 1, means: "Each time it was saved made one." };
let specs = withCommon([]);
let isOwn = false;

/** Of an address, the rows that the page shows: without a time, as of when they were read. An own report is asked
    as it was, for its module may tell only of now. */
function downloads(asOf) {
  const asked = new URLSearchParams(location.search);
  if (asOf && !isOwn) asked.set("as_of", asOf);
  return FORMATS.map(([title, format]) => {
    const query = new URLSearchParams([...asked, ["format", format]]);
    return h("a", { href: `${path}?${query}`, download: `${name}.${format}` }, title);
  });
}

function show(answer) {
  const { title, question, as_of: asOf, timezone, queries } = answer;
  document.title = `${title} · Headwater`;
  byId("report").textContent = title;
  byId("question").textContent = question;
  byId("as-of").replaceChildren(...(asOf ? ["As of ", dayAndTime(asOf), " UTC · days in ", timezone] : [`Days in ${timezone}`]));
  byId("parameter-timezone").placeholder = timezone;
  byId("sql").replaceChildren(...queriesOf(queries));
  byId("sql").hidden = queries.length === 0;
  return showAnswer(answer, downloads(asOf));
}

async function ask() {
  markFaults(form, []);
  await board((signal) => get(path + location.search, { signal }).catch((problem) => {
    markFaults(form, problem.errors ?? []);
    throw problem;
  }), show);
}

/** What the report is and what it takes, from the list. */
async function describe() {
  const { items } = await get("/reports");
  const found = items.find((report) => report.name === name);
  if (!found) return;
  isOwn = found.own;
  specs = withCommon(found.own ? [{ ...VERSION, maximum: found.version, default: found.version }] : found.parameters);
  if (found.own) byId("change").append(h("a", { class: "button", href: builderPage(found.form, { name, title: found.title, version: found.version }) }, "Change"));
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
