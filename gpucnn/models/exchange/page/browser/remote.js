/** The page of a server, which runs the networks. */

import { fromBase64 } from "./images.js";
import { start } from "./page.js";

/** Ask the server. @returns {Promise<object>} its answer. */
async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error("the server does not answer: is it running?");
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  throw new Error(answer.error ?? `the server answers with the status ${response.status}`);
}

/** What a model says of pixels, or of a picture's file, with images as bytes. */
async function explain(model, device, { pixels, file }) {
  const body = file ?? JSON.stringify({ pixels: inRows(pixels, model.input_shape) });
  const type = file ? "application/octet-stream" : "application/json";
  const query = new URLSearchParams({ model: model.name, device });
  const answer = await ask(`explain?${query}`, {
    method: "POST",
    headers: { "Content-Type": type },
    body,
  });
  for (const image of [answer.pixels, answer.saliency, ...answer.layers]) {
    image.data = fromBase64(image.data);
  }
  return answer;
}

/** Pixels as lists in lists, by rows, columns and channels. */
function inRows(pixels, [rows, columns, channels]) {
  const pixel = (i) => Array.from(pixels.subarray(i * channels, (i + 1) * channels));
  return Array.from({ length: rows }, (_, row) =>
    Array.from({ length: columns }, (_, column) => pixel(row * columns + column)),
  );
}

try {
  start({ ...(await ask("api/models")), explain });
} catch (error) {
  document.getElementById("error").textContent = error.message;
}
