/** What has this customer done, newest first? */

import { customerPath, get } from "./api.js";
import { inWords } from "./decisions.js";
import { h } from "./dom.js";
import { day, money, timeOfDay, words } from "./format.js";
import { problemNote } from "./problem.js";
import { newestFirst } from "./rows.js";

const PAGE = 30;
// The archive writes about once a second, a table at a time: what a change brought is asked for a while.
const CATCH_UP_MS = [300, 900, 1500, 3000, 6000];
const EVERY_EVENT_HAS = new Set([
  "type", "event_id", "customer_id", "occurred_at", "received_at", "source", "channel", "amount", "currency",
  "topic", "partition", "offset", "lines",
]);
const FACTS_IN_LINE = 3;
const EMPTY = "The history does not hold this customer's events yet.";

function gist(event) {
  const told = inWords(event);
  if (told) return told.map((part) => h("span", {}, part));
  const says = (value) => value !== null && value !== "" && !(typeof value === "object" && !Object.keys(value).length);
  const facts = Object.entries(event).filter(([name, value]) => !EVERY_EVENT_HAS.has(name) && says(value));
  const said = facts.slice(0, FACTS_IN_LINE).map(([name, value]) => {
    const text = typeof value === "object" ? Object.values(value).join(", ") : String(value);
    return h("span", {}, h("i", {}, words(name).toLowerCase()), " ", text);
  });
  const lines = event.lines?.length;
  return [...said, lines ? h("span", {}, `${lines} ${lines === 1 ? "line" : "lines"}`) : null];
}

function row(event) {
  return h(
    "li",
    { "data-id": event.event_id, "data-type": event.type },
    h("details", {},
      h("summary", {},
        h("span", { class: "when" }, day(event.occurred_at), " ", h("small", {}, timeOfDay(event.occurred_at))),
        h("b", {}, words(event.type)),
        h("span", { class: "gist" }, gist(event)),
        event.amount ? money(event.amount, event.currency) : null),
      h("pre", { tabindex: "0" }, JSON.stringify(event, null, 2))),
  );
}

/** One customer's timeline, as the function that refreshes it after a change, until the history has surely caught up. */
export function timeline(place, customerId) {
  const list = h("ol", { class: "timeline" });
  const more = h("button", { type: "button", class: "more" }, "Show earlier events");
  const rows = newestFirst(list, row);
  let cursor = null;
  let waiting = 0;

  const read = (after) => {
    const page = new URLSearchParams({ limit: PAGE, ...(after ? { cursor: after } : {}) });
    return get(`${customerPath(customerId)}/timeline?${page}`);
  };

  async function load(after) {
    try {
      const { items, next_cursor: next } = await read(after);
      if (!rows.size() || after) cursor = next;
      rows.add(items, { mark: rows.size() > 0 && !after });
      more.hidden = !cursor;
      place.replaceChildren(...(rows.size() ? [list, more] : [h("p", { class: "quiet" }, EMPTY)]));
    } catch (problem) {
      place.replaceChildren(...(rows.size() ? [list] : []), problemNote(problem));
    }
  }

  more.addEventListener("click", () => load(cursor));

  return async function refresh(attempt = 0) {
    clearTimeout(waiting);
    await load(null);
    if (attempt >= CATCH_UP_MS.length) return;
    waiting = setTimeout(() => refresh(attempt + 1), CATCH_UP_MS[attempt]);
  };
}
