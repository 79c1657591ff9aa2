/** The paper to draw on: by mouse, finger, pen, or keys. */

import { Plane } from "./digit.js";

// In units, of which the paper's ink has one a pixel.
const SIDE = 280; // the paper's width
const PEN = 20; // that of a stroke
const STEP = 10; // which the pen moves at an arrow key

const FINER = 2; // than the ink is what is shown

const ARROWS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };

/**
 * What is drawn is kept as strokes, of points (x, y). It is shown in the colours of the page, and
 * at the same time made ink, white on black, of which the network's pixels are made.
 */
export class Paper {
  size = [SIDE, 0];
  #strokes = [];
  #photograph = null; // which is shown while there is no stroke
  #pointer = null; // that draws
  #pen = null; // where arrow keys have moved it, and whether it draws
  #pressed = new Set(); // arrow keys

  /**
   * @param {HTMLCanvasElement} canvas is drawn on.
   * @param {function(number)} drawn is told of each change, with the time of its event.
   */
  constructor(canvas, drawn) {
    this.drawn = drawn;
    this.shown = canvas.getContext("2d");
    this.ink = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    for (const type of ["down", "move", "up", "cancel"]) {
      canvas.addEventListener(`pointer${type}`, (event) => this.#point(type, event));
    }
    canvas.addEventListener("keydown", (event) => this.#press(event));
    canvas.addEventListener("keyup", (event) => this.#pressed.delete(event.key));
    canvas.addEventListener("blur", () => this.#leave());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#redraw());
  }

  /**
   * Take the proportions of a network's images. Where they are others, what was drawn is cleared.
   *
   * @returns {boolean} whether they are.
   */
  setShape([rows, columns]) {
    const height = Math.round((SIDE * rows) / columns);
    if (height === this.size[1]) return false;
    this.size = [SIDE, height];
    [this.ink.canvas.width, this.ink.canvas.height] = this.size;
    [this.shown.canvas.width, this.shown.canvas.height] = this.size.map((each) => FINER * each);
    this.clear();
    return true;
  }

  get isEmpty() {
    return this.#strokes.length === 0;
  }

  clear() {
    this.#strokes = [];
    this.#photograph = null;
    this.#redraw();
  }

  undo() {
    this.#strokes.pop();
    this.#redraw();
  }

  /** Show a photograph in place of strokes. @param {ImageBitmap} photograph */
  show(photograph) {
    this.#strokes = [];
    this.#photograph = photograph;
    this.#redraw();
  }

  /** The ink, from 0 to 255. */
  toInk() {
    return Plane.ofCanvas(this.ink, 0);
  }

  // Mouse, finger and pen

  #point(type, event) {
    if (type === "down" && this.#pointer === null && event.button === 0) {
      this.#pointer = event.pointerId;
      this.shown.canvas.setPointerCapture(event.pointerId);
      this.#pen = null;
      this.#strokes.push([]);
    }
    if (event.pointerId !== this.#pointer) return;
    if (type === "down" || type === "move") {
      const events = event.getCoalescedEvents?.() ?? [];
      const points = (events.length ? events : [event]).map((each) => this.#place(each));
      this.#add(points, event.timeStamp);
    } else {
      this.#pointer = null;
    }
  }

  #place({ clientX, clientY }) {
    const { left, top, width } = this.shown.canvas.getBoundingClientRect();
    return [((clientX - left) * SIDE) / width, ((clientY - top) * SIDE) / width];
  }

  #add(points, time) {
    this.#strokes.at(-1).push(...points);
    this.#redraw();
    this.drawn(time);
  }

  // Keys

  #press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    this.#pen ??= { place: this.size.map((each) => each / 2), draws: false };
    if (event.key in ARROWS) {
      this.#pressed.add(event.key);
      this.#move(event);
    } else if (event.key === " ") {
      if (!event.repeat) this.#lower(event);
    } else {
      return;
    }
    event.preventDefault();
  }

  /** Move the pen by all arrow keys that are pressed, so that two make a diagonal. */
  #move({ timeStamp }) {
    for (const key of this.#pressed) {
      this.#pen.place = this.#pen.place.map((each, axis) =>
        Math.min(Math.max(each + STEP * ARROWS[key][axis], 0), this.size[axis]),
      );
    }
    if (this.#pen.draws) this.#add([this.#pen.place], timeStamp);
    else this.#redraw();
  }

  /** Put the pen down, to draw with the next moves, or lift it. */
  #lower({ timeStamp }) {
    this.#pen.draws = !this.#pen.draws;
    if (!this.#pen.draws) return this.#redraw();
    this.#strokes.push([]);
    this.#add([this.#pen.place], timeStamp);
  }

  #leave() {
    this.#pressed.clear();
    this.#pen = null;
    this.#redraw();
  }

  // Showing

  #redraw() {
    if (!this.isEmpty) this.#photograph = null;
    const { canvas } = this.shown;
    this.shown.clearRect(0, 0, canvas.width, canvas.height);
    this.ink.fillRect(0, 0, ...this.size);
    if (this.#photograph) this.#drawPhotograph();
    this.#drawStrokes(this.shown, FINER, getComputedStyle(canvas).color);
    this.#drawStrokes(this.ink, 1, "white");
    if (this.#pen) this.#drawPen(getComputedStyle(canvas).accentColor);
  }

  #drawStrokes(context, scale, colour) {
    Object.assign(context, { lineCap: "round", lineJoin: "round", lineWidth: PEN });
    context.strokeStyle = colour;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    for (const [[x, y], ...others] of this.#strokes) {
      context.beginPath();
      context.moveTo(x, y);
      context.lineTo(x + 0.01, y); // a dot, if there are no others
      for (const point of others) context.lineTo(...point);
      context.stroke();
    }
    context.resetTransform();
  }

  #drawPhotograph() {
    const { canvas } = this.shown;
    const { width, height } = this.#photograph;
    const scale = Math.min(canvas.width / width, canvas.height / height);
    const size = [width * scale, height * scale];
    this.shown.drawImage(
      this.#photograph,
      (canvas.width - size[0]) / 2,
      (canvas.height - size[1]) / 2,
      ...size,
    );
  }

  /** A ring where the pen is, which is full while it draws. */
  #drawPen(colour) {
    const { place, draws } = this.#pen;
    this.shown.beginPath();
    this.shown.arc(...place.map((each) => FINER * each), (FINER * PEN) / 2, 0, 2 * Math.PI);
    Object.assign(this.shown, { lineWidth: 4, strokeStyle: colour, fillStyle: colour });
    this.shown.stroke();
    if (draws) this.shown.fill();
  }
}
