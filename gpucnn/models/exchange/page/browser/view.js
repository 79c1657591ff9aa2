/** What a network says of an image, and what its layers make of it, shown. */

import { paintTiles, rgb, tilesAcross } from "./images.js";

const MOST_BARS = 12; // of more classes, the most probable ones
const MOST_MAPS = 64; // of a layer
const TILE = 4; // the width of a map at most, in rem
const DIMMED = 0.45;
const ORANGE = [255, 150, 20];

export const percent = (share) => `${(100 * share).toFixed(share > 0 && share < 0.9995 ? 1 : 0)} %`;

/** An element with properties and children. */
export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// The classes

/** Bars of the probabilities of the classes. */
export class Bars {
  #rows = [];

  /** @param {HTMLElement} list is filled. */
  constructor(list) {
    this.list = list;
  }

  /** Take the names of the classes. */
  setClasses(classes) {
    this.classes = classes;
    this.#rows = classes.slice(0, MOST_BARS).map(() => {
      const [name, bar, share] = ["name", "bar", "share"].map((each) =>
        element("span", { className: each }),
      );
      const row = element("li", {}, name, element("span", { className: "track" }, bar), share);
      return { row, name, bar, share };
    });
    this.list.replaceChildren(...this.#rows.map(({ row }) => row));
    this.clear();
  }

  /** @param {Object<string, number>} probabilities by class. @param {string} said the class. */
  show(probabilities, said) {
    const order =
      this.classes.length > this.#rows.length
        ? [...this.classes].sort((a, b) => probabilities[b] - probabilities[a])
        : this.classes;
    this.#rows.forEach(({ row, name, bar, share }, i) => {
      const mine = probabilities[order[i]];
      name.textContent = order[i];
      share.textContent = percent(mine);
      bar.style.transform = `scaleX(${mine})`;
      row.classList.toggle("said", order[i] === said);
    });
  }

  clear() {
    this.#rows.forEach(({ row, name, bar, share }, i) => {
      name.textContent = this.classes[i];
      share.textContent = "";
      bar.style.transform = "scaleX(0)";
      row.classList.remove("said");
    });
  }
}

/** What is said of the probabilities, in words. */
export function sentence(probabilities, said) {
  const [, second] = Object.entries(probabilities).sort(([, a], [, b]) => b - a);
  return `${said}, ${percent(probabilities[said])}; then ${second[0]}, ${percent(second[1])}`;
}

// Images

/** Leave a canvas empty, with room for an image, so that nothing jumps later. */
export function showNothing(canvas, [rows, columns]) {
  canvas.width = 0; // which erases it
  paintTiles(canvas, { rows, columns }, 1, () => 0);
}

/** Show the pixels that the network was given. */
export function showPixels(canvas, pixels) {
  const [red, green, blue] = channelsOf(pixels);
  paintTiles(canvas, pixels, 1, (pixel) => rgb(red[pixel], green[pixel], blue[pixel]));
}

/** Show the pixels, dimmed, and over them in orange what mattered. */
export function showSaliency(canvas, pixels, saliency) {
  const channels = channelsOf(pixels);
  paintTiles(canvas, pixels, 1, (pixel) => {
    const share = saliency.data[pixel] / 255;
    const mixed = (each, i) => DIMMED * each[pixel] * (1 - share) + ORANGE[i] * share;
    return rgb(...channels.map(mixed));
  });
}

/** Red, green and blue, which are all the first channel where there are not three. */
function channelsOf({ rows, columns, channels, data }) {
  const size = rows * columns;
  const three = channels === 3 ? [0, 1, 2] : [0, 0, 0];
  return three.map((i) => data.subarray(i * size, (i + 1) * size));
}

/** The feature maps of the layers. */
export class Maps {
  #canvases = [];

  /** @param {HTMLElement} list is filled. */
  constructor(list) {
    this.list = list;
  }

  /** Make room for the maps of the layers. @param {{name: string, shape: number[]}[]} layers */
  setLayers(layers) {
    const ofImages = layers.filter(({ shape }) => shape.length === 3);
    const figures = ofImages.map(({ name, shape: [rows, columns, channels] }) => {
      const shown = Math.min(channels, MOST_MAPS);
      const canvas = element("canvas", { ariaHidden: "true" });
      canvas.style.maxWidth = `${tilesAcross(shown) * TILE}rem`;
      paintTiles(canvas, { rows, columns }, shown, () => 0); // so that nothing jumps later
      const count = channels === 1 ? "1 map" : `${channels} maps`;
      const some = shown < channels ? `, of which ${shown} are shown` : "";
      const size = element("small", { textContent: `${count} of ${rows} × ${columns}${some}` });
      const caption = element("figcaption", {}, element("b", { textContent: name }), size);
      return element("figure", {}, canvas, caption);
    });
    this.#canvases = figures.map(({ firstChild }) => firstChild);
    this.list.replaceChildren(...figures);
  }

  /** @param {{rows: number, columns: number, channels: number, data: Uint8Array}[]} layers */
  show(layers) {
    layers.forEach((layer, i) => {
      const size = layer.rows * layer.columns;
      const shown = Math.min(layer.channels, MOST_MAPS);
      paintTiles(this.#canvases[i], layer, shown, (pixel, map) => {
        const grey = layer.data[map * size + pixel];
        return rgb(grey, grey, grey);
      });
    });
  }

  clear() {
    for (const canvas of this.#canvases) {
      canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
    }
  }
}
