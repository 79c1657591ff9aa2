/**
 * The ink of a photographed digit, for a network that has no server.
 *
 * The server reads photographs by `gpucnn.datasets.digits`, which also leaves out lines, frames and
 * specks; this has the same idea of ink, its contrast with the paper around it, and takes the
 * largest mark with what is near it.
 */

import { Plane } from "./digit.js";

const LONGEST = 560; // pixels of a side, of which more would only be noise
const COARSE = 64; // pixels of the longer side at which the paper is estimated
const STROKE = 0.3; // of the longer side: a window wider than a stroke
const SURROUNDINGS = 0.7; // of the longer side: a window that is mostly paper
const LEAST_CONTRAST = 32; // between ink and paper, of 255
const CLEAR = 38; // the median of ink; what is left of uneven light is fainter
const FAINT = 0.3; // of the strongest ink: anything fainter is paper
const GAP = 0.19; // of the largest mark: between parts of a digit

/** @param {ImageBitmap} picture @returns {Plane} its ink, from 0 to 255. */
export function readInk(picture) {
  const [red, green, blue] = channelsOf(picture).map(inkOf);
  const ink = map(red, (each, i) => Math.max(each, green.data[i], blue.data[i]));
  const clear = ink.data.filter((each) => each >= LEAST_CONTRAST);
  const least = Math.max(LEAST_CONTRAST, FAINT * (quantile(clear, 0.95) ?? 0));
  const chosen = mainMark(ink, least);
  if (!(quantile(ink.data.filter((_, i) => chosen[i]), 0.5) >= CLEAR)) {
    throw new Error(
      "no digit stands out in the picture: give one clearly darker or lighter than its paper",
    );
  }
  return map(ink, (each, i) => (chosen[i] ? each : 0));
}

/** The red, green and blue of a picture, upright, on white where it is transparent. */
function channelsOf(picture) {
  const [width, height] = shrunk([picture.width, picture.height], LONGEST);
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, 0, 0, width, height);
  return [0, 1, 2].map((channel) => Plane.ofCanvas(context, channel));
}

/** The sides of a picture, of which the longer one has so many pixels at most. */
function shrunk(sides, longest) {
  const scale = Math.min(1, longest / Math.max(...sides));
  return sides.map((each) => Math.max(1, Math.round(scale * each)));
}

/** The contrast of each pixel with the paper around it, in one channel. */
function inkOf(pixels) {
  const { rows, columns } = pixels;
  const coarse = pixels.resize(...shrunk([rows, columns], COARSE));
  const sign = isInkLight(coarse) ? -1 : 1; // of dark paper, the negative is light paper
  const paper = withoutStrokes(map(coarse, (each) => sign * each)).resize(rows, columns).data;
  const ink = map(pixels, (each, i) => paper[i] - sign * each);
  const middle = quantile(ink.data, 0.5);
  return map(ink, (each) => Math.min(Math.max(each - middle, 0), 255));
}

/** Whether most pixels are nearer to the darkest than to the lightest of their surroundings. */
function isInkLight(pixels) {
  const slope = slopeOf(pixels).data;
  const level = map(pixels, (each, i) => each - slope[i]);
  const radius = radiusOf(SURROUNDINGS, level);
  const [darkest, lightest] = [-1, 1].map((sign) => dilate(level, radius, sign).data);
  const shares = level.data.map((each, i) => (each - darkest[i]) / (lightest[i] - darkest[i]));
  const clear = shares.filter((_, i) => lightest[i] - darkest[i] >= LEAST_CONTRAST);
  return quantile(clear, 0.5) < 0.5;
}

/** The radius of a window that has a share of the longer side. */
function radiusOf(share, { rows, columns }) {
  return Math.max(1, Math.round((share * Math.max(rows, columns)) / 2));
}

/** A plane of what a function makes of each number and its place. */
function map({ rows, columns, data }, change) {
  return new Plane(rows, columns, data.map(change));
}

/**
 * What is left of light paper where darker strokes are taken away: the lower of two closings, of
 * which one keeps the edges of shadows, and the other light that falls off.
 */
