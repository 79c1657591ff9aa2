/** A network that runs in the browser, by the description that `gpucnn export --page` writes. */

import { fromBase64 } from "./images.js";
import { OPERATIONS } from "./operations.js";

/** A network, with what its layers made of the last image. */
export class Network {
  /**
   * @param {object} description `input_shape`; `low` and `high`, what the bytes 0 and 255 become;
   *   `layers`, each with its `inputs`, the numbers of layers before it or -1 for the image, its
   *   `operation`, what that takes, and the sizes of its `arrays` by name; `weights`, those arrays
   *   one after the other, as base64 of float32; `end`, what makes probabilities of the scores.
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
    const image = Float64Array.from(pixels, (pixel) => low + (pixel / 255) * (high - low));
    this.outputs = [];
    for (const { inputs, forward } of this.layers) {
      this.outputs.push(forward(...inputs.map((i) => (i < 0 ? image : this.outputs[i]))));
    }
    return ENDS[end](this.outputs.at(-1));
  }

  /** The gradient of the highest score of the last image with respect to its pixels. */
  saliency() {
    const scores = this.outputs.at(-1);
    const best = scores.indexOf(Math.max(...scores));
    const last = this.layers.length - 1;
    const gradients = { [last]: scores.map((_, i) => Number(i === best)) }; // by layers; -1: pixels
    for (let number = last; number >= 0; number--) {
      const { inputs, backward } = this.layers[number];
      const found = backward(gradients[number]);
      inputs.forEach((input, i) => {
        const mine = inputs.length > 1 ? found[i] : found;
        const others = gradients[input];
        gradients[input] = others ? others.map((each, place) => each + mine[place]) : mine;
      });
    }
    return gradients[-1];
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
