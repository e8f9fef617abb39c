/** Which marks on which axes say what an answer says? From the answer alone, in ECharts' terms. */

import { sentence, words } from "./format.js";
import { heading, isNumeric, isTime, kindOf, numeric, plain as text, shortWriter, writer } from "./values.js";

const MOST_BARS = 40, MOST_SERIES = 12, MOST_SLICES = 9, MOST_CELLS_WITH_TEXT = 16;
const HEIGHT = 340, NARROW = 560;
const NAMES = { bar: "Bar chart", line: "Line chart", pie: "Pie chart", heatmap: "Heat map", scatter: "Scatter plot", funnel: "Funnel" };

/** The answer's columns by name: {index, column, write, short, title}. */
function columnsOf({ columns, currency, timezone }) {
  return new Map(columns.map((column, index) => {
    const { title, unit } = heading(column, currency);
    return [column.name, { index, plain: title.toLowerCase(), unit, column, title: unit ? `${title} (${unit})` : title, write: writer(column, timezone), short: shortWriter(column, timezone) }];
  }));
}

const MEAN = /(^|_)(mean|median|average|each|rate|score|p\d+)(_|$)/; // of what is no sum, so that bars of it are not stacked
const BOUND = /(^|_)(low|high|lower|upper)$/; // of an interval: drawn thin, in the colour of what it bounds
const distinct = (values) => [...new Set(values)];
const inOrder = (values, column) => (isNumeric(column) ? [...values].sort((a, b) => numeric(a) - numeric(b)) : isTime(column) ? [...values].sort() : values);
const cut = (text, length) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);

/** A stage in words; what people wrote stays as it is. */
const spoken = (text, look) => (text in look.stages ? words(text) : text);

/** One part for each line, bar colour or cloud: {name, of (its y column), rows, colour}. */
function partsOf(chart, rows, by, look) {
  const y = [chart.y ?? chart.value].flat().map((name) => by.get(name));
  const colour = (name, place) => look.stages[name] ?? look.palette[Math.max(0, place) % look.palette.length];
  if (!chart.series) {
    const bounds = y.map(({ column }) => BOUND.test(column.name));
    return y.map((of, place) => ({ name: of.title, of, rows, bound: bounds[place], colour: colour(of.title, bounds.lastIndexOf(false, place)) }));
  }
  const { index, write } = by.get(chart.series);
  const groups = Map.groupBy(rows, (row) => row[index]);
  return [...groups].map(([value, group], place) => ({ name: spoken(write(value), look), of: y[0], rows: group, colour: colour(value, place) }));
}

function common(look) {
  return {
    animation: look.animation, animationDuration: 300, color: look.palette, useUTC: true,
    textStyle: { fontFamily: look.font, color: look.ink, fontSize: 12 },
    tooltip: { renderMode: "richText", confine: true, backgroundColor: look.panel, borderColor: look.line, textStyle: { color: look.ink, fontSize: 12 } },
    legend: { type: "scroll", top: 0, left: 0, itemWidth: 14, itemHeight: 10, icon: "roundRect", textStyle: { color: look.ink },
      pageTextStyle: { color: look.muted }, pageIconColor: look.ink, pageIconInactiveColor: look.line, formatter: (name) => cut(name, 28) },
    grid: { left: 4, right: 16, top: 40, bottom: 4, outerBoundsMode: "same", outerBoundsContain: "all" },
  };
}

function axis(look, of, more) {
  return { name: of.title, nameLocation: "middle", nameGap: 12, nameTextStyle: { color: look.muted }, axisLine: { lineStyle: { color: look.line } },
    axisTick: { show: false }, splitLine: { show: false }, axisLabel: { color: look.muted, hideOverlap: true }, ...more };
}

const measure = (look, of, more) => axis(look, of, { type: "value", splitLine: { lineStyle: { color: look.line } }, axisLine: { show: false },
  axisLabel: { color: look.muted, hideOverlap: true, formatter: of.short }, ...more });

const labels = (look, of, values, more) => axis(look, of, { type: "category", data: values.map((value) => cut(spoken(of.write(value), look), look.narrow ? 12 : 24)), ...more });

/** The y axes: one a unit, at most two; what has a third unit is left out. */
function measures(parts, look) {
  const units = distinct(parts.map(({ of }) => of.column.unit)).slice(0, 2);
  const first = (unit) => parts.find(({ of }) => of.column.unit === unit).of;
  const alone = (unit) => new Set(parts.filter(({ of }) => of.column.unit === unit).map(({ of }) => of)).size === 1;
  const title = (unit) => (alone(unit) ? first(unit).title : first(unit).unit || sentence(unit ?? ""));
  return { units, axes: units.map((unit, place) => measure(look, { ...first(unit), title: title(unit) }, { position: place ? "right" : "left", splitLine: { show: place === 0, lineStyle: { color: look.line } } })) };
}

