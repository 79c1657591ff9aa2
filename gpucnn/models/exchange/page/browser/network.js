/** A network that runs in the browser, by the description that `gpucnn export --page` writes. */

import { fromBase64 } from "./images.js";
import { OPERATIONS } from "./operations.js";

/** A network, with what its layers made of the last image. */
export class Network {
  /**
   * @param {object} description `input_shape`; `low` and `high`, what the bytes 0 and 255 become;
   *   `layers`, each with its `operation`, what that takes, and the sizes of its `arrays` by name;
   *   `weights`, those arrays one after the other, as base64 of float32; `end`, what makes
   *   probabilities of the scores.
   */
  constructor(description) {
    this.description = description;
    const weights = new Float32Array(fromBase64(description.weights).buffer);
    let start = 0;
    this.layers = description.layers.map(({ arrays, ...layer }) => {
      for (const [name, size] of Object.entries(arrays)) {
        layer[name] = weights.subarray(start, (start += size));
      }
      return { ...layer, ...OPERATIONS[layer.operation](layer) };
    });
  }

  /**
   * The probability of each class.
   *
   * @param {Uint8Array} pixels of an image: rows, columns, channels.
   */
  predict(pixels) {
    const { low, high, end } = this.description;
    let x = Float64Array.from(pixels, (pixel) => low + (pixel / 255) * (high - low));
    this.outputs = this.layers.map((layer) => (x = layer.forward(x)));
    return ENDS[end](x);
  }

  /** The gradient of the highest score of the last image with respect to its pixels. */
  saliency() {
    const scores = this.outputs.at(-1);
    let gradient = new Float64Array(scores.length);
    gradient[scores.indexOf(Math.max(...scores))] = 1;
    for (const layer of [...this.layers].reverse()) gradient = layer.backward(gradient);
    return gradient;
  }
}

/** What makes probabilities of what the last layer gives. */
const ENDS = {
  softmax(scores) {
    const most = Math.max(...scores);
    const powers = scores.map((each) => Math.exp(each - most));
    const sum = powers.reduce((a, b) => a + b);
    return powers.map((each) => each / sum);
  },
  none: (scores) => scores,
  logistic: ([logit]) => ENDS.binary([1 / (1 + Math.exp(-logit))]),
  /** Of the first class against the second. */
  binary: ([probability]) => Float64Array.of(1 - probability, probability),
};
