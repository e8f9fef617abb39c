/** How do the rows of a page become a file? */

import { h } from "./dom.js";

let links = []; // of the answer that is shown

/** RFC 4180; what is no plain value is JSON, null is empty. */
function csv({ columns, rows }) {
  const field = (value) => {
    const text = value === null ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [columns.map(({ name }) => name), ...rows].map((row) => `${row.map(field).join(",")}\r\n`).join("");
}

const json = ({ columns, rows }) => JSON.stringify(rows.map((row) => Object.fromEntries(columns.map(({ name }, place) => [name, row[place]]))), null, 1);

/** Links to the rows of an answer as CSV and JSON, good until the next answer. */
export function files(answer, name) {
  links.forEach((link) => URL.revokeObjectURL(link));
  const made = [["CSV", "csv", "text/csv", csv(answer)], ["JSON", "json", "application/json", json(answer)]];
  links = made.map(([, , type, text]) => URL.createObjectURL(new Blob([text], { type })));
  return made.map(([title, format], place) => h("a", { href: links[place], download: `${name}.${format}` }, title));
}

/** A button that fetches a file and hands it to whoever presses it; `fetched` is null where it cannot be had. */
export function fetchedFile(title, name, fetched) {
  const button = h("button", { type: "button", class: "insert" }, title);
  button.addEventListener("click", async () => {
    button.disabled = true;
    const blob = await fetched();
    button.disabled = false;
    if (!blob) return;
    const href = URL.createObjectURL(blob);
    h("a", { href, download: name }).click();
    URL.revokeObjectURL(href);
  });
  return button;
}

export const titled = (downloads) => [h("span", { class: "quiet" }, "Download"), ...downloads];
