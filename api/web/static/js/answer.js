/** How is an answer shown: how much it is, what it cannot say, its chart, its rows? */

import { customerPage } from "./api.js";
import { drawChart } from "./chart.js";
import { dataTable } from "./data-table.js";
import { byId, facts, h } from "./dom.js";
import { titled } from "./files.js";
import { number } from "./format.js";
import { progress } from "./progress.js";
import { heading, isNumeric, writer } from "./values.js";

/** A function that asks, tells that it is at work, and shows what comes; what was asked before is given up. */
export function answerBoard(attempt) {
  const running = progress(byId("told"));
  const place = byId("answer");
  return async function ask(request, show) {
    const signal = running.start();
    place.hidden = false;
    place.setAttribute("aria-busy", "true");
    const answer = await attempt("answer", () => request(signal));
    if (!running.stop(signal)) return;
    place.removeAttribute("aria-busy");
    if (answer) await show(answer);
    else place.hidden = !signal.aborted;
  };
}

/** `12 rows in 3 ms`, and with what to do where there are more. */
export function told({ rows, elapsed_ms: elapsed, truncated }, remedy) {
  const counted = `${number(rows.length)} ${rows.length === 1 ? "row" : "rows"} in ${number(Math.round(elapsed))} ms`;
  return truncated ? `The first ${counted}: there are more, so ${remedy}` : counted;
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
    facts(columns.map(({ name, unit, means }) => [h("code", {}, name), [means, unit].filter(Boolean).join(" · ")]), { class: "facts meanings" }));
}

/** Show the answer of a report, with links to its files. */
export async function showAnswer(answer, downloads) {
  const { note, rows } = answer;
  byId("told").textContent = told(answer, "narrow the parameters to see all");
  byId("downloads").replaceChildren(...titled(downloads));
  byId("note").textContent = note ?? "";
  byId("note").hidden = !note;
  byId("table").replaceChildren(...(rows.length ? tableOf(answer) : []));
  await drawChart(byId("chart"), answer);
}
