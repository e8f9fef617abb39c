/** Which values does a statement ask for with its {name:Type}, and what are they? */

import { h } from "./dom.js";

const PARAMETER = /\{(\w+):([^{}]+)\}/g;
const TEXT = /^(Nullable\()?(String|Date|DateTime|FixedString|UUID|Enum)/;

/** The statement's parameters, each once: [name, type]. */
export const parametersOf = (query) => [...new Map([...query.matchAll(PARAMETER)].map(([, name, type]) => [name, type.trim()]))];

function field([name, type], value) {
  const input = h("input", { type: "text", id: `value-${name}`, "data-name": name, "data-type": type, autocomplete: "off", spellcheck: "false" });
  input.value = value === undefined || value === null ? "" : typeof value === "string" ? value : JSON.stringify(value);
  return h("div", { class: "field" }, h("label", { for: input.id }, name), input, h("small", {}, type));
}

/** Draw a control for each parameter of the statement; where they are the same as before, nothing moves. */
export function drawValues(place, query, values) {
  const wanted = parametersOf(query);
  place.hidden = wanted.length === 0;
  if (JSON.stringify(wanted) === place.dataset.drawn && !Object.keys(values).some((name) => differs(place, name, values[name]))) return;
  place.dataset.drawn = JSON.stringify(wanted);
  place.replaceChildren(...wanted.map((each) => field(each, values[each[0]])));
}

const differs = (place, name, value) => readValues(place)[name] !== value;

/** The values as JSON: text as it is, null where a Nullable is left empty, else what the text means. */
export function readValues(place) {
  return Object.fromEntries([...place.querySelectorAll("input")].map(({ dataset: { name, type }, value }) => [name, valueOf(type, value)]));
}

function valueOf(type, text) {
  if (text === "" && type.startsWith("Nullable(")) return null;
  if (TEXT.test(type)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
