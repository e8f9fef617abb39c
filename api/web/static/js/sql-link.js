/** What was asked in SQL, and how is it asked again with changes? */

import { copyable } from "./command.js";
import { h } from "./dom.js";

/** The SQL page with this statement; in the fragment, as a statement may be longer than an address should be. */
export const sqlPage = (query, parameters = {}) => `/ui/sql#${new URLSearchParams({ query, parameters: JSON.stringify(parameters) })}`;

export function sqlOfAddress() {
  const asked = new URLSearchParams(location.hash.slice(1));
  try {
    return { query: asked.get("query") ?? "", parameters: JSON.parse(asked.get("parameters") ?? "{}") };
  } catch {
    return { query: asked.get("query") ?? "", parameters: {} };
  }
}

/** A statement as it ran, with its values and a way to change it. */
export function statement({ query, parameters }) {
  const given = Object.entries(parameters ?? {}).map(([name, value]) => `${name} = ${JSON.stringify(value)}`).join("\n");
  return h("div", { class: "statement-shown" },
    copyable(query),
    given ? h("pre", { class: "given", "aria-label": "Values" }, given) : null,
    h("a", { href: sqlPage(query, parameters) }, "Open in SQL"));
}

/** The statements of a report, folded until somebody asks. */
export function queriesOf(queries) {
  const title = queries.length > 1 ? `SQL: ${queries.length} statements` : "SQL";
  return [h("details", { class: "sql" }, h("summary", {}, title), queries.map(statement))];
}
