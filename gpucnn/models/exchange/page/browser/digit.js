/**
 * Ink as the pixels that a network takes.
 *
 * A digit is prepared as those of MNIST were, and as `gpucnn.datasets.digits` does: scaled to fit a
 * box of 20x20 pixels, with its centre of mass in the middle of 28x28.
 */

const BOX = 20 / 28; // the side of the box, as a share of the image's
const FAINT = 0.3; // of the strongest ink: anything fainter is paper

/** Numbers in rows: those of an image with one channel. */
export class Plane {
  constructor(rows, columns, data = new Float64Array(rows * columns)) {
    Object.assign(this, { rows, columns, data });
  }

  /** A channel of what is on a canvas, 0 for red, from 0 to 255. */
  static ofCanvas(context, channel) {
    const { width, height } = context.canvas;
    const { data } = context.getImageData(0, 0, width, height);
    const plane = new Plane(height, width);
    for (let i = 0; i < plane.data.length; i++) plane.data[i] = data[4 * i + channel];
    return plane;
  }

  /** With rows and columns exchanged. */
  transpose() {
    const { rows, columns, data } = this;
    const turned = new Plane(columns, rows);
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) turned.data[j * rows + i] = data[i * columns + j];
    }
    return turned;
  }

  /** In another size, smoothed. */
  resize(rows, columns) {
    return resizeRows(resizeRows(this.transpose(), columns).transpose(), rows);
  }

  /** The sum of each row. */
  rowSums() {
    const sums = new Array(this.rows).fill(0);
    this.data.forEach((each, i) => (sums[Math.floor(i / this.columns)] += each));
    return sums;
  }

  /** The greatest of its numbers, at least 0. */
  most() {
    let most = 0;
    for (const each of this.data) most = Math.max(most, each);
    return most;
  }
}

/**
 * The pixels of ink, in the shape that a network takes; null where there is none.
 *
 * A network of one channel is given a digit, unless it is for photographs; any other the whole
 * picture, grey.
 *
 * @param {Plane} ink from 0 to 255.
 * @param {number[]} shape rows, columns and channels.
 * @param {boolean} photographs whether the network is for these.
 * @returns {Uint8Array | null} rows, columns, channels.
 */
export function toPixels(ink, [rows, columns, channels], photographs = false) {
  const most = ink.most();
  if (most === 0) return null;
  if (channels === 1 && !photographs) return prepared(ink, most, rows, columns);
  const grey = ink.resize(rows, columns).data;
  return Uint8Array.from({ length: channels * grey.length }, (_, i) =>
    Math.round(grey[Math.floor(i / channels)]),
  );
}

/** The digit in its box, its strongest ink 255, with its centre of mass in the middle. */
function prepared(ink, most, rows, columns) {
  const mark = strongMark(ink, FAINT * most);
  const box = [rows, columns].map((length) => roundEven(BOX * length));
  const scale = Math.min(box[0] / mark.rows, box[1] / mark.columns);
  const size = [mark.rows, mark.columns].map((length) => Math.max(1, roundEven(scale * length)));
  const digit = mark.resize(...size);
  const top = start(digit.rowSums(), rows);
  const left = start(digit.transpose().rowSums(), columns);
  const factor = 255 / digit.most();
  const pixels = new Uint8Array(rows * columns);
  digit.data.forEach((each, i) => {
    const row = top + Math.floor(i / digit.columns);
    pixels[row * columns + left + (i % digit.columns)] = roundEven(each * factor);
  });
  return pixels;
}

/** The part of a plane within which all ink is that is not faint; faint ink in it is paper. */
function strongMark({ rows, columns, data }, least) {
  let [top, bottom, left, right] = [rows, 0, columns, 0];
  for (let row = 0, i = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, i++) {
      if (data[i] < least) continue;
      top = Math.min(top, row);
      bottom = row;
      left = Math.min(left, column);
      right = Math.max(right, column);
    }
  }
  const mark = new Plane(bottom - top + 1, right - left + 1);
  for (let row = 0, i = 0; row < mark.rows; row++) {
    for (let column = 0; column < mark.columns; column++, i++) {
      const ink = data[(top + row) * columns + left + column];
      mark.data[i] = ink < least ? 0 : ink;
    }
  }
  return mark;
}

/** Where mass begins in `length` pixels that has its centre on the middle one, if it fits. */
function start(mass, length) {
  const total = mass.reduce((a, b) => a + b);
  const centre = mass.reduce((sum, each, i) => sum + each * i, 0) / total;
  const first = roundEven(Math.floor(length / 2) - centre);
  return Math.min(Math.max(first, 0), length - mass.length);
}

/** As Python rounds: halves to the even number. */
function roundEven(x) {
  const lower = Math.floor(x);
  return x - lower === 0.5 ? lower + (lower % 2) : Math.round(x);
}

/** A plane with another number of rows, each a mean of those that it covers: Hamming's window. */
function resizeRows({ rows: from, columns, data }, rows) {
  const step = from / rows;
  const reach = Math.max(step, 1);
  const resized = new Plane(rows, columns);
  for (let row = 0; row < rows; row++) {
    const centre = (row + 0.5) * step;
    const first = Math.max(0, Math.trunc(centre - reach + 0.5));
    const last = Math.min(from, Math.trunc(centre + reach + 0.5));
    const weights = [];
    for (let i = first; i < last; i++) weights.push(hamming((i - centre + 0.5) / reach));
    const total = weights.reduce((a, b) => a + b);
    weights.forEach((weight, i) => {
      for (let j = 0; j < columns; j++) {
        resized.data[row * columns + j] += (weight / total) * data[(first + i) * columns + j];
      }
    });
  }
  return resized;
}

function hamming(x) {
  if (x === 0) return 1;
  if (Math.abs(x) >= 1) return 0;
  return (Math.sin(Math.PI * x) / (Math.PI * x)) * (0.54 + 0.46 * Math.cos(Math.PI * x));
}
