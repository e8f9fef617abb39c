/** How are all customers doing, at this moment? */

import { get } from "./api.js";
import { orderCommand } from "./command.js";
import { byId, everyFrame, freshen, h } from "./dom.js";
import { dayAndTime, money, number } from "./format.js";
import { follow } from "./live.js";
import { problemBoard } from "./problem.js";
import { heatMap } from "./rfm.js";
import { wireSearch } from "./search.js";
import { drawStages } from "./stages.js";
import { transitionList } from "./transitions.js";

const GRID_PAUSE_MS = 2000;

const attempt = problemBoard(byId("problem"));
const transitions = transitionList(byId("transitions"), { empty: "No customer has changed stage yet." });
const drawGrid = heatMap(byId("rfm"));
let summary = null;
let grid = null;
let gridTimer = 0;

function put(id, content, key) {
  const place = byId(id);
  if (place.dataset.key === String(key)) return;
  const changed = place.dataset.key !== undefined;
  place.dataset.key = key;
  place.replaceChildren(content);
  if (changed && id !== "as-of") freshen(place);
}

/** Revenue in the base currency, and beside it what has no rate into it. */
function amounts({ amount, currency, unconverted = {} }) {
  const apart = Object.entries(unconverted).map(([each, sum]) => h("span", { class: "apart" }, money(sum, each)));
  return h("span", {}, money(amount, currency), apart);
}

const draw = everyFrame(() => {
  if (!summary) return;
  const { customers, orders, revenue, events, stages, as_of: asOf } = summary;
  const empty = events === 0;
  byId("empty").hidden = !empty;
  if (empty && !byId("empty-command").hasChildNodes()) {
    byId("empty-command").replaceChildren(orderCommand("ada", revenue.currency));
  }
  put("customers", number(customers), customers);
  put("orders", number(orders), orders);
  put("revenue", amounts(revenue), JSON.stringify(revenue));
  put("events", number(events), events);
  put("as-of", asOf ? dayAndTime(asOf) : "–", asOf);
  drawStages(byId("stages"), stages);
});

function drawRfm() {
  const measure = byId("rfm-measure").querySelector(":checked").value;
  if (grid) drawGrid(grid, measure, summary?.revenue.currency ?? "");
}

function takeSummary(next) {
  const ordersMoved = summary?.orders !== next.orders || summary?.as_of !== next.as_of;
  summary = next;
  if (next.as_of) transitions.setNow(next.as_of);
  draw();
  if (ordersMoved && grid && !gridTimer) gridTimer = setTimeout(readGrid, GRID_PAUSE_MS);
}

async function readGrid() {
  gridTimer = 0;
  const answer = await attempt("rfm", () => get("/rfm"));
  if (!answer) return;
  grid = answer;
  drawRfm();
}

async function catchUp() {
  const answer = await attempt("summary", () => get("/summary"));
  if (answer) takeSummary(answer);
  readGrid();
  const latest = await attempt("transitions", () => get("/transitions?limit=50"));
  if (latest) transitions.take(latest.items);
}

wireSearch();
byId("rfm-measure").addEventListener("change", drawRfm);
follow("/live", { summary: takeSummary, transition: transitions.arrive }, catchUp);
