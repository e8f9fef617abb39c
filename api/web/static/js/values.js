/** How is a value of an answer written, by the unit or the type of its column? */

import { decimal, label, number } from "./format.js";

const LOCALE = "en-GB";
const TIMES = new Set(["month", "date", "time", "day", "week", "quarter", "year"]);
const SILENT = new Set([...TIMES, "text", "count", "number", "truth", "id", "score", "ratio", "flag", "share", "percent"]); // the values show it
const NUMBER = /^(Nullable\(|LowCardinality\()*(U?Int|Float|Decimal|BFloat)|^(u?int|float|double|halffloat|decimal)/;
const TIME = /^(Nullable\(|LowCardinality\()*DateTime|^timestamp/;
const DATE = /^(Nullable\(|LowCardinality\()*Date|^date/;
const compact = new Intl.NumberFormat(LOCALE, { notation: "compact", maximumFractionDigits: 1 });
const brief = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 1 });
const MONTH = { month: "short", year: "numeric" }, DATES = { day: "numeric", ...MONTH };

/** money, share, percent, flag, number, year, quarter, month, date, time or text. */
export function kindOf({ unit, type = "" }) {
  if (["money", "share", "percent", "flag", "quarter", "year", "month", "time", "text"].includes(unit)) return unit;
  if (TIMES.has(unit)) return "date";
  if (NUMBER.test(type)) return "number";
  return TIME.test(type) ? "time" : DATE.test(type) ? "date" : "text";
}

export const isNumeric = (column) => ["money", "share", "percent", "number"].includes(kindOf(column));
export const isTime = (column) => ["year", "quarter", "month", "date", "time"].includes(kindOf(column));

/** `months_later` as "Months later", with the unit where the name does not say it; money has the currency. */
export function heading({ name, unit = "" }, currency) {
  const said = SILENT.has(unit) || name.split("_").includes(unit);
  return { title: label(name), unit: unit === "money" ? currency : said ? "" : unit };
}

/** A function that writes the values of a column as text; null is a dash. */
export function writer(column, timezone) {
  const write = { money: decimal, share: (value) => percent(100 * value), percent, number: figure, text: plain, flag: (value) => plain(Boolean(value)),
    year: (value) => plain(value).slice(0, 4), quarter: (value) => `Q${Math.ceil(Number(plain(value).slice(5, 7)) / 3)} ${plain(value).slice(0, 4)}`,
    month: (value) => moment(value, MONTH, "UTC"), date: (value) => moment(value, DATES, "UTC"),
    time: (value) => moment(value, { ...DATES, hour: "2-digit", minute: "2-digit" }, timezone) }[kindOf(column)];
  return (value) => (value === null || value === undefined ? "–" : write(value));
}

/** The same, short: for the labels of an axis. */
export function shortWriter(column, timezone) {
  const kind = kindOf(column);
  if (kind === "share" || kind === "percent") return (value) => `${brief.format(kind === "share" ? 100 * value : value)}\u00a0%`;
  return kind === "money" || kind === "number" ? (value) => compact.format(value) : writer(column, timezone);
}

/** As a number for a chart or for sorting, null where there is none. */
export const numeric = (value) => (value === null || value === undefined || value === "" || Number.isNaN(Number(value)) ? null : Number(value));

/** In order: numbers by size, the rest as text; null last, whichever way. */
export function byColumn(index, numbers, descending) {
  const way = descending ? -1 : 1;
  return (one, other) => {
    const a = numbers ? numeric(one[index]) : one[index], b = numbers ? numeric(other[index]) : other[index];
    if (a === null || b === null) return (a === null) - (b === null);
    return way * (numbers ? a - b : plain(a).localeCompare(plain(b), LOCALE, { numeric: true }));
  };
}

function percent(value) {
  if (value !== 0 && Math.abs(value) < 0.1) return `${value < 0 ? "−" : ""}<\u00a00.1\u00a0%`;
  return `${value.toFixed(1).replace("-", "−")}\u00a0%`;
}

/** Whole numbers whole, others with about four digits that count. */
function figure(value) {
  const size = Math.abs(value);
  if (Number.isInteger(Number(value))) return number(value);
  const digits = size >= 1000 ? 0 : size >= 100 ? 1 : size >= 1 ? 2 : undefined;
  return new Intl.NumberFormat(LOCALE, digits === undefined ? { maximumSignificantDigits: 3 } : { maximumFractionDigits: digits }).format(value);
}

function moment(value, format, timeZone) {
  const at = new Date(value);
  if (Number.isNaN(at.getTime())) return plain(value);
  return new Intl.DateTimeFormat(LOCALE, { ...format, timeZone: timeZone ?? "UTC" }).format(at);
}

/** Text as it is; lists with commas, maps as `name: value`. */
export function plain(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) return value.map(plain).join(", ");
  if (typeof value === "object") return Object.entries(value).map(([name, each]) => `${name}: ${plain(each)}`).join(", ");
  return String(value);
}

