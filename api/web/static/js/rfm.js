/** Where do customers lie by how recently and how often they bought? */

import { h } from "./dom.js";
import { compactNumber, decimal, number, share } from "./format.js";

const SCORES = [1, 2, 3, 4, 5];
const LEVELS = 6;
const NO_ORDERS = "No customer has ordered yet.";
const NO_BOUNDARIES = "Scores need boundaries, which the engine draws from its customers: headwater rfm calibrate draws them now.";
const HINT = "Point at a cell, or use the arrow keys, for its customers and net spend.";

/** What each score means in the measure's unit: score 1 is up to the first boundary, 5 above the last. */
export function scoreRanges(boundaries, unit, least) {
  const lows = [least, ...boundaries.map((boundary) => boundary + 1)];
  return lows.map((low, index) => {
    const high = boundaries[index];
    if (high === undefined) return `${number(low)}+${unit}`;
    if (high < low) return "–"; // tied boundaries leave a score without values
    return low === high ? `${number(low)}${unit}` : `${number(low)}–${number(high)}${unit}`;
  });
}

/** A step of shading, 0 for none: square-rooted, as one full cell would leave the others blank. */
function level(value, greatest) {
  return value > 0 ? Math.max(1, Math.ceil(LEVELS * Math.sqrt(value / greatest))) : 0;
}

/** The grid as a table, recency downwards from the most recent, with one cell in the tab order and a line that reads it out. */
export function heatMap(place) {
  const readout = h("p", { class: "readout" }, HINT);
  const table = h("table", { class: "heat", role: "grid", "aria-label": "Customers by recency and frequency score" });
  const figure = h("div", {}, table, h("div", { class: "heat-foot" }, readout, legend()));
  let focused = { r: 5, f: 5 };
  let told = null;

  const cellAt = (r, f) => table.querySelector(`[data-r="${r}"][data-f="${f}"]`);
  const tell = (target) => {
    const cell = target.closest("[data-told]");
    if (!cell) return;
    told = { r: cell.dataset.r, f: cell.dataset.f };
    readout.textContent = cell.dataset.told;
  };
  table.addEventListener("pointerover", (event) => tell(event.target));
  table.addEventListener("focusin", (event) => tell(event.target));
  table.addEventListener("click", (event) => event.target.closest("[data-told]")?.focus());
  table.addEventListener("keydown", (event) => {
    const step = { ArrowUp: [1, 0], ArrowDown: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = cellAt(focused.r + step[0], focused.f + step[1]);
    if (!next) return;
    cellAt(focused.r, focused.f).tabIndex = -1;
    focused = { r: Number(next.dataset.r), f: Number(next.dataset.f) };
    next.tabIndex = 0;
    next.focus();
  });

  return function draw({ grid, boundaries }, measure, currency) {
    const cells = new Map(grid.map((cell) => [`${cell.r},${cell.f}`, cell]));
    const customers = grid.reduce((sum, cell) => sum + cell.customers, 0);
    if (!customers) {
      place.replaceChildren(h("p", { class: "quiet" }, boundaries ? NO_ORDERS : NO_BOUNDARIES));
      return;
    }
    const size = (cell) => (measure === "net" ? Number(cell.net) : cell.customers);
    const greatest = Math.max(...grid.map(size));
    const recency = boundaries ? scoreRanges(boundaries.r, " d", 0).reverse() : null;
    const frequency = boundaries ? scoreRanges(boundaries.f, "", 1) : null;
    const hadFocus = table.contains(document.activeElement);

    const row = (r) =>
      h("tr", {}, h("th", { scope: "row" }, axis(r, recency?.[r - 1])), SCORES.map((f) => cellOf(r, f)));
    const cellOf = (r, f) => {
      const cell = cells.get(`${r},${f}`) ?? { r, f, customers: 0, net: "0" };
      const text = `Recency ${r}, frequency ${f}: ${number(cell.customers)} customers (${share(cell.customers, customers)}), net ${decimal(cell.net)} ${currency}`;
      const shown = measure === "net" ? compactNumber(cell.net) : number(cell.customers);
      return h(
        "td",
        {
          "data-r": r, "data-f": f, "data-told": text, "data-level": level(size(cell), greatest),
          "aria-label": text, tabindex: r === focused.r && f === focused.f ? 0 : -1,
        },
        cell.customers ? shown : "·",
      );
    };
    table.replaceChildren(
      h("tbody", {}, [5, 4, 3, 2, 1].map(row)),
      h("tfoot", {}, h("tr", {}, h("td", { class: "corner" }, "Recency ↑", h("br"), "Frequency →"), SCORES.map((f) => h("th", { scope: "col" }, axis(f, frequency?.[f - 1]))))),
    );
    if (!place.contains(table)) place.replaceChildren(figure);
    if (told) tell(cellAt(told.r, told.f));
    if (hadFocus) cellAt(focused.r, focused.f).focus({ preventScroll: true });
  };
}

function axis(score, range) {
  return [h("b", {}, score), range ? h("small", {}, range) : null];
}

function legend() {
  const steps = Array.from({ length: LEVELS + 1 }, (_, step) => h("i", { "data-level": step }));
  return h("p", { class: "heat-legend", "aria-hidden": "true" }, "fewer", h("span", {}, steps), "more");
}
