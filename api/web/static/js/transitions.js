/** Who has just moved from one stage to another, and why? */

import { customerPage } from "./api.js";
import { everyFrame, h } from "./dom.js";
import { day, sameDay, timeOfDay } from "./format.js";
import { newestFirst } from "./rows.js";
import { stagePill } from "./stages.js";

const SHOWN = 50;

function row(transition, { today, named }) {
  const { customer_id: id, from, to, reason, late, occurred_at: at } = transition;
  return h(
    "li",
    { "data-to": to, "data-id": transition.event_id },
    named ? h("a", { class: "who", href: customerPage(id) }, id) : null,
    h("span", { class: "move" }, from ? [stagePill(from), h("span", { class: "arrow", "aria-label": "to" }, "→")] : null, stagePill(to)),
    h("span", { class: "why", title: reason }, reason, late ? h("em", { title: "Caused by an event that arrived behind the clock" }, "late") : null),
    h("span", { class: "when" }, sameDay(at, today) ? timeOfDay(at) : day(at)),
  );
}

/** A list that takes whole answers and single arrivals, and is drawn at most once a frame. */
export function transitionList(place, { named = true, empty }) {
  const list = h("ol", { class: named ? "transitions" : "transitions unnamed", reversed: true });
  let today = new Date().toISOString();
  let arrived = [];
  const rows = newestFirst(list, (transition) => row(transition, { today, named }), SHOWN);

  const drawArrived = everyFrame(() => {
    place.replaceChildren(list);
    rows.add(arrived.reverse(), { mark: true });
    arrived = [];
  });

  return {
    /** The moment that counts as now: rows of its day show a time of day. */
    setNow(asOf) {
      if (sameDay(asOf, today)) return;
      today = asOf;
      rows.redraw();
    },
    /** The answer of GET /transitions, which may overlap what has arrived. */
    take(items) {
      rows.add(items, { mark: rows.size() > 0 });
      if (!place.contains(list)) place.replaceChildren(rows.size() ? list : h("p", { class: "quiet" }, empty));
    },
    arrive(transition) {
      arrived = [...arrived, transition].slice(-SHOWN);
      drawArrived();
    },
  };
}
