/** The page: what is drawn goes to a network, and what that says is shown. */

import { toPixels } from "./digit.js";
import { Paper } from "./paper.js";
import { Bars, Maps, percent, sentence, showNothing, showPixels, showSaliency } from "./view.js";

const QUIET = 700; // milliseconds without a change, after which a screen reader is told
const NO_PICTURE = "this is not a picture that the browser can read: give a PNG or JPEG file";

const find = (id) => document.getElementById(id);

/**
 * Start the page.
 *
 * @param {object} source of what networks say: `models`, each with `name`, `input_shape`, `classes`,
 *   `photographs`, whether it takes these rather than digits, and `layers` of `name` and `shape`;
 *   `devices`, their names; and `explain`, a promise of what a
 *   model says on a device, of `pixels`, or of a `picture` and its `file`.
 */
export function start(source) {
  new Page(source);
}

class Page {
  #busy = false; // a question is under way
  #waiting = null; // the newest of the others
  #asked = 0; // counts questions, and what else makes an answer come too late
  #question = null; // the last

  constructor(source) {
    this.source = source;
    this.paper = new Paper(find("paper"), (time) => this.#draw(time));
    this.bars = new Bars(find("bars"));
    this.maps = new Maps(find("maps"));
    this.#offer(find("model"), source.models.map(({ name }) => name));
    this.#offer(find("device"), source.devices);
    find("model").addEventListener("change", () => this.#choose());
    find("device").addEventListener("change", () => this.#askAgain());
    find("undo").addEventListener("click", () => this.#undo());
    find("clear").addEventListener("click", () => this.#clear());
    find("photograph").addEventListener("change", ({ target }) => {
      this.#open(target.files[0]);
      target.value = ""; // so that the same file can be chosen again
    });
    this.#listen();
    this.#choose();
  }

  #offer(select, names) {
    select.replaceChildren(...names.map((name) => new Option(name, name)));
    select.closest("label").hidden = names.length < 2;
  }

  /** Keys, and photographs that are dropped or pasted. */
  #listen() {
    document.addEventListener("keydown", (event) => {
      if ((event.ctrlKey || event.metaKey) && event.key === "z") this.#undo();
      else if (event.key === "Escape") this.#clear();
      else return;
      event.preventDefault();
    });
    document.addEventListener("paste", ({ clipboardData }) => this.#open(clipboardData.files[0]));
    document.addEventListener("dragover", (event) => event.preventDefault());
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      this.#open(event.dataTransfer.files[0]);
    });
  }

  get model() {
    return this.source.models[Math.max(find("model").selectedIndex, 0)];
  }

  /** Take another model, which is asked the same where its images are of the same size. */
  #choose() {
    this.#asked++;
    const { name, classes, layers, input_shape: shape } = this.model;
    document.title = `${name}: draw, and watch the network`;
    find("name").textContent = this.source.models.length === 1 ? name : ""; // or it is chosen
    find("shape").textContent = `${shape[0]} × ${shape[1]} pixels`;
    this.bars.setClasses(classes);
    this.maps.setLayers(layers);
    if (this.paper.setShape(shape)) this.#clear();
    else this.#askAgain();
  }

  #askAgain() {
    if (this.#question) this.#ask(this.#question, performance.now());
  }

  #clear() {
    this.#asked++;
    this.#waiting = this.#question = null;
    this.paper.clear();
    this.bars.clear();
    this.maps.clear();
    for (const id of ["pixels", "saliency"]) showNothing(find(id), this.model.input_shape);
    for (const id of ["said", "share", "error"]) find(id).textContent = "";
    document.body.classList.add("empty");
    this.#announce("");
  }

  #undo() {
    this.paper.undo();
    if (this.paper.isEmpty) this.#clear();
    else this.#draw();
  }

  /** Ask about what is drawn. @param {number} time of the event. */
  #draw(time = performance.now()) {
    const { input_shape: shape, photographs } = this.model;
    this.#ask(() => ({ pixels: toPixels(this.paper.toInk(), shape, photographs) }), time);
  }

  /** Ask about a photograph. @param {File | undefined} file */
  async #open(file) {
    if (!file) return;
    const time = performance.now();
    this.#clear();
    const asked = this.#asked;
    const picture = await createImageBitmap(file).catch(() => null);
    if (asked !== this.#asked) return; // something else was drawn or opened meanwhile
    if (picture === null) return this.#fail(NO_PICTURE);
    this.paper.show(picture);
    this.#ask(() => ({ picture, file }), time);
  }

  /**
   * Ask the network. One question is under way at a time; of those that come meanwhile, the newest
   * is asked next.
   *
   * @param {function(): object} question makes it when it is asked.
   * @param {number} time of the event; of several that one question is about, the first counts.
   */
  async #ask(question, time) {
    document.body.classList.remove("empty");
    this.#question = question;
    this.#waiting = { question, time: this.#waiting?.time ?? time };
    if (this.#busy) return;
    this.#busy = true;
    while (this.#waiting) {
      const { question, time } = this.#waiting;
      this.#waiting = null;
      await this.#answer(question, time);
    }
    this.#busy = false;
  }

  async #answer(question, time) {
    const asked = ++this.#asked;
    try {
      const input = question();
      if (input.pixels === null) return; // it was drawn beside the paper
      const answer = await this.source.explain(this.model, find("device").value, input);
      if (asked !== this.#asked) return;
      this.#show(answer);
      this.#tell(time);
    } catch (error) {
      if (asked === this.#asked) this.#fail(error.message);
    }
  }

  #show(answer) {
    find("error").textContent = "";
    find("said").textContent = answer.class;
    find("share").textContent = percent(answer.probabilities[answer.class]);
    this.bars.show(answer.probabilities, answer.class);
    this.maps.show(answer.layers);
    showPixels(find("pixels"), answer.pixels);
    showSaliency(find("saliency"), answer.pixels, answer.saliency);
    this.#announce(sentence(answer.probabilities, answer.class));
  }

  /** Tell how long it took since an event until the browser has painted the answer. */
  async #tell(time) {
    await painted();
    find("milliseconds").textContent = `answered in ${Math.round(performance.now() - time)} ms`;
  }

  #fail(message) {
    find("error").textContent = message;
  }

  /** Tell a screen reader, once nothing has changed for a while. */
  #announce(text) {
    clearTimeout(this.quiet);
    this.quiet = setTimeout(() => (find("result").textContent = text), QUIET);
  }
}

/** Wait until the browser has painted. */
function painted() {
  return new Promise((resolve) => {
    requestAnimationFrame(() => {
      const channel = new MessageChannel();
      channel.port1.onmessage = resolve;
      channel.port2.postMessage(null);
    });
  });
}
