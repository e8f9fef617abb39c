/** How are many rows read: sorted by any column, a part at a time? */

import { h } from "./dom.js";
import { number } from "./format.js";
import { byColumn } from "./values.js";

const SHOWN = 500;

/**
 * A table with a caption, whose headings sort it.
 *
 * A column is {title, unit, means, numeric, write}; `write(value, row)` answers text or an element. Rows beyond the
 * first 500 are drawn when asked for: sorting is over all of them.
 */
export function dataTable(caption, columns, rows) {
  let sorted = rows, shown = SHOWN, order = { index: -1, descending: false };
  const body = h("tbody");
  const more = h("button", { type: "button", class: "more" });
  const headings = columns.map(({ title, unit, means, numeric }, index) => {
    const button = h("button", { type: "button", title: means }, title, unit ? h("span", { class: "unit" }, ` ${unit}`) : null, h("i", { "aria-hidden": "true" }));
    button.addEventListener("click", () => sort(index));
    return h("th", { scope: "col", class: numeric ? "numeric" : null, "aria-sort": "none" }, button);
  });

  /** Numbers begin with the largest, text with the first; the third click is the answer's own order. */
  function sort(index) {
    const first = columns[index].numeric;
    if (order.index !== index) order = { index, descending: first };
    else if (order.descending === first) order = { index, descending: !first };
    else order = { index: -1, descending: false };
    sorted = order.index < 0 ? rows : [...rows].sort(byColumn(index, columns[index].numeric, order.descending));
    headings.forEach((heading, place) =>
      heading.setAttribute("aria-sort", place !== order.index ? "none" : order.descending ? "descending" : "ascending"));
    draw();
  }

  function draw() {
    body.replaceChildren(...sorted.slice(0, shown).map((row) => h("tr", {}, columns.map(({ numeric, write }, index) =>
      h("td", { class: numeric ? "numeric" : null }, write(row[index], row))))));
    more.hidden = shown >= rows.length;
    more.textContent = `Show more: ${number(Math.min(shown, rows.length))} of ${number(rows.length)} rows are shown`;
  }

  more.addEventListener("click", () => {
    shown += SHOWN;
    draw();
  });
  draw();
  return h("div", { class: "rows" },
    h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": caption },
      h("table", { class: "data" }, h("caption", { class: "sr" }, caption), h("thead", {}, h("tr", {}, headings)), body)),
    more);
}
