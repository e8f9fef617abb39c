/** Which customer, or which report, is meant by what has been typed so far? */

import { customerPage, get, reportPage } from "./api.js";
import { byId, h } from "./dom.js";
import { decimal, number } from "./format.js";
import { stagePill } from "./stages.js";

const PAUSE_MS = 120;
const SHOWN = 8;
const REPORTS_SHOWN = 3;

/** What tells a customer apart: traits, or without any what they bought; of an id that is only a guess, that it is. */
function known({ profile, orders, isGuess }) {
  if (isGuess) return "if there is one of exactly this id";
  const traits = Object.values(profile.traits);
  if (traits.length) return traits.slice(0, 3).join(" · ");
  return `${number(orders.count)} ${orders.count === 1 ? "order" : "orders"} · ${decimal(orders.net)} ${orders.currency}`;
}

function option(customer, index) {
  return h(
    "li",
    { role: "option", id: `found-${index}`, "aria-selected": "false" },
    h("a", { href: customerPage(customer.customer_id), tabindex: "-1" },
      h("b", {}, customer.customer_id),
      h("span", { class: "traits" }, known(customer)),
      customer.lifecycle ? stagePill(customer.lifecycle.stage) : null),
  );
}

function reportOption({ name, title, question }, index) {
  return h("li", { role: "option", id: `found-${index}`, "aria-selected": "false" },
    h("a", { href: reportPage(name), tabindex: "-1" }, h("b", {}, title), h("span", { class: "traits" }, question)));
}

const wordsOf = (text) => text.toLowerCase().split(/[^\p{L}\p{N}]+/u).filter(Boolean);

/** The reports in whose title or question each word that was typed begins a word. */
function matching(reports, query) {
  const typed = wordsOf(query);
  const said = ({ title, question }) => wordsOf(`${title} ${question}`);
  return reports.filter((report) => typed.length && typed.every((word) => said(report).some((each) => each.startsWith(word)))).slice(0, REPORTS_SHOWN);
}

/** Customers, an exact id first; where more match than are shown, last the id that was typed, as it may be one; then reports. */
function options({ items, next_cursor: more }, query, reports) {
  const exact = items.filter(({ customer_id: id }) => id === query);
  const others = items.filter(({ customer_id: id }) => id !== query);
  const typed = more && !exact.length ? [{ customer_id: query, isGuess: true }] : [];
  const customers = [...exact, ...others, ...typed];
  return [...customers.map(option), ...matching(reports, query).map((report, index) => reportOption(report, customers.length + index))];
}

/** Wire the search box: as you type, arrows choose, Enter opens, Escape closes, `/` focuses. */
export function wireSearch() {
  const input = byId("search");
  const panel = byId("search-panel");
  const list = byId("search-results");
  const note = byId("search-note");
  let chosen = -1;
  let timer = 0;
  let request = new AbortController();
  let openFirst = false;
  let reports = null; // what there is, read when somebody begins to search

  const close = () => {
    panel.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const choose = (index) => {
    const found = [...list.children];
    if (!found.length) return;
    chosen = (index + found.length) % found.length;
    found.forEach((each, position) => each.setAttribute("aria-selected", String(position === chosen)));
    found[chosen].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", found[chosen].id);
  };
  const open = (index) => list.children[index]?.querySelector("a").click();

  const tell = (text, found = []) => {
    chosen = -1;
    input.removeAttribute("aria-activedescendant");
    list.replaceChildren(...found);
    note.textContent = text;
    panel.hidden = false;
    input.setAttribute("aria-expanded", String(found.length > 0));
  };

  const search = async () => {
    request.abort();
    request = new AbortController();
    const { signal } = request;
    const query = input.value.trim();
    if (!query) return close();
    try {
      reports ??= get("/reports").then(({ items }) => items).catch(() => []);
      const found = await get(`/customers?${new URLSearchParams({ q: query, limit: SHOWN })}`, { signal });
      const count = found.items.length;
      tell(count ? `${found.next_cursor ? "The latest " : ""}${count} found` : `No customer matches “${query}”`, options(found, query, await reports));
      if (openFirst) open(0);
    } catch (problem) {
      if (problem.name !== "AbortError") tell(`${problem.title}: ${problem.detail}`);
    } finally {
      if (!signal.aborted) openFirst = false;
    }
  };

  input.addEventListener("input", () => {
    openFirst = false;
    clearTimeout(timer);
    timer = setTimeout(search, PAUSE_MS);
  });
  input.addEventListener("focus", () => {
    if (input.value.trim()) search();
  });
  input.addEventListener("blur", close);
  panel.addEventListener("mousedown", (event) => event.preventDefault()); // keeps the focus, so that the click arrives
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") choose(chosen + 1);
    else if (event.key === "ArrowUp") choose(chosen < 0 ? -1 : chosen - 1);
    else if (event.key === "Escape") close();
    else if (event.key === "Enter" && chosen >= 0) open(chosen);
    else if (event.key === "Enter") {
      clearTimeout(timer);
      openFirst = true;
      search();
    } else return;
    event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.target.matches("input, textarea, select")) return;
    event.preventDefault();
    input.focus();
  });
}
