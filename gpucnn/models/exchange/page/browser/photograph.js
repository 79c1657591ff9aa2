/**
 * The ink of a photographed digit, or all of a photograph, for a network that has no server.
 *
 * The server reads digits by `gpucnn.datasets.digits`, which also leaves out lines and frames; this
 * has the same idea of ink, its contrast with the paper around it, and of marks that may be digits.
 * It reads photographs by `gpucnn.datasets.photos`.
 */

import { Plane } from "./digit.js";

const LONGEST = 560; // pixels of a side, of which more would only be noise
const COARSE = 64; // pixels of the longer side at which the paper is estimated
const STROKE = 0.3; // of the longer side: a window wider than a stroke
const SURROUNDINGS = 0.7; // of the longer side: a window that is mostly paper
const LEAST_CONTRAST = 32; // between ink and paper, of 255
const LEAST_CONTRAST_TO_NOISE = 6;
const CLEAR = 1.2; // times the least contrast: the median of ink; uneven light leaves fainter marks
const FAINT = 0.3; // of the strongest ink: anything fainter is paper

// As shares of the picture's shorter side.
const SMALLEST = 0.05; // digit
const SMALLEST_CUT_OFF = 1 / 3; // digit that touches the border, as in a tightly cropped picture

// As shares of the size of the largest mark.
const LEAST_PART = 0.25; // of a digit; anything smaller is a speck
const GAP = 0.19; // between parts of a digit, at most
const LEAST_DIGIT = 0.4; // beside the largest

/**
 * The pixels of a photograph, which covers them; what lies beyond at two sides is cut off.
 *
 * @param {ImageBitmap} picture
 * @param {number[]} shape rows, columns and channels, of which there are 1 or 3.
 * @returns {Uint8Array} rows, columns, channels.
 */
export function readPhotograph(picture, [rows, columns, channels]) {
  const scale = Math.min(picture.width / columns, picture.height / rows);
  const [width, height] = [scale * columns, scale * rows];
  const region = [(picture.width - width) / 2, (picture.height - height) / 2, width, height];
  const planes = channelsOf(picture, region).map((each) => each.resize(rows, columns).data);
  const [red, green, blue] = planes;
  const grey = red.map((each, i) => 0.299 * each + 0.587 * green[i] + 0.114 * blue[i]);
  const given = channels === 1 ? [grey] : planes;
  return Uint8Array.from({ length: rows * columns * channels }, (_, i) =>
    Math.round(given[i % channels][Math.floor(i / channels)]),
  );
}

/** @param {ImageBitmap} picture @returns {Plane} the ink of its digit, from 0 to 255. */
export function readInk(picture) {
  const [red, green, blue] = channelsOf(picture).map(inkOf);
  const ink = map(red, (each, i) => Math.max(each, green.data[i], blue.data[i]));
  const least = Math.max(LEAST_CONTRAST, LEAST_CONTRAST_TO_NOISE * noiseOf(ink));
  const clear = ink.data.filter((each) => each >= least);
  const strong = Math.max(least, FAINT * (quantile(clear, 0.95) ?? 0));
  const digits = findDigits(map(ink, (each) => (each >= strong ? 1 : 0)));
  const inks = digits.flatMap(({ pixels }) => pixels.map((i) => ink.data[i]));
  if (!(quantile(inks, 0.5) >= CLEAR * least)) {
    throw new Error(
      "no digit stands out in the picture: give one clearly darker or lighter than its paper",
    );
  }
  if (digits.length > 1) {
    throw new Error(`${digits.length} marks in the picture may be digits: give an image of one`);
  }
  const digit = new Plane(ink.rows, ink.columns);
  for (const i of digits[0].pixels) digit.data[i] = ink.data[i];
  return digit;
}

/** The median difference of nearby pixels, between most of which there is no edge. */
function noiseOf({ columns, data }) {
  const apart = 1 + Math.floor(columns / 28); // adjacent pixels are correlated in JPEG files
  const inRow = (_, i) => i % columns >= apart;
  const differences = data.map((each, i) => Math.abs(each - data[i - apart])).filter(inRow);
  return quantile(differences, 0.5) ?? 0;
}

/** The red, green and blue of a region of a picture, on white where it is transparent. */
function channelsOf(picture, region = [0, 0, picture.width, picture.height]) {
  const [width, height] = shrunk(region.slice(2), LONGEST);
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, ...region, 0, 0, width, height);
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

// Marks

/** The marks that may be digits, of which the parts may be apart. @param {Plane} mask of ones. */
function findDigits(mask) {
  const marks = plausible(connected(mask), mask);
  const largest = largestOf(marks);
  const parts = marks.filter(({ size }) => size >= LEAST_PART * largest);
  const ink = new Plane(mask.rows, mask.columns);
  for (const { pixels } of parts) for (const i of pixels) ink.data[i] = 1;
  const near = connected(dilate(ink, Math.floor((GAP * largest) / 2), 1));
  const groups = near.map(({ pixels }) => markOf(pixels.filter((i) => ink.data[i]), mask.columns));
  return groups.filter(({ size }) => size >= LEAST_DIGIT * largestOf(groups));
}

function largestOf(marks) {
  return marks.reduce((largest, { size }) => Math.max(largest, size), 0);
}

/** The marks within the picture, if one is large enough, or else large ones that are cut off. */
function plausible(marks, { rows, columns }) {
  const shorter = Math.min(rows, columns);
  const inside = marks.filter(
    ({ top, left, bottom, right }) =>
      Math.min(top, left, rows - 1 - bottom, columns - 1 - right) > 0,
  );
  const least = Math.max(4, SMALLEST * shorter, 0.1 * largestOf(marks));
  if (largestOf(inside) >= least) return inside;
  const height = Math.max(4, SMALLEST_CUT_OFF * shorter);
  return marks.filter(({ top, bottom }) => bottom - top + 1 >= height);
}

/** The connected marks of a mask. */
function connected({ rows, columns, data }) {
  const seen = new Uint8Array(data.length);
  const marks = [];
  for (let begin = 0; begin < seen.length; begin++) {
    if (seen[begin] || !data[begin]) continue;
    seen[begin] = 1;
    const pixels = [begin];
    for (const pixel of pixels) {
      const [row, column] = [Math.floor(pixel / columns), pixel % columns];
      for (let y = Math.max(row - 1, 0); y <= Math.min(row + 1, rows - 1); y++) {
        for (let x = Math.max(column - 1, 0); x <= Math.min(column + 1, columns - 1); x++) {
          const next = y * columns + x;
          if (seen[next] || !data[next]) continue;
          seen[next] = 1;
          pixels.push(next);
        }
      }
    }
    marks.push(markOf(pixels, columns));
  }
  return marks;
}

/** A mark of pixels: the first and last rows and columns, and the size, the greater side. */
function markOf(pixels, columns) {
  let [top, left, bottom, right] = [Infinity, Infinity, 0, 0];
  for (const pixel of pixels) {
    const [row, column] = [Math.floor(pixel / columns), pixel % columns];
    top = Math.min(top, row);
    left = Math.min(left, column);
    bottom = Math.max(bottom, row);
    right = Math.max(right, column);
  }
  return { pixels, top, left, bottom, right, size: Math.max(bottom - top, right - left) + 1 };
}

/** A quantile of numbers; undefined of none. */
function quantile(numbers, share) {
  return Float64Array.from(numbers).sort()[Math.floor(share * (numbers.length - 1))];
}
