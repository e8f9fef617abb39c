/** How are the seven lifecycle stages named, ordered and shown? */

import { h } from "./dom.js";
import { number, share, words } from "./format.js";

// From not yet a customer, through buying, to gone: neighbours in the bar are neighbours in a life.
export const STAGES = ["prospect", "new", "active", "won_back", "at_risk", "dormant", "churned"];

export function stagePill(stage) {
  return h("span", { class: "pill", "data-stage": stage }, words(stage ?? "unknown"));
}

/** The bar and its legend; redrawn whole, as seven numbers are. */
export function drawStages(place, counts) {
  const total = STAGES.reduce((sum, stage) => sum + (counts[stage] ?? 0), 0);
  const spoken = STAGES.map((stage) => `${words(stage)} ${share(counts[stage] ?? 0, total)}`).join(", ");
  const segments = STAGES.filter((stage) => counts[stage] > 0).map((stage) => {
    const title = `${words(stage)}: ${number(counts[stage])} (${share(counts[stage], total)})`;
    const segment = h("span", { "data-stage": stage, title });
    segment.style.flexGrow = counts[stage];
    return segment;
  });
  place.replaceChildren(
    h("div", { class: "stage-bar", role: "img", "aria-label": `Share of customers by stage: ${spoken}` }, segments),
    h("ul", { class: "stage-legend" }, STAGES.map((stage) => legend(stage, counts[stage] ?? 0, total))),
  );
}

function legend(stage, count, total) {
  return h(
    "li",
    { "data-stage": stage, "data-none": count === 0 },
    h("span", { class: "name" }, words(stage)),
    h("strong", { id: `stage-${stage}` }, number(count)),
    h("span", { class: "share" }, share(count, total)),
  );
}
