/** Who has just moved from one stage to another, and why? */

import { customerPage } from "./api.js";
import { everyFrame, freshen, h } from "./dom.js";
import { day, sameDay, timeOfDay } from "./format.js";
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

/** A list that takes whole answers with `reset` and single arrivals with `add`, at most once a frame. */
export function transitionList(place, { named = true, empty }) {
  const list = h("ol", { class: named ? "transitions" : "transitions unnamed", reversed: true });
  const known = new Set();
  let arrived = [];
  let today = new Date().toISOString();

  const drawArrived = everyFrame(() => {
    const rows = arrived.map((transition) => row(transition, { today, named })).reverse();
    arrived = [];
    place.replaceChildren(list);
    list.prepend(...rows);
    while (list.children.length > SHOWN) list.lastElementChild.remove();
    rows.forEach(freshen);
  });

  return {
    /** The moment that counts as now: rows of its day show a time of day. */
    setNow(asOf) {
      today = asOf;
    },
    reset(items) {
      arrived = [];
      known.clear();
      items.forEach((item) => known.add(item.event_id));
      list.replaceChildren(...items.slice(0, SHOWN).map((item) => row(item, { today, named })));
      place.replaceChildren(items.length ? list : h("p", { class: "quiet" }, empty));
    },
    add(transition) {
      if (known.has(transition.event_id)) return;
      known.add(transition.event_id);
      arrived = [...arrived, transition].slice(-SHOWN);
      drawArrived();
    },
  };
}
