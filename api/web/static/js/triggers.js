/** Who is told of what, what was decided today, what is on its way, and what does it bring? */

import { customerPage, get, post } from "./api.js";
import { change, VERDICTS } from "./decisions.js";
import { byId, facts, h } from "./dom.js";
import { dayAndTime, number, words } from "./format.js";
import { follow } from "./live.js";
import { problemBoard } from "./problem.js";
import { wireSearch } from "./search.js";

const attempt = problemBoard(byId("problem"));
const REFRESH_MS = 10_000;
const SHOWS_AFTER_MS = 2_000; // the archive follows the log by about a second
const answered = new Set(); // decisions, until the history knows
let queued = null; // ids of the reviews that are shown

const listed = (said) => [said].flat().map(words).join(", ") || "any";

function waitsFor({ on: { change: kind, segment, target, from, to } }) {
  const what = kind === "stage" ? "Stage" : kind === "segment" ? `Segment ${segment}` : `Score ${target}`;
  return `${what}: ${listed(from)} → ${listed(to)}`;
}

function capped({ count, days, per }) {
  return `${number(count)} a customer ${days ? `in ${days} days` : `per ${per}`}`;
}

function quietHours({ quiet_hours: quiet, default_timezone: zone }) {
  return quiet && `${quiet.from} to ${quiet.to}, ${quiet.policy === "drop" ? "then dropped" : "then later"}; ${zone} where unknown`;
}

function verdicts(decisions) {
  const counted = Object.entries(decisions).sort(([, a], [, b]) => b - a);
  if (!counted.length) return h("p", { class: "quiet" }, "Nothing was decided in the last 24 hours.");
  return h("ul", { class: "verdicts" }, counted.map(([verdict, count]) =>
    h("li", { "data-verdict": verdict, title: VERDICTS[verdict] }, h("b", {}, number(count)), " ", words(verdict).toLowerCase())));
}

function redrive(name, parked) {
  const button = h("button", { type: "button", class: "more" }, `Redrive ${number(parked)} parked`);
  button.addEventListener("click", async () => {
    button.disabled = true;
    for (let asked = { trigger: name }, answer = { more: true }; answer?.more; ) {
      answer = await attempt(`redrive ${name}`, () => post("/deliveries/redrive", asked));
      asked = { ...asked, until: answer?.until };
    }
    setTimeout(catchUp, SHOWS_AFTER_MS);
  });
  return button;
}

function panel(trigger) {
  const { name, action, consent, holdout, cap, where, pending, parked, uplift, decisions } = trigger;
  return h("section", { class: "panel trigger", "aria-label": name },
    h("header", {}, h("h2", {}, name), h("p", {}, waitsFor(trigger))),
    verdicts(decisions),
    facts([
      ["On the way", h("span", { class: "pending" }, pending ? `${number(pending)} pending` : "nothing")],
      ["Parked", parked ? redrive(name, parked) : null],
      ["Goes to", action.endpoint],
      ["Only where", where && h("code", {}, where)],
      ["Consent", consent === "none" ? "none needed" : consent],
      ["Cap", cap && capped(cap)],
      ["Quiet hours", quietHours(trigger)],
      ["Held out", holdout ? `${number(Math.round(holdout * 1000) / 10)}\u00a0%` : "nobody"],
      ["Review", trigger.review ? `by a person, within ${trigger.review_within}` : null],
    ]),
    holdout ? h("p", { class: "quiet uplift" }, uplift.words) : null);
}

function review(decision) {
  const { decision_id: id, customer_id: who, trigger, until_at: until } = decision;
  const say = (approved, label) => {
    const button = h("button", { type: "button", class: "more" }, label);
    button.setAttribute("aria-label", `${label}: ${trigger} to ${who}`);
    button.addEventListener("click", async () => {
      row.querySelectorAll("button").forEach((each) => { each.disabled = true; });
      const path = `/decisions/${encodeURIComponent(id)}/review`;
      const done = await attempt(`review ${id}`, () => post(path, { approved }).then(() => true));
      if (done) answered.add(id);
      else row.querySelectorAll("button").forEach((each) => { each.disabled = false; });
      catchUp();
    });
    return button;
  };
  const row = h("li", { "data-id": id },
    h("a", { class: "who", href: customerPage(who) }, who),
    h("span", {}, h("b", {}, trigger), " ", change(decision)),
    h("span", { class: "when" }, "up to ", dayAndTime(until)),
    h("span", { class: "answers" }, say(true, "Yes"), say(false, "No")));
  return row;
}

function failing({ endpoint, attempts, failed, latest_error: error }) {
  return [endpoint, h("span", {}, `${number(failed)} of ${number(attempts)} attempts`, h("small", {}, error))];
}

function segment({ name, customers, where }) {
  return [name, h("span", {}, number(customers), h("small", {}, h("code", {}, where)))];
}

/** The queue; left as it is while it is the same, so that it stays where it was scrolled to. */
function drawReviews({ items, next_cursor: more }) {
  const waiting = items.filter((each) => !answered.has(each.decision_id));
  const ids = waiting.map((each) => each.decision_id).join();
  if (ids === queued) return;
  queued = ids;
  byId("reviews").replaceChildren(
    waiting.length ? h("ol", { class: "reviews", tabindex: "0", "aria-label": "To review" }, waiting.map(review)) : h("p", { class: "quiet" }, "Nothing waits for a person."),
    more ? h("p", { class: "quiet" }, "Older ones follow once these are answered.") : "");
}

const orNothing = (pairs, text) => (pairs.length ? facts(pairs) : h("p", { class: "quiet" }, text));

async function readTriggers() {
  const body = await get("/triggers");
  const items = await Promise.all(body.items.map(async (each) =>
    (each.holdout ? { ...each, uplift: await get(`/triggers/${encodeURIComponent(each.name)}/uplift`) } : each)));
  return { ...body, items };
}

async function catchUp() {
  const [rules, reviews, segments] = await Promise.all([
    attempt("triggers", readTriggers), attempt("reviews", () => get("/reviews")), attempt("segments", () => get("/segments")),
  ]);
  if (rules) {
    byId("triggers").replaceChildren(...rules.items.map(panel));
    byId("no-triggers").hidden = rules.items.length > 0;
    byId("version").textContent = [rules.version && `rules ${rules.version}`, rules.cap && `all triggers: ${capped(rules.cap)}`].filter(Boolean).join("; ");
    byId("failing").replaceChildren(orNothing(rules.failing.map(failing), "Every receiver took what it was sent."));
  }
  if (reviews) drawReviews(reviews);
  if (segments) byId("segments").replaceChildren(orNothing(segments.items.map(segment), "No segment is in force."));
}

wireSearch();
follow("/live", {}, catchUp);
setInterval(catchUp, REFRESH_MS);
