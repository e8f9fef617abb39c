/** What do the models say of a customer, and why? */

import { get } from "./api.js";
import { h } from "./dom.js";
import { day, sentence, words } from "./format.js";

export const percent = (probability) => {
  const share = 100 * probability;
  return share > 0 && share < 1 ? "<\u00a01\u00a0%" : `${Math.round(share)}\u00a0%`;
};

let meanings = null;

/** What each target means, asked for once; without an answer its name has to do. */
async function readMeanings() {
  meanings ??= get("/models").then(({ items }) => new Map(items.map((each) => [each.target, each.meaning])), () => new Map());
  return meanings;
}

function reason({ words: said, contribution }) {
  const raises = contribution > 0;
  return h("li", { "data-raises": raises, title: `${raises ? "+" : "−"}${Math.abs(contribution).toFixed(2)} log-odds` },
    h("span", { class: "sr" }, raises ? "raises it: " : "lowers it: "), said);
}

function one([target, score], known) {
  return h("li", { id: `score-${target}` },
    h("header", {},
      h("span", {}, sentence(known.get(target) ?? words(target))),
      score.band ? h("span", { class: "band", "data-band": score.band }, score.band) : null,
      h("b", {}, percent(score.probability))),
    h("ul", { class: "reasons" }, score.reasons.map(reason)),
    h("p", { class: "quiet" }, `${score.model ?? "a model"}, `, day(score.scored_at),
      score.percentile === null ? null : `, higher than ${score.percentile}\u00a0% of customers`));
}

/** Draw the scores into `place`, or say that there are none. */
export async function drawScores(place, scores) {
  const all = Object.entries(scores ?? {});
  if (!all.length) {
    place.replaceChildren(h("p", { class: "quiet" }, "No scores yet: a model scores customers once it has learned from others."));
    return;
  }
  const known = await readMeanings();
  place.replaceChildren(h("ul", { class: "predictions" }, all.map((each) => one(each, known))));
}
