/** Who is this customer, where in their life with us, and what changes next? */

import { customerPath, get } from "./api.js";
import { orderCommand } from "./command.js";
import { byId, facts, h } from "./dom.js";
import { day, dayAndTime, days, daysBetween, decimal, money, number, sentence, words } from "./format.js";
import { follow } from "./live.js";
import { problemBoard } from "./problem.js";
import { drawScores } from "./scores.js";
import { wireSearch } from "./search.js";
import { stagePill } from "./stages.js";
import { timeline } from "./timeline.js";
import { transitionList } from "./transitions.js";

const customerId = byId("customer").dataset.customerId;
const attempt = problemBoard(byId("problem"));
const refreshTimeline = timeline(byId("timeline"), customerId);
const changes = transitionList(byId("history"), { named: false, empty: "This customer has not changed stage yet." });
let shown = null;

function lifecycle({ lifecycle: { reason, entered_at: entered, next_change_at: next }, as_of: asOf }) {
  const left = next ? daysBetween(asOf, next) : 0;
  return [
    h("p", { class: "statement", id: "reason" }, sentence(reason)),
    facts([
      ["Since", entered && day(entered)],
      ["Next change", next ? h("span", {}, day(next), h("small", {}, left > 0 ? `in ${days(left)}, unless something happens` : "today")) : "only by an event"],
    ]),
  ];
}

const TIERS = { A: "one of those who bring 80\u00a0% of all", B: "one of those who bring the next 15\u00a0%", C: "one of those who bring the last 5\u00a0%" };

function expected({ expected_12_months: amount, tier, currency }) {
  if (amount === null) return "not known yet";
  return h("span", { id: "expected" }, money(amount, currency), h("small", {}, `in the next 12 months; tier ${tier}, ${TIERS[tier]}`));
}

function orders({ value, orders: { count, net, currency, first_at: first, last_at: last, mean_gap_days: gap, unconverted } }) {
  const apart = Object.entries(unconverted ?? {}).map(([each, amount]) => h("span", { class: "apart" }, money(amount, each)));
  return [
    h("p", { class: "figure" }, h("span", { id: "net" }, money(net, currency)), h("small", {}, "net spend")),
    facts([
      ["Orders", h("span", { id: "order-count" }, number(count))],
      ["First", first && day(first)],
      ["Latest", last && day(last)],
      ["Less cost", [net, null].includes(value.historic) ? null : money(value.historic, value.currency)],
      ["Expected", expected(value)],
      ["Mean gap", gap === null || gap === undefined ? null : `${decimal(Math.round(gap * 10) / 10)} days`],
      ["Without a rate", apart.length ? h("span", {}, apart) : null],
    ]),
  ];
}

function rfm({ rfm: scores, orders: { currency } }) {
  if (!scores) return [h("p", { class: "quiet" }, "Scores need an order.")];
  const measures = [
    ["Recency", scores.r, scores.recency_days === null ? "–" : days(scores.recency_days)],
    ["Frequency", scores.f, scores.frequency === 1 ? "1 order" : `${number(scores.frequency)} orders`],
    ["Monetary", scores.m, money(scores.monetary, currency)],
  ];
  return [h("ul", { class: "scores" }, measures.map(([name, score, value]) =>
    h("li", {},
      h("span", {}, name),
      h("span", { class: "meter", role: "img", "aria-label": score ? `score ${score} of 5` : "no score yet", "data-score": score ?? 0 },
        [1, 2, 3, 4, 5].map((step) => h("i", { "data-on": step <= (score ?? 0) }))),
      h("b", {}, score ?? "–"),
      h("span", { class: "value" }, value))))];
}

function profile({ segments, profile: { traits, first_seen_at: first, last_seen_at: last, channels } }) {
  const named = Object.entries(traits ?? {});
  return [
    named.length ? facts(named.map(([name, value]) => [words(name), value]), { class: "facts traits", id: "traits", tabindex: "0", role: "region", "aria-label": "Traits" })
      : h("p", { class: "quiet" }, "No traits yet."),
    facts([
      ["First seen", first && day(first)],
      ["Last seen", last && day(last)],
      ["Segments", segments?.length ? h("span", { id: "segments" }, segments.join(", ")) : null],
      ["Channels", Object.entries(channels ?? {}).map(([name, count]) => `${name} ${number(count)}`).join(", ")],
    ]),
  ];
}

function draw(customer) {
  byId("stage").replaceChildren(stagePill(customer.lifecycle.stage));
  byId("name").textContent = customer.profile.traits?.name ?? customer.profile.traits?.email ?? "";
  byId("as-of").replaceChildren("as of ", dayAndTime(customer.as_of), " UTC");
  byId("lifecycle").replaceChildren(...lifecycle(customer));
  byId("orders").replaceChildren(...orders(customer));
  byId("rfm").replaceChildren(...rfm(customer));
  byId("profile").replaceChildren(...profile(customer));
  drawScores(byId("scores"), customer.scores);
}

function tellUnknown(unknown) {
  byId("empty").hidden = !unknown;
  byId("known").hidden = unknown;
  const place = byId(unknown ? "empty-command" : "try-command");
  if (!place.hasChildNodes()) place.replaceChildren(orderCommand(customerId, shown?.orders.currency));
}

function take(customer) {
  const changed = JSON.stringify({ ...shown, as_of: 0 }) !== JSON.stringify({ ...customer, as_of: 0 });
  const staged = shown?.lifecycle.stage !== customer.lifecycle.stage;
  shown = customer;
  changes.setNow(customer.as_of);
  tellUnknown(false);
  draw(customer);
  if (changed) refreshTimeline();
  if (staged) readChanges();
}

async function readChanges() {
  const query = new URLSearchParams({ customer_id: customerId, limit: 50 });
  const answer = await attempt("transitions", () => get(`/transitions?${query}`));
  if (answer) changes.take(answer.items);
}

async function read() {
  try {
    return await get(customerPath(customerId));
  } catch (problem) {
    if (problem.status !== 404) throw problem;
    tellUnknown(true);
    return null;
  }
}

async function catchUp() {
  const customer = await attempt("customer", read);
  if (customer) take(customer);
}

wireSearch();
const query = new URLSearchParams({ customer_id: customerId });
follow(`/live?${query}`, { customer: take, transition: (each) => each.customer_id === customerId && changes.arrive(each) }, catchUp);
