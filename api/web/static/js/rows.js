/** Which rows does a list show? Each event once, newest first; a row that is there stays as it is. */

import { freshen } from "./dom.js";

const at = ({ event }) => new Date(event.occurred_at);

/** A list whose rows are made by `row(event)`; of more than `limit`, the newest. */
export function newestFirst(list, row, limit = Infinity) {
  let shown = new Map();
  const entry = (event) => [event.event_id, { event, element: row(event) }];

  return {
    size: () => shown.size,

    /** Take in events, marked if they have just happened; the number that were not there. */
    add(events, { mark }) {
      const added = new Map(events.filter((event) => !shown.has(event.event_id)).map(entry));
      const all = mark ? [...added, ...shown] : [...shown, ...added]; // at one instant, the later arrival first
      shown = new Map(all.sort(([, a], [, b]) => at(b) - at(a)).slice(0, limit));
      all.slice(limit).forEach(([, { element }]) => element.remove());
      let next = null;
      for (const { element } of [...shown.values()].reverse()) {
        if (element.parentNode !== list || element.nextSibling !== next) list.insertBefore(element, next);
        next = element;
      }
      if (mark) added.forEach(({ element }) => freshen(element));
      return added.size;
    },

    /** Make every row again, where what they say depends on more than their events. */
    redraw() {
      shown = new Map([...shown.values()].map(({ event }) => entry(event)));
      list.replaceChildren(...[...shown.values()].map(({ element }) => element));
    },
  };
}