const leftOf = (shown, all, what) => (all > shown ? `The chart shows the first ${shown} of ${all} ${what}; the table has all.` : "");

const told = (parts, items) => items.map(({ seriesIndex, value, marker }) =>
  `${marker}${parts[seriesIndex].name}: ${parts[seriesIndex].of.write(Array.isArray(value) ? value[1] : value)}`);

function bars({ chart, rows }, by, look) {
  const x = by.get(chart.x), all = partsOf(chart, rows, by, look);
  const values = inOrder(distinct(rows.map((row) => row[x.index])), isTime(x.column) ? x.column : { type: "String" });
  const shown = values.slice(0, MOST_BARS);
  const across = !isTime(x.column) && !isNumeric(x.column) && (shown.length > 8 || shown.some((value) => x.write(value).length > 14));
  const { units, axes } = measures(all, look);
  const parts = all.filter(({ of }) => units.includes(of.column.unit)).slice(0, MOST_SERIES);
  const adds = chart.series && ["money", "number"].includes(kindOf(parts[0].of.column)) && !MEAN.test(parts[0].of.column.name) && rows.every((row) => !(numeric(row[parts[0].of.index]) < 0));
  const at = new Map(shown.map((value, place) => [value, place]));
  const series = parts.map(({ name, of, rows: own, colour }) => {
    const data = shown.map(() => null);
    for (const row of own) if (at.has(row[x.index])) data[at.get(row[x.index])] = numeric(row[of.index]);
    return { type: "bar", name, data, stack: adds ? "all" : undefined, barMaxWidth: 42, itemStyle: { color: colour, borderRadius: adds ? 0 : 2 },
      [across ? "xAxisIndex" : "yAxisIndex"]: units.indexOf(of.column.unit) };
  });
  const category = labels(look, x, shown, across ? { inverse: true, name: "" } : {});
  const below = axes.map((each, place) => ({ ...each, position: place ? "top" : "bottom" }));
  return {
    option: { ...common(look), legend: parts.length > 1 ? common(look).legend : { show: false }, grid: { ...common(look).grid, top: parts.length > 1 ? 40 : 12 },
      tooltip: { ...common(look).tooltip, trigger: "axis", axisPointer: { type: "shadow" },
        formatter: (items) => [x.write(shown[items[0].dataIndex]), ...told(parts, items)].join("\n") },
      xAxis: across ? below : category, yAxis: across ? category : axes, series },
    height: across ? Math.max(180, 90 + shown.length * (adds || parts.length === 1 ? 24 : 14 * parts.length + 8)) : HEIGHT,
    leftOut: [leftOf(MOST_BARS, values.length, "bars"), leftOf(parts.length, all.length, "series")].filter(Boolean).join(" "),
  };
}

function lines({ chart, rows }, by, look) {
  const x = by.get(chart.x), all = partsOf(chart, rows, by, look);
  const { units, axes } = measures(all, look);
  const parts = all.filter(({ of }) => units.includes(of.column.unit)).slice(0, MOST_SERIES);
  const time = isTime(x.column), scaled = time || isNumeric(x.column);
  const values = distinct(rows.map((row) => row[x.index]));
  const place = (value) => (time ? Date.parse(value) : scaled ? numeric(value) : values.indexOf(value));
  const series = parts.map(({ name, of, rows: own, colour, bound }) => {
    const data = own.map((row) => [place(row[x.index]), numeric(row[of.index])]);
    if (scaled) data.sort(([a], [b]) => a - b);
    return { type: "line", name, data, connectNulls: false, showSymbol: data.length < 40 && !bound, symbolSize: 6, lineStyle: bound ? { width: 1, type: "dashed" } : { width: 2 }, color: colour, yAxisIndex: units.indexOf(of.column.unit) };
  });
  const back = new Map(values.map((value) => [place(value), value]));
  const write = (at) => x.write(time ? back.get(at) ?? new Date(at).toISOString() : scaled ? at : values[at]);
  const across = scaled
    ? axis(look, x, { type: time ? "time" : "value", min: "dataMin", max: "dataMax", axisLabel: { color: look.muted, hideOverlap: true, formatter: time ? write : x.short } })
    : labels(look, x, values);
  if (time && x.column.unit === "month") across.minInterval = 28 * 86_400_000;
  return {
    option: { ...common(look), legend: parts.length > 1 ? common(look).legend : { show: false }, grid: { ...common(look).grid, top: parts.length > 1 ? 40 : 16, right: 24 },
      tooltip: { ...common(look).tooltip, trigger: "axis", axisPointer: { lineStyle: { color: look.muted } }, formatter: (items) => [`${x.title}: ${write(items[0].value[0])}`, ...told(parts, items)].join("\n") },
      xAxis: across, yAxis: axes, series },
    height: HEIGHT, leftOut: leftOf(parts.length, all.length, "lines"),
  };
}

