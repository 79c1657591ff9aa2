/** Images of bytes, in planes: of each channel rows and columns; and tiles of them on a canvas. */

const IN_A_ROW = 8;
const GAP = 2; // pixels between tiles
const FINE = 28; // pixels of a canvas that a tile has about, however small the image is

/** @param {string} text base64. */
export function fromBase64(text) {
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i);
  return bytes;
}

/** Numbers in their own range, of which the least becomes 0 and the greatest 255. */
export function toBytes(numbers, least = Infinity) {
  let most = -Infinity;
  for (const each of numbers) {
    least = Math.min(least, each);
    most = Math.max(most, each);
  }
  const factor = most > least ? 255 / (most - least) : 0;
  return Uint8Array.from(numbers, (each) => Math.round(factor * (each - least)));
}

/** The planes of an image that lies as rows, columns, channels. */
export function toPlanes(image, channels) {
  const size = image.length / channels;
  return Array.from({ length: channels }, (_, channel) => {
    const plane = new Float64Array(size);
    for (let i = 0; i < size; i++) plane[i] = image[i * channels + channel];
    return plane;
  });
}

/** Planes of bytes as an image. */
export function toImage(rows, columns, planes) {
  const data = new Uint8Array(planes.length * rows * columns);
  planes.forEach((plane, i) => data.set(plane, i * rows * columns));
  return { rows, columns, channels: planes.length, data };
}

/** A colour as a pixel of a canvas has it, in the order of bytes of all machines with browsers. */
export function rgb(red, green, blue) {
  return 0xff000000 | (blue << 16) | (green << 8) | red;
}

/** How many tiles are in a row. @param {number} count of all. */
export function tilesAcross(count) {
  return Math.min(count, IN_A_ROW);
}

/**
 * Paint images of one size as tiles, with gaps between them.
 *
 * @param {HTMLCanvasElement} canvas takes the size of the tiles.
 * @param {object} image its `rows` and `columns`.
 * @param {number} count of tiles.
 * @param {function(number, number): number} colour is given the numbers of a pixel and of its tile;
 *   see `rgb`.
 */
export function paintTiles(canvas, { rows, columns }, count, colour) {
  const across = tilesAcross(count);
  const finer = Math.max(1, Math.round(FINE / columns));
  const [height, width] = [finer * rows, finer * columns];
  setSize(canvas, across * (width + GAP) - GAP, Math.ceil(count / across) * (height + GAP) - GAP);
  const context = canvas.getContext("2d");
  const tile = context.createImageData(width, height);
  const pixels = new Uint32Array(tile.data.buffer);
  for (let i = 0; i < count; i++) {
    for (let y = 0, at = 0; y < height; y++) {
      const row = Math.floor(y / finer) * columns;
      for (let x = 0; x < width; x++) pixels[at++] = colour(row + Math.floor(x / finer), i);
    }
    const [row, column] = [Math.floor(i / across), i % across];
    context.putImageData(tile, column * (width + GAP), row * (height + GAP));
  }
}

/** Set the size of a canvas, which erases it, if it is another. */
function setSize(canvas, width, height) {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
}
