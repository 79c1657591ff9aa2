/** A training as it goes on: its curves and filters, as the server tells of them. */

import { fromBase64, paintTiles, rgb, tilesAcross } from "./images.js";
import { element } from "./view.js";

const HEIGHT = 248; // of a chart, in pixels
const MARGIN = { top: 10, right: 12, bottom: 42, left: 52 };
const TICKS = 5; // about, of an axis
const MARKED = 40; // epochs up to which each has a mark
const AGAIN = 2000; // milliseconds after which a server that refused is asked again
const TILE = 4; // the width of a filter, in rem
const NO_METRICS = ["seconds", "images_per_second"];
const VALIDATION = "val_";

const find = (id) => document.getElementById(id);

let last = null; // what was told last

follow();
new ResizeObserver(() => last && showCharts(last)).observe(find("charts"));

/** Show what the server tells, until the training is finished. */
function follow() {
  const events = new EventSource("api/training/events");
  events.onmessage = ({ data }) => {
    last = JSON.parse(data);
    find("error").textContent = "";
    show(last);
    if (last.finished) events.close();
  };
  events.onerror = () => {
    find("error").textContent =
      "The training does not answer: it was stopped, or the connection is lost. Asking again…";
    if (events.readyState === EventSource.CLOSED) setTimeout(follow, AGAIN);
  };
}

function show(training) {
  const { epoch, epochs, steps, finished, filters } = training;
  const share = finished ? 1 : (epoch + (steps.of ? steps.done / steps.of : 0)) / epochs;
  find("progress").value = share;
  find("status").textContent = finished
    ? `finished after ${epoch} ${epoch === 1 ? "epoch" : "epochs"}`
    : `epoch ${Math.min(epoch + 1, epochs)} of ${epochs}`;
  document.title = finished ? "Training: finished" : `Training: ${Math.floor(100 * share)} %`;
  showCharts(training);
  if (filters) showFilters(filters);
}

// Curves

function showCharts({ history, epochs, epoch }) {
  if (epoch === 0) {
    const text = "the first point comes after epoch 1";
    find("charts").replaceChildren(element("p", { className: "note", textContent: text }));
    return;
  }
  const names = Object.keys(history).filter(
    (name) => !name.startsWith(VALIDATION) && !NO_METRICS.includes(name),
  );
  find("charts").replaceChildren(...names.map((name) => chart(name, history, epochs)));
}

/** A metric by epoch, in training and in validation, with their last values in words. */
function chart(name, history, epochs) {
  const series = { training: history[name], validation: history[VALIDATION + name] ?? [] };
  const isShare = name.endsWith("accuracy");
  const said = Object.entries(series)
    .filter(([, values]) => values.at(-1) != null)
    .map(([kind, values]) => `${asText(values.at(-1), isShare)} in ${kind}`);
  const title = element("b", { textContent: name.replaceAll("_", " ") });
  const values = element("small", { textContent: said.join(", ") });
  const caption = element("figcaption", {}, title, values);
  return element("figure", {}, caption, drawing(series, epochs, isShare));
}

function drawing(series, epochs, isShare) {
  const columns = Math.max(1, Math.floor(find("charts").clientWidth / 400));
  const width = (find("charts").clientWidth - 24 * (columns - 1)) / columns;
  const values = Object.values(series).flat().filter((each) => each !== null);
  const ticks = ticksOf(Math.min(...values), Math.max(...values));
  const x = scale(1, Math.max(epochs, 2), MARGIN.left, width - MARGIN.right);
  const y = scale(ticks[0], ticks.at(-1), HEIGHT - MARGIN.bottom, MARGIN.top);
  const svg = shape("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, "aria-hidden": "true" });
  for (const tick of ticks) {
    svg.append(
      shape("line", { x1: MARGIN.left, x2: width - MARGIN.right, y1: y(tick), y2: y(tick) }),
      label(asTick(tick, ticks, isShare), MARGIN.left - 8, y(tick) + 4, "end"),
    );
  }
  const isEpoch = (each) => Number.isInteger(each) && each >= 1 && each <= epochs;
  for (const epoch of ticksOf(1, Math.max(epochs, 2)).filter(isEpoch)) {
    svg.append(label(epoch, x(epoch), HEIGHT - 24, "middle"));
  }
  svg.append(label("epoch", width - MARGIN.right, HEIGHT - 6, "end"));
  for (const [kind, each] of Object.entries(series)) svg.append(...curve(each, kind, x, y));
  return svg;
}

/** A line through values, with a mark at each, or at the last of many. */
function curve(values, kind, x, y) {
  const points = values.flatMap((value, i) => (value === null ? [] : [[x(i + 1), y(value)]]));
  const marked = points.length > MARKED ? points.slice(-1) : points;
  return [
    shape("polyline", { class: kind, points: points.map((each) => each.join()).join(" ") }),
    ...marked.map(([cx, cy]) => shape("circle", { class: kind, cx, cy, r: 3 })),
  ];
}

/** Round numbers, evenly apart, that begin and end around a range. */
function ticksOf(least, most) {
  const about = (most - least || Math.abs(most) || 1) / TICKS;
  const power = 10 ** Math.floor(Math.log10(about));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= about);
  const first = Math.floor(least / step);
  const count = Math.max(Math.ceil(most / step) - first, 1);
  return Array.from({ length: count + 1 }, (_, i) => (first + i) * step);
}

function scale(least, most, from, to) {
  return (value) => from + ((value - least) / (most - least)) * (to - from);
}

function asText(value, isShare) {
  return isShare ? `${(100 * value).toFixed(2)} %` : value.toPrecision(4);
}

/** A tick with as many digits as tell it from the others. */
function asTick(tick, [first, second], isShare) {
  const factor = isShare ? 100 : 1;
  const digits = Math.max(0, -Math.floor(Math.log10(factor * (second - first)) + 1e-9));
  return `${(factor * tick).toFixed(digits)}${isShare ? " %" : ""}`;
}

function shape(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function label(text, x, y, anchor) {
  const made = shape("text", { x, y, "text-anchor": anchor });
  made.textContent = text;
  return made;
}

// Filters

/** Show the filters: a weight of 0 is half bright. */
function showFilters({ layer, count, rows, columns, channels, data }) {
  const bytes = fromBase64(data);
  const size = rows * columns * channels;
  find("kernels").style.maxWidth = `${tilesAcross(count) * TILE}rem`;
  paintTiles(find("kernels"), { rows, columns }, count, (pixel, filter) => {
    const from = filter * size + pixel * channels;
    return rgb(...(channels === 3 ? [0, 1, 2] : [0, 0, 0]).map((i) => bytes[from + i]));
  });
  find("kernels-of").textContent =
    `${count} filters of ${rows} × ${columns} of the layer ${layer}: a weight of 0 is half bright`;
  find("kernels").closest("section").hidden = false;
}
