/** What is predicted, by which model, and how good is it? */

import { get } from "./api.js";
import { byId, h } from "./dom.js";
import { day, number, sentence } from "./format.js";
import { follow } from "./live.js";
import { aucPlot, calibrationPlot, liftPlot } from "./plots.js";
import { problemBoard } from "./problem.js";
import { wireSearch } from "./search.js";

const attempt = problemBoard(byId("problem"));
const REFRESH_MS = 10_000;
const COLUMNS = [["ROC AUC", "roc_auc", 3], ["Average precision", "average_precision", 3], ["Log-loss", "log_loss", 3], ["Brier", "brier", 3],
  ["Calibration error", "ece", 3], ["Lift", "lift", 2]];

const shown = (value, digits) => (value === null ? "–" : value.toFixed(digits));

function row({ model, is_champion: champion, is_off: off, rolling }) {
  const role = off ? "switched off" : champion ? "champion" : "shadow";
  return h("tr", { "data-champion": champion }, h("th", { scope: "row" }, model, h("small", {}, role)),
    h("td", {}, number(rolling.examples)), COLUMNS.map(([, name, digits]) => h("td", {}, shown(rolling[name], digits))));
}

function table(models) {
  return h("div", { class: "wide" }, h("table", { class: "quality" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Model"), h("th", { scope: "col" }, "Examples"), COLUMNS.map(([title]) => h("th", { scope: "col" }, title)))),
    h("tbody", {}, models.map(row))));
}

function plot(title, drawn) {
  return drawn ? h("figure", {}, h("figcaption", {}, title), drawn) : null;
}

function drifted(drift) {
  const [latest] = drift;
  return latest ? h("p", { class: "quiet" }, "Drift on ", day(latest.as_of), `: ${latest.what.map((name) => name.replaceAll("_", " ")).join(", ")}`) : null;
}

function panel(target) {
  const { models, history, in_force: inForce, drift } = target;
  const champion = models.find((each) => each.is_champion);
  const series = models.map(({ model, is_champion: isChampion }) => ({ champion: isChampion, points: history[model] ?? [] }));
  const lifts = models.map(({ model, is_champion: isChampion, rolling }) => ({ model, champion: isChampion, lift: rolling.lift }));
  return h("section", { class: "panel", "aria-label": target.target },
    h("header", {}, h("h2", {}, `The customer ${target.meaning}`), h("p", {}, inForce ? `${inForce.model} ${inForce.version}` : "no model in force yet")),
    champion ? table(models) : h("p", { class: "quiet" }, `Nothing is learned yet: the first answers come ${target.horizon_days} days after the first questions.`),
    champion ? h("div", { class: "plots" }, plot("What was predicted, and what happened", calibrationPlot(champion.rolling.calibration)),
      plot("ROC AUC over stream time", aucPlot(series)), plot("Lift of the highest tenth", liftPlot(lifts))) : null,
    champion ? h("p", { class: "quiet" }, "Examples that ended within the 90 days before ", day(champion.rolling.as_of),
      `, each predicted by what the model knew when it was asked. It happened in ${champion.rolling.base_rate === null ? "–" : (100 * champion.rolling.base_rate).toFixed(1)}\u00a0%.`) : null,
    drifted(drift));
}

async function read() {
  const { items } = await get("/models");
  return Promise.all(items.map(({ target }) => get(`/models/${encodeURIComponent(target)}`)));
}

async function catchUp() {
  const targets = await attempt("models", read);
  if (!targets) return;
  byId("models").replaceChildren(...targets.map(panel));
  byId("no-models").hidden = targets.length > 0;
  byId("champion").textContent = sentence("judged prequentially: each example is first a test, then a lesson");
}

wireSearch();
follow("/live", {}, catchUp);
setInterval(catchUp, REFRESH_MS);