function withoutStrokes(plane) {
  const radius = radiusOf(STROKE, plane);
  const plain = closing(plane, radius).data;
  const slope = slopeOf(plane).data;
  const level = closing(map(plane, (each, i) => each - slope[i]), radius);
  return map(level, (each, i) => Math.min(each + slope[i], plain[i]));
}

/** A plane of the slope of numbers: by the median of differences half a picture apart. */
function slopeOf(plane) {
  const down = stepOf(plane);
  const right = stepOf(plane.transpose());
  return map(plane, (_, i) => down * Math.floor(i / plane.columns) + right * (i % plane.columns));
}

function stepOf({ rows, columns, data }) {
  const apart = rows - Math.floor(rows / 2);
  const differences = data.subarray(apart * columns).map((each, i) => each - data[i]);
  return (quantile(differences, 0.5) ?? 0) / apart;
}

function closing(plane, radius) {
  return dilate(dilate(plane, radius, 1), radius, -1);
}

/** The maximum of a window around each pixel; with the sign -1, the minimum. */
function dilate(plane, radius, sign) {
  const signed = map(plane, (each) => sign * each);
  const turned = dilateRows(dilateRows(signed, radius).transpose(), radius).transpose();
  return map(turned, (each) => sign * each);
}

/** The maximum of each pixel's neighbours in its column. */
function dilateRows({ rows, columns, data }, radius) {
  const dilated = new Plane(rows, columns);
  for (let row = 0; row < rows; row++) {
    const [first, last] = [Math.max(0, row - radius), Math.min(rows, row + radius + 1)];
    for (let j = 0; j < columns; j++) {
      let most = -Infinity;
      for (let i = first; i < last; i++) most = Math.max(most, data[i * columns + j]);
      dilated.data[row * columns + j] = most;
    }
  }
  return dilated;
}

/** Which pixels are of the largest mark that is not cut off by the border, and of those near it. */
function mainMark({ rows, columns, data }, least) {
  const marks = connected(rows, columns, (i) => data[i] >= least);
  const inside = marks.filter(
    (mark) => Math.min(mark.top, mark.left, rows - 1 - mark.bottom, columns - 1 - mark.right) > 0,
  );
  const candidates = inside.length ? inside : marks;
  const chosen = new Uint8Array(rows * columns);
  if (candidates.length === 0) return chosen;
  const size = ({ top, left, bottom, right }) => Math.max(bottom - top, right - left) + 1;
  const largest = candidates.reduce((a, b) => (size(b) > size(a) ? b : a));
  const gap = GAP * size(largest);
  for (const mark of candidates) {
    const near =
      mark.top <= largest.bottom + gap &&
      mark.bottom >= largest.top - gap &&
      mark.left <= largest.right + gap &&
      mark.right >= largest.left - gap;
    if (near && 4 * size(mark) >= size(largest)) for (const i of mark.pixels) chosen[i] = 1;
  }
  return chosen;
}

/** The connected marks of ink: their pixels, and the first and last rows and columns. */
function connected(rows, columns, isInk) {
  const seen = new Uint8Array(rows * columns);
  const marks = [];
  for (let begin = 0; begin < seen.length; begin++) {
    if (seen[begin] || !isInk(begin)) continue;
    seen[begin] = 1;
    const mark = { top: rows, left: columns, bottom: 0, right: 0, pixels: [begin] };
    for (const pixel of mark.pixels) {
      const [row, column] = [Math.floor(pixel / columns), pixel % columns];
      mark.top = Math.min(mark.top, row);
      mark.left = Math.min(mark.left, column);
      mark.bottom = Math.max(mark.bottom, row);
      mark.right = Math.max(mark.right, column);
      for (let y = Math.max(row - 1, 0); y <= Math.min(row + 1, rows - 1); y++) {
        for (let x = Math.max(column - 1, 0); x <= Math.min(column + 1, columns - 1); x++) {
          const next = y * columns + x;
          if (seen[next] || !isInk(next)) continue;
          seen[next] = 1;
          mark.pixels.push(next);
        }
      }
    }
    marks.push(mark);
  }
  return marks;
}

/** A quantile of numbers; undefined of none. */
function quantile(numbers, share) {
  return Float64Array.from(numbers).sort()[Math.floor(share * (numbers.length - 1))];
}
