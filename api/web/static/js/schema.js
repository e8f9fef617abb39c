/** Which tables and columns are there to ask, and what do they hold? */

import { byId, h } from "./dom.js";
import { number } from "./format.js";

/** `orders_at(as_of = {as_of:DateTime64(3, 'UTC')})` for a view with parameters, else the name. */
function reference({ name, parameters }) {
  if (!parameters?.length) return name;
  return `${name}(${parameters.map((each) => `${each.name} = {${each.name}:${each.type}}`).join(", ")})`;
}

function column({ name, type, comment }, insert) {
  const button = h("button", { type: "button", class: "insert", title: "Insert" }, name);
  button.addEventListener("click", () => insert(name));
  return h("li", {}, button, h("small", { class: "type" }, type), comment ? h("p", {}, comment) : null);
}

function table(each, { insert, isEmpty }) {
  const button = h("button", { type: "button", class: "more" }, "Insert");
  button.setAttribute("aria-label", `Insert ${each.name}`);
  button.addEventListener("click", () => insert(isEmpty() ? `SELECT *\nFROM ${reference(each)}\nLIMIT 100` : reference(each)));
  const details = h("details", { "data-table": each.name }, h("summary", {}, each.name));
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length === 1)
      details.append(each.comment ? h("p", { class: "quiet" }, each.comment) : "", button, h("ul", {}, each.columns.map((one) => column(one, insert))));
  });
  return details;
}

/** Every word that was typed is in the table's name, comment or columns. */
function matches({ name, comment, columns }, typed) {
  const text = `${name} ${comment ?? ""} ${columns.map((each) => each.name).join(" ")}`.toLowerCase();
  return typed.every((word) => text.includes(word));
}

/** Show the tables; a click puts a name into the statement, or begins one with it. */
export function wireSchema(tables, editing) {
  const drawn = tables.map((each) => [each, table(each, editing)]);
  const filter = byId("find-table");
  const draw = () => {
    const typed = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = drawn.filter(([each]) => matches(each, typed));
    byId("tables").replaceChildren(...found.map(([, details]) => details));
    byId("tables-count").textContent = typed.length ? `${number(found.length)} of ${number(drawn.length)}` : number(drawn.length);
  };
  filter.addEventListener("input", draw);
  draw();
}
