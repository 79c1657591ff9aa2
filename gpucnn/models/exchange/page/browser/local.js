/** The page in one file: its network runs in the browser. */

import { toPixels } from "./digit.js";
import { toBytes, toImage, toPlanes } from "./images.js";
import { Network } from "./network.js";
import { start } from "./page.js";
import { readInk, readPhotograph } from "./photograph.js";

const network = new Network(JSON.parse(document.getElementById("network").textContent));

/** What the network says of pixels, or of a picture, in the form of the server's answers. */
async function explain(model, device, { pixels, picture }) {
  const { input_shape: shape, classes, layers, photographs } = model;
  const read = () =>
    photographs ? readPhotograph(picture, shape) : toPixels(readInk(picture), shape);
  const image = pixels ?? read();
  const probabilities = network.predict(image);
  const [rows, columns, channels] = shape;
  const maps = (output, [rows, columns, channels]) =>
    toImage(rows, columns, toPlanes(output, channels).map((map) => toBytes(map)));
  return {
    class: classes[probabilities.indexOf(Math.max(...probabilities))],
    probabilities: Object.fromEntries(classes.map((name, i) => [name, probabilities[i]])),
    pixels: toImage(rows, columns, toPlanes(image, channels)),
    layers: layers.flatMap(({ name, shape }, i) =>
      shape.length === 3 ? [{ name, ...maps(network.outputs[i], shape) }] : [],
    ),
    saliency: toImage(rows, columns, [toBytes(strongest(network.saliency(), channels), 0)]),
  };
}

/** The size of the gradient of each pixel, of several channels the greatest. */
function strongest(gradient, channels) {
  const planes = toPlanes(gradient.map(Math.abs), channels);
  return planes.reduce((a, b) => a.map((each, i) => Math.max(each, b[i])));
}

start({ models: [network.description], devices: ["browser"], explain });