function pie({ chart, rows }, by, look) {
  const x = by.get(chart.x), y = by.get([chart.y ?? chart.value].flat()[0]);
  const slices = rows.map((row) => ({ key: row[x.index], name: x.write(row[x.index]), value: numeric(row[y.index]) })).filter(({ value }) => value > 0);
  const kept = slices.length > MOST_SLICES + 1 ? slices.slice(0, MOST_SLICES) : slices;
  const rest = slices.slice(kept.length);
  const others = rest.length ? [{ name: `${rest.length} others`, value: rest.reduce((sum, { value }) => sum + value, 0), colour: look.line }] : [];
  const data = [...kept, ...others].map(({ key, name, value, colour }, place) =>
    ({ name: cut(spoken(name, look), 28), value, itemStyle: { color: colour ?? look.stages[key] ?? look.palette[place % look.palette.length] } }));
  return {
    option: { ...common(look), legend: look.narrow ? { ...common(look).legend, type: "plain", top: "auto", bottom: 0 } : { show: false },
      tooltip: { ...common(look).tooltip, trigger: "item", formatter: ({ name, value, percent }) => `${name}\n${y.title}: ${y.write(value)} (${percent} %)` },
      series: [{ type: "pie", radius: ["42%", "72%"], center: ["50%", look.narrow ? "40%" : "50%"], data, itemStyle: { borderColor: look.panel, borderWidth: 2 }, label: { show: !look.narrow, color: look.ink, formatter: ({ name, percent }) => `${name}  ${percent.toFixed(1)} %` }, labelLayout: { hideOverlap: true }, labelLine: { lineStyle: { color: look.line } } }] },
    height: HEIGHT, leftOut: "",
  };
}

function heatmap({ chart, rows }, by, look) {
  const x = by.get(chart.x), y = by.get([chart.y].flat()[0]), of = by.get(chart.value);
  const across = inOrder(distinct(rows.map((row) => row[x.index])), x.column), down = inOrder(distinct(rows.map((row) => row[y.index])), y.column);
  const places = [new Map(across.map((value, place) => [value, place])), new Map(down.map((value, place) => [value, place]))];
  const cells = rows.map((row) => [places[0].get(row[x.index]), places[1].get(row[y.index]), numeric(row[of.index])]).filter(([, , value]) => value !== null);
  const found = cells.map(([, , value]) => value);
  const rest = found.filter((value) => value < 1), below = rest.reduce((a, b) => Math.max(a, b), -Infinity);
  const capped = kindOf(of.column) === "share" && rest.length < found.length && below > 0 && below < 0.5; // else what is all of itself pales the rest
  const high = capped ? below : found.reduce((a, b) => Math.max(a, b), -Infinity), low = found.reduce((a, b) => Math.min(a, b), Infinity), size = Math.max(high, -low);
  const [min, max] = low < 0 ? [-size, size] : [0, high || 1];
  const strong = (value) => (value - min) / (max - min) > 0.62 || (low < 0 && (value - min) / (max - min) < 0.2);
  return {
    option: { ...common(look), legend: { show: false }, grid: { ...common(look).grid, top: 8, bottom: 52 },
      tooltip: { ...common(look).tooltip, trigger: "item", formatter: ({ value: [a, b, value] }) => `${y.title}: ${y.write(down[b])}\n${x.title}: ${x.write(across[a])}\n${of.title}: ${of.write(value)}` },
      xAxis: labels(look, x, across, { splitArea: { show: false } }), yAxis: labels(look, y, down, { inverse: !isNumeric(y.column) }),
      visualMap: { min, max, dimension: 3, calculable: false, orient: "horizontal", left: "center", bottom: 0, itemWidth: 12, itemHeight: 120, formatter: (value) => of.short(value),
        text: [`${capped ? "≥ " : ""}${of.short(max)}`, of.short(min)], textStyle: { color: look.muted }, inRange: { color: low < 0 ? [look.bad, look.heat[0], look.heat[2]] : look.heat } },
      series: [{ type: "heatmap", itemStyle: { borderColor: look.panel, borderWidth: 2, borderRadius: 3 },
        label: { show: across.length <= (look.narrow ? 6 : MOST_CELLS_WITH_TEXT), fontSize: 11, formatter: ({ value }) => of.short(value[2]) },
        data: cells.map(([a, b, value]) => ({ value: [a, b, value, Math.min(value, max)], label: { color: strong(value) ? look.heatInkStrong : look.heatInk } })) }] },
    height: Math.min(900, 120 + down.length * 28), leftOut: "",
  };
}

