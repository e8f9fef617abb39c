/** How are numbers, money and moments written? All moments are UTC, as in the API. */

import { h } from "./dom.js";

const LOCALE = "en-GB";
const whole = new Intl.NumberFormat(LOCALE);
const compact = new Intl.NumberFormat(LOCALE, { notation: "compact", maximumFractionDigits: 1 });
const date = new Intl.DateTimeFormat(LOCALE, { timeZone: "UTC", day: "numeric", month: "short", year: "numeric" });
const clock = new Intl.DateTimeFormat(LOCALE, { timeZone: "UTC", hour: "2-digit", minute: "2-digit" });
const DAY_MS = 86_400_000;

export const number = (value) => (value === null || value === undefined ? "–" : whole.format(value));
export const compactNumber = (value) => compact.format(value);

/** A decimal string with thousands separators and exactly the digits it came with. */
export function decimal(text) {
  if (text === null || text === undefined) return "–";
  const digits = (String(text).split(".")[1] ?? "").length;
  const format = new Intl.NumberFormat(LOCALE, { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return format.format(text);
}

export function money(amount, currency) {
  if (amount === null || amount === undefined) return "–";
  return h("span", { class: "money" }, decimal(amount), " ", h("span", { class: "unit" }, currency ?? ""));
}

export function share(part, total) {
  if (!total) return "–";
  const percent = (100 * part) / total;
  if (part > 0 && percent < 0.1) return "<\u00a00.1\u00a0%";
  return `${percent.toFixed(1)}\u00a0%`;
}

export const sameDay = (a, b) => String(a).slice(0, 10) === String(b).slice(0, 10);
export const day = (iso) => moment(iso, date.format(new Date(iso)));
export const dayAndTime = (iso) => moment(iso, `${date.format(new Date(iso))}, ${clock.format(new Date(iso))}`);
export const timeOfDay = (iso) => moment(iso, clock.format(new Date(iso)));

function moment(iso, text) {
  return h("time", { datetime: iso, title: iso }, text);
}

export const days = (count) => (count === 1 ? "1 day" : `${whole.format(count)} days`);

/** Whole days from one moment to a later one. */
export const daysBetween = (from, to) => Math.floor((new Date(to) - new Date(from)) / DAY_MS);

/** `OrderPlaced` as `Order placed`, `won_back` as `Won back`. */
export function words(name) {
  return sentence(name.replaceAll("_", " ").replace(/([a-z0-9])([A-Z])/g, "$1 $2").toLowerCase());
}

export const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** A name of the engine's own, such as `at_risk`, in words; what people wrote stays as it is. */
export const label = (text) => (/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/.test(text) ? words(text) : text);
