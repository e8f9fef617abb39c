/** What has this customer done, newest first? */

import { customerPath, get } from "./api.js";
import { freshen, h } from "./dom.js";
import { day, money, timeOfDay, words } from "./format.js";
import { problemNote } from "./problem.js";

const PAGE = 30;
// The archive writes about once a second: an event that the projections have is asked for until the history has it.
const CATCH_UP_MS = [300, 900, 1500, 3000, 6000];
const EVERY_EVENT_HAS = new Set([
  "type", "event_id", "customer_id", "occurred_at", "received_at", "source", "channel", "amount", "currency",
  "topic", "partition", "offset", "lines",
]);
const FACTS_IN_LINE = 3;

function gist(event) {
  const says = (value) => value !== null && value !== "" && !(typeof value === "object" && !Object.keys(value).length);
  const facts = Object.entries(event).filter(([name, value]) => !EVERY_EVENT_HAS.has(name) && says(value));
  const said = facts.slice(0, FACTS_IN_LINE).map(([name, value]) => {
    const text = typeof value === "object" ? Object.values(value).join(", ") : String(value);
    return h("span", {}, h("i", {}, words(name).toLowerCase()), " ", text);
  });
  const lines = event.lines?.length ? h("span", {}, h("i", {}, "lines"), ` ${event.lines.length}`) : null;
  return [lines, ...said];
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

/** One customer's timeline, as the function that refreshes it after a change, until the history shows something new. */
export function timeline(place, customerId) {
  const list = h("ol", { class: "timeline" });
  const more = h("button", { type: "button", class: "more" }, "Show earlier events");
  let rows = new Map(); // event id -> its event and element: an opened row stays open
  let cursor = null;
  let waiting = 0;

  const read = (after) => {
    const page = new URLSearchParams({ limit: PAGE, ...(after ? { cursor: after } : {}) });
    return get(`${customerPath(customerId)}/timeline?${page}`);
  };

  /** Add what is new, in its place in time; the number of events that were. */
  function merge(items, mark) {
    const added = items
      .filter((event) => !rows.has(event.event_id))
      .map((event) => ({ event, element: row(event) }));
    if (added.length) {
      const all = mark ? [...added, ...rows.values()] : [...rows.values(), ...added]; // at one instant, the later arrival first
      all.sort((a, b) => new Date(b.event.occurred_at) - new Date(a.event.occurred_at));
      rows = new Map(all.map((each) => [each.event.event_id, each]));
      list.replaceChildren(...all.map(({ element }) => element));
      if (mark) added.forEach(({ element }) => freshen(element));
    }
    more.hidden = !cursor;
    const empty = h("p", { class: "quiet" }, "The history does not hold this customer's events yet.");
    place.replaceChildren(...(rows.size ? [list, more] : [empty]));
    return added.length;
  }

  async function load(after) {
    try {
      const first = rows.size === 0;
      const { items, next_cursor: next } = await read(after);
      if (first || after) cursor = next;
      return merge(items, !first && !after);
    } catch (problem) {
      place.replaceChildren(...(rows.size ? [list] : []), problemNote(problem));
      return 0;
    }
  }

  more.addEventListener("click", () => load(cursor));

  return async function refresh(attempt = 0) {
    clearTimeout(waiting);
    const added = await load(null);
    if (added || attempt >= CATCH_UP_MS.length) return;
    waiting = setTimeout(() => refresh(attempt + 1), CATCH_UP_MS[attempt]);
  };
}
