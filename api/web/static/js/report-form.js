/** Which report do the controls describe, and which controls describe a report? */

import { byId, h } from "./dom.js";
import { words } from "./format.js";

const MEASURES = ["count", "count_distinct", "sum", "mean", "min", "max", "median", "share"];
const GRAINS = ["day", "week", "month", "quarter", "year"];
const OPERATORS = [["=", "is"], ["!=", "is not"], ["in", "is one of"], ["not_in", "is none of"], ["<", "<"], ["<=", "≤"], [">", ">"], [">=", "≥"],
  ["between", "is between"], ["contains", "contains"], ["starts_with", "begins with"], ["is_null", "is missing"], ["not_null", "is there"]];
const OF_NOTHING = ["is_null", "not_null"], OF_SEVERAL = ["in", "not_in", "between"], ORDERED = ["<", "<=", ">", ">=", "between"];
const BARE = /^(?:(?:Nullable|LowCardinality)\()*(\w+)/;

const COUNTED = [{ measure: "count" }]; // where a form has no measures

let types = new Map(); // of the fields of the module

export const typeOf = (field) => BARE.exec(types.get(field) ?? "")?.[1] ?? "";
const isTime = (field) => /^Date/.test(typeOf(field));
const isNumber = (field) => /^(U?Int|Float|Decimal)/.test(typeOf(field));
const isNamed = (field) => !types.has(field) && field.includes(".");

/** Choose from these fields from now on: [name, type, comment]. */
export function useFields(fields) {
  types = new Map(fields.map(([name, type]) => [name, type]));
  byId("known-fields").replaceChildren(...fields.map(([name, , comment]) => h("option", { value: name }, comment ?? "")));
  const times = fields.map(([name]) => name).filter((name) => isTime(name) && !name.startsWith("customers."));
  byId("period-field").replaceChildren(h("option", { value: "" }, "all time"), ...times.map((name) => h("option", { value: name }, name)));
}

function select(title, choices, chosen) {
  const control = h("select", { "aria-label": title }, choices.map(([value, text]) => h("option", { value }, text)));
  control.value = chosen ?? choices[0][0];
  return control;
}

function fieldInput(title, value) {
  const input = h("input", { type: "text", list: "known-fields", "aria-label": title, placeholder: "a field", autocomplete: "off", spellcheck: "false" });
  input.value = value ?? "";
  return input;
}

/** A row of controls that can be removed; `row.told()` is the part of the form, null while it is unfinished. */
function row(place, controls, adapt, told) {
  const remove = h("button", { type: "button", class: "more", "aria-label": "Remove" }, "×");
  const element = h("div", { class: "part" }, controls, remove);
  remove.addEventListener("click", () => {
    element.remove();
    place.dispatchEvent(new Event("change", { bubbles: true }));
  });
  element.addEventListener("input", adapt);
  element.told = told;
  adapt();
  place.append(element);
  return element;
}

const withoutMinor = (name) => (name.endsWith("base_minor") ? name.replace(/_minor$/, "") : name);
const measureName = ({ measure, field, name }) => name ?? (field ? withoutMinor(`${measure}_${field}`.replaceAll(".", "_")) : measure);
const dimensionName = ({ field, name }) => name ?? withoutMinor(field);

/** What a column is to be called, where not by what it is. */
function nameInput(value) {
  const input = h("input", { type: "text", "aria-label": "Column name", maxlength: "64", autocomplete: "off", spellcheck: "false" });
  input.value = value ?? "";
  return input;
}

const nameOf = (input) => input.value.trim() || undefined;

export function addMeasure({ measure, field, name } = {}) {
  const kind = select("Measure", MEASURES.map((each) => [each, each === "count" ? "count of rows" : words(each).toLowerCase()]), measure);
  const of = fieldInput("Field to measure", field);
  const called = nameInput(name);
  const told = () => {
    if (kind.value === "count") return { measure: "count", name: nameOf(called) };
    return of.value || kind.value === "share" ? { measure: kind.value, field: of.value || undefined, name: nameOf(called) } : null;
  };
  return row(byId("measures"), [kind, of, called], () => {
    of.hidden = kind.value === "count";
    called.placeholder = `named ${measureName({ measure: kind.value, field: of.hidden ? "" : of.value })}`;
  }, told);
}

export function addDimension({ field, grain, bins, name } = {}) {
  const of = fieldInput("Field to group by", field);
  const by = select("Grain", [["", "each time"], ...GRAINS.map((each) => [each, `by ${each}`])], grain ?? "");
  const width = h("input", { type: "text", "aria-label": "Bins: a width, or the edges with commas", placeholder: "no bins" });
  width.value = [bins ?? []].flat().join(", ");
  const called = nameInput(name);
  const told = () => {
    const edges = width.value.split(",").map((each) => each.trim()).filter(Boolean).map(Number);
    return of.value ? { field: of.value, grain: (!by.hidden && by.value) || undefined, name: nameOf(called),
      bins: width.hidden || !edges.length || edges.some(Number.isNaN) ? undefined : edges.length === 1 ? edges[0] : edges } : null;
  };
  return row(byId("dimensions"), [of, by, width, called], () => {
    by.hidden = !isTime(of.value);
    width.hidden = !isNumber(of.value);
    called.placeholder = of.value ? `named ${dimensionName({ field: of.value })}` : "a name";
  }, told);
}

/** Text as the value that the field has: numbers for numbers, and for named values where size is meant. */
function valueOf(field, op, text) {
  if (typeOf(field) === "Bool") return text === "true";
  const number = text.trim() === "" ? NaN : Number(text);
  return !Number.isNaN(number) && (isNumber(field) || (isNamed(field) && ORDERED.includes(op))) ? number : text;
}

export function addFilter({ field, op, value, values } = {}) {
  const of = fieldInput("Field to filter by", field);
  const how = select("Operator", OPERATORS, op);
  const what = h("input", { type: "text", "aria-label": "Value", autocomplete: "off" });
  what.value = values ? values.join(", ") : String(value ?? "");
  const told = () => {
    if (!of.value) return null;
    if (OF_NOTHING.includes(how.value)) return { field: of.value, op: how.value };
    if (!OF_SEVERAL.includes(how.value)) return what.value ? { field: of.value, op: how.value, value: valueOf(of.value, how.value, what.value) } : null;
    const each = what.value.split(",").map((text) => text.trim()).filter(Boolean);
    return each.length ? { field: of.value, op: how.value, values: each.map((text) => valueOf(of.value, how.value, text)) } : null;
  };
  return row(byId("filters"), [of, how, what], () => {
    what.hidden = OF_NOTHING.includes(how.value);
    what.placeholder = how.value === "between" ? "least, greatest" : OF_SEVERAL.includes(how.value) ? "one, another" : "a value";
  }, told);
}

/** A column to order by; with `-` in front it falls, unless that is how one of `names` begins. */
export function addOrder(written = "", names = []) {
  const falls = written.startsWith("-") && !names.includes(written);
  const by = h("input", { type: "text", list: "known-columns", "aria-label": "Column to order by", placeholder: "a column", autocomplete: "off", spellcheck: "false" });
  by.value = falls ? written.slice(1) : written;
  const way = select("Direction", [["", "rising"], ["-", "falling"]], falls ? "-" : "");
  return row(byId("order"), [by, way], () => {}, () => (by.value ? way.value + by.value : null));
}

const parts = (place) => [...byId(place).children].map((each) => each.told()).filter(Boolean);

function choose(id, none, names, chosen) {
  byId(id).replaceChildren(h("option", { value: "" }, none), ...names.map((name) => h("option", { value: name }, name)));
  byId(id).value = names.includes(chosen) ? chosen : "";
}

/** The columns that the answer can be ordered by: of a pivot, what stays a row. */
function orderable({ measures = COUNTED, dimensions = [], pivot }) {
  const names = dimensions.map(dimensionName);
  return pivot ? names.filter((name) => name !== pivot.dimension) : [...names, ...measures.map(measureName)];
}

/** Offer the columns there are where one of them is to be named. */
export function offerColumns(form) {
  const names = (form.dimensions ?? []).map(dimensionName);
  choose("top-dimension", "the first", names, form.top?.dimension ?? byId("top-dimension").value);
  choose("top-by", "the first", (form.measures ?? COUNTED).map(measureName), form.top?.by ?? byId("top-by").value);
  choose("pivot", "one row each", names, form.pivot?.dimension ?? byId("pivot").value);
  byId("top-dimension").disabled = byId("top-by").disabled = byId("others").disabled = !byId("top").value;
  byId("compare").disabled = !byId("period-field").value;
  byId("known-columns").replaceChildren(...orderable(form).map((name) => h("option", { value: name })));
}

/** The form that the controls describe; `kept` are members that have no control. */
export function readForm(kept) {
  const asOf = byId("as-of").value, period = { field: byId("period-field").value, from: byId("period-from").value, to: byId("period-to").value };
  const whole = period.field && period.from && period.to;
  const top = byId("top").value && { n: Number(byId("top").value), dimension: byId("top-dimension").value || undefined, by: byId("top-by").value || undefined, others: byId("others").checked };
  const form = { ...kept, from: byId("module").value, measures: parts("measures"), dimensions: parts("dimensions"), filters: parts("filters"),
    period: whole ? period : undefined, compare: (whole && byId("compare").value) || undefined, top: top || undefined,
    pivot: byId("pivot").value ? { ...kept.pivot, dimension: byId("pivot").value } : undefined,
    order: parts("order"), limit: Number(byId("limit").value) || undefined,
    as_of: asOf ? `${asOf.length === 16 ? `${asOf}:00` : asOf}Z` : undefined, timezone: byId("timezone").value.trim() || undefined };
  return JSON.parse(JSON.stringify(form, (name, value) => (Array.isArray(value) && !value.length ? undefined : value))); // without what is not said
}

/** Put a form into the controls; the fields of its module are in use. */
export function drawForm({ from, measures = COUNTED, dimensions = [], filters = [], period, compare, top, pivot, order = [], limit, as_of: asOf, timezone }) {
  byId("module").value = from;
  for (const place of ["measures", "dimensions", "filters", "order"]) byId(place).replaceChildren();
  measures.forEach(addMeasure);
  dimensions.forEach(addDimension);
  filters.forEach(addFilter);
  const columns = orderable({ measures, dimensions, pivot });
  order.forEach((written) => addOrder(written, columns));
  byId("period-field").value = period?.field ?? "";
  byId("period-from").value = period?.from ?? "";
  byId("period-to").value = period?.to ?? "";
  byId("compare").value = compare ?? "";
  byId("top").value = top?.n ?? "";
  byId("others").checked = top?.others ?? true;
  byId("limit").value = limit ?? "";
  byId("as-of").value = asOf ? new Date(asOf).toISOString().slice(0, 19) : "";
  byId("timezone").value = timezone ?? "";
  offerColumns({ measures, dimensions, top, pivot });
}