function scatter({ chart, rows }, by, look) {
  const x = by.get(chart.x), all = partsOf(chart, rows, by, look), parts = all.slice(0, MOST_SERIES);
  const named = [...by.values()].find(({ column }) => kindOf(column) === "text" && column.name !== chart.series);
  const time = isTime(x.column), scaled = time || isNumeric(x.column);
  const place = (value) => (time ? Date.parse(value) : scaled ? numeric(value) : x.write(value));
  const weight = chart.y && chart.value ? by.get(chart.value) : null;
  const most = weight ? rows.reduce((high, row) => Math.max(high, numeric(row[weight.index]) ?? 0), 0) || 1 : 1;
  const series = parts.map(({ name, of, rows: own, colour }) => ({ type: "scatter", name, symbolSize: own.length > 500 ? 5 : 9, itemStyle: { color: colour, opacity: 0.7 },
    data: own.map((row) => ({ value: [place(row[x.index]), numeric(row[of.index])], name: named ? text(row[named.index]) : "", x: row[x.index], weight: weight && row[weight.index],
      symbolSize: weight ? 5 + 30 * Math.sqrt(Math.max(0, numeric(row[weight.index]) ?? 0) / most) : undefined })) }));
  return {
    option: { ...common(look), legend: parts.length > 1 ? common(look).legend : { show: false },
      tooltip: { ...common(look).tooltip, trigger: "item", formatter: ({ data, seriesIndex }) => [data.name, parts.length > 1 ? parts[seriesIndex].name : "", `${x.title}: ${x.write(data.x)}`,
        `${parts[seriesIndex].of.title}: ${parts[seriesIndex].of.write(data.value[1])}`, weight ? `${weight.title}: ${weight.write(data.weight)}` : ""].filter(Boolean).join("\n") },
      xAxis: scaled ? measure(look, x, time ? { type: "time", axisLabel: { color: look.muted, hideOverlap: true } } : { scale: true }) : labels(look, x, distinct(rows.map((row) => row[x.index]))),
      yAxis: measure(look, parts[0].of, { scale: true }), series },
    height: 420, leftOut: leftOf(parts.length, all.length, "groups"),
  };
}

/** A funnel narrows; steps that do not are bars. */
function funnel({ chart, rows }, by, look) {
  const x = by.get(chart.x), y = by.get([chart.y ?? chart.value].flat()[0]);
  if (rows.some((row, place) => place && numeric(row[y.index]) > numeric(rows[place - 1][y.index]))) return bars({ chart, rows }, by, look);
  const first = numeric(rows[0][y.index]);
  const share = (value) => (first ? ` (${(100 * value / first).toFixed(1)} %)` : "");
  const data = rows.map((row) => ({ name: spoken(x.write(row[x.index]), look), value: numeric(row[y.index]) ?? 0, itemStyle: { color: look.palette[0] } }));
  return {
    option: { ...common(look), legend: { show: false }, tooltip: { ...common(look).tooltip, trigger: "item", formatter: ({ name, value }) => `${name}\n${y.title}: ${y.write(value)}${share(value)}` },
      series: [{ type: "funnel", sort: "none", data, left: 8, top: 8, bottom: 8, width: look.narrow ? "40%" : "55%", minSize: "1%", gap: 3, itemStyle: { borderWidth: 0 },
        label: { position: "right", color: look.ink, formatter: ({ name, value }) => `${name}: ${y.write(value)}${share(value)}` }, labelLine: { show: false }, labelLayout: { x: look.narrow ? "46%" : "60%" } }] },
    height: Math.min(480, 70 + rows.length * 52), leftOut: "",
  };
}

const DRAW = { bar: bars, line: lines, pie, heatmap, scatter, funnel };

/** {option, height, says, leftOut}: what ECharts is told, and in words what is drawn and what is not. */
export function optionOf(answer, look, width) {
  const by = columnsOf(answer), { chart } = answer;
  const said = (names) => [names].flat().filter(Boolean).map((name) => by.get(name).plain).join(" and ");
  const measured = [chart.kind === "heatmap" ? chart.value : chart.y ?? chart.value].flat();
  if (answer.rows.every((row) => measured.every((name) => numeric(row[by.get(name).index]) === null)))
    return { leftOut: `There is no chart, as no ${said(measured)} is known.` };
  const drawn = DRAW[chart.kind](answer, by, { ...look, narrow: width < NARROW });
  const says = `${NAMES[drawn.option.series[0].type]} of ${said(measured)} by ${said([chart.x, chart.kind === "heatmap" ? chart.y : chart.series].flat())}`;
  return { says, ...drawn };
}
