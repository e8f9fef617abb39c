/** What may a report be asked for, and what does the address ask for? */

import { byId, h } from "./dom.js";
import { label, words } from "./format.js";

const MOMENT = { name: "as_of", title: "As of (UTC)", kind: "moment", means: "Only what had happened by then counts; now, if left out." };
const ZONE = { name: "timezone", kind: "timezone", means: "Where the business is: a day begins there at midnight." };

/** Every report's own parameters, then the two that all have. */
export const withCommon = (parameters) => [...parameters, MOMENT, ZONE];

const INPUTS = {
  integer: ({ minimum, maximum }) => ({ type: "number", step: 1, min: minimum, max: maximum }),
  number: ({ minimum, maximum }) => ({ type: "number", step: "any", min: minimum, max: maximum }),
  date: () => ({ type: "date" }),
  moment: () => ({ type: "datetime-local", step: 1 }),
  timezone: () => ({ type: "text", list: "timezones", spellcheck: "false", autocomplete: "off" }),
  text: () => ({ type: "text", autocomplete: "off" }),
};

/** RFC 3339 as a control for moments shows it, and back. */
const toControl = (kind, value) => {
  if (kind !== "moment" || !value) return value ?? "";
  const at = new Date(value);
  return Number.isNaN(at.getTime()) ? "" : at.toISOString().slice(0, 19);
};
const fromControl = (kind, value) => (kind === "moment" && value ? `${value.length === 16 ? `${value}:00` : value}Z` : value.trim());

function control(spec, value) {
  const { name, kind, choices, default: usual } = spec;
  const attributes = { id: `parameter-${name}`, name, "aria-describedby": `means-${name}` };
  if (kind === "choice") {
    const all = usual === null || usual === undefined ? [h("option", { value: "" }, "all")] : [];
    const options = choices.map((choice) => h("option", { value: choice, selected: String(choice) === String(value) }, label(String(choice))));
    return h("select", attributes, all, options);
  }
  const input = h("input", { ...attributes, ...(INPUTS[kind] ?? INPUTS.text)(spec), placeholder: kind === "text" ? "all" : null });
  input.value = toControl(kind, value);
  return input;
}

function field(spec, value) {
  return h("div", { class: "field", "data-parameter": spec.name }, h("label", { for: `parameter-${spec.name}` }, spec.title ?? words(spec.name)),
    control(spec, value), h("small", { id: `means-${spec.name}` }, spec.means ?? ""));
}

const zones = () => h("datalist", { id: "timezones" }, Intl.supportedValuesOf("timeZone").map((zone) => h("option", { value: zone })));

/** Draw the controls of `specs` with what `asked` says, else the defaults. */
export function drawParameters(form, specs, asked) {
  form.replaceChildren(...specs.map((spec) => field(spec, asked.get(spec.name) ?? spec.default)), zones(),
    h("div", { class: "actions" }, h("button", { type: "submit", class: "run" }, "Run"), h("a", { href: location.pathname }, "Defaults")));
}

/** What the controls say, without what is the default anyway. */
export function readParameters(form, specs) {
  const said = specs.map(({ name, kind, default: usual }) => [name, fromControl(kind, form.elements[name].value), usual]);
  return new URLSearchParams(said.filter(([, value, usual]) => value !== "" && value !== String(usual ?? "")).map(([name, value]) => [name, value]));
}

/** Mark the controls that a problem names, and unmark the others. */
export function markFaults(form, errors) {
  for (const place of form.querySelectorAll("[data-parameter]")) {
    const fault = errors.find(({ field: name }) => name === place.dataset.parameter);
    const input = byId(`parameter-${place.dataset.parameter}`);
    if (fault) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  }
}
