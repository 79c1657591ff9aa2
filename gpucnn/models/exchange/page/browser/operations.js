/**
 * What the layers compute, and the gradients of their inputs.
 *
 * Images lie as in gpucnn: rows, columns, channels; so a vector is an image of one pixel, and to
 * flatten an image changes nothing. Sums are of 64 bits, of weights of 32.
 *
 * An operation is made of the description of a layer, and has two functions: `forward` takes the
 * input, a Float64Array, or several, and gives the output; `backward` takes the gradient of what
 * `forward` gave last, and gives that of the input, or a list of those of several. Neither changes
 * what it takes, which may be what it gives.
 */

/**
 * Visit each pixel that a window sees from each of its positions, and no padding.
 *
 * @param {object} window pairs of (vertical, horizontal): `image` and `output`, the sizes of both;
 *   `size`, `strides` and `dilation` of the window; `before`, the padding above and to the left.
 * @param {function(number, number, number)} visit is given the numbers of the position, of the
 *   pixel, and of the element of the window.
 */
function slide({ image, output, size, strides, dilation, before }, visit) {
  let position = 0;
  for (let row = 0; row < output[0]; row++) {
    for (let column = 0; column < output[1]; column++, position++) {
      for (let i = 0; i < size[0]; i++) {
        const y = row * strides[0] + i * dilation[0] - before[0];
        if (y < 0 || y >= image[0]) continue;
        for (let j = 0; j < size[1]; j++) {
          const x = column * strides[1] + j * dilation[1] - before[1];
          if (x >= 0 && x < image[1]) visit(position, y * image[1] + x, i * size[1] + j);
        }
      }
    }
  }
}

const area = ([rows, columns]) => rows * columns;

/** A convolution in groups, with kernels of (elements, channels of a group, filters). */
function convolve({ window, channels, filters, groups, kernel, bias }) {
  const fan = channels / groups;
  const share = filters / groups; // filters of a group

  /** Visit each channel of each pixel seen, with its number, its first output and first weight. */
  const visit = (each) =>
    slide(window, (position, pixel, element) => {
      for (let channel = 0; channel < channels; channel++) {
        const first = Math.floor(channel / fan) * share;
        const weight = (element * fan + (channel % fan)) * filters + first;
        each(pixel * channels + channel, position * filters + first, weight);
      }
    });

  return {
    forward(x) {
      const y = new Float64Array(area(window.output) * filters);
      if (bias) for (let i = 0; i < y.length; i++) y[i] = bias[i % filters];
      visit((input, output, weight) => {
        const value = x[input];
        if (value === 0) return; // as of many that ReLU gives
        for (let f = 0; f < share; f++) y[output + f] += value * kernel[weight + f];
      });
      return y;
    },
    backward(gradient) {
      const found = new Float64Array(area(window.image) * channels);
      visit((input, output, weight) => {
        let sum = 0;
        for (let f = 0; f < share; f++) sum += gradient[output + f] * kernel[weight + f];
        found[input] += sum;
      });
      return found;
    },
  };
}

/** The maximum of each window, the first among equals. */
function maximum({ window, channels }) {
  let chosen;
  return {
    forward(x) {
      const y = new Float64Array(area(window.output) * channels).fill(-Infinity);
      chosen = new Int32Array(y.length);
      slide(window, (position, pixel) => {
        for (let c = 0; c < channels; c++) {
          const [from, to] = [pixel * channels + c, position * channels + c];
          if (x[from] > y[to]) {
            y[to] = x[from];
            chosen[to] = from;
          }
        }
      });
      return y;
    },
    backward(gradient) {
      const found = new Float64Array(area(window.image) * channels);
      gradient.forEach((each, i) => (found[chosen[i]] += each));
      return found;
    },
  };
}

/** The mean of the pixels of each window. */
function average({ window, channels }) {
  const seen = new Float64Array(area(window.output));
  slide(window, (position) => seen[position]++);

  /** Visit each pixel of each window, with the numbers of input, output and position. */
  const visit = (term) =>
    slide(window, (position, pixel) => {
      for (let c = 0; c < channels; c++) {
        term(pixel * channels + c, position * channels + c, position);
      }
    });

  return {
    forward(x) {
      const y = new Float64Array(area(window.output) * channels);
      visit((from, to, position) => (y[to] += x[from] / seen[position]));
      return y;
    },
    backward(gradient) {
      const found = new Float64Array(area(window.image) * channels);
      visit((from, to, position) => (found[from] += gradient[to] / seen[position]));
      return found;
    },
  };
}

/** An image with zeros around it, or a part of one: each position sees at most one pixel. */
function frame({ window, channels }) {
  const copy = (size, pick) => {
    const copied = new Float64Array(area(size) * channels);
    slide(window, (position, pixel) => pick(copied, position * channels, pixel * channels));
    return copied;
  };
  return {
    forward: (x) =>
      copy(window.output, (y, to, from) => y.set(x.subarray(from, from + channels), to)),
    backward: (gradient) =>
      copy(window.image, (found, from, to) =>
        found.set(gradient.subarray(from, from + channels), to),
      ),
  };
}

/** Each channel times a scale, plus an offset. */
function scale({ scales, offsets }) {
  const count = scales.length;
  return {
    forward: (x) => x.map((each, i) => each * scales[i % count] + offsets[i % count]),
    backward: (gradient) => gradient.map((each, i) => each * scales[i % count]),
  };
}

/** The sum of so many inputs. */
function add({ count }) {
  return {
    forward: (first, ...others) =>
      first.map((each, i) => others.reduce((sum, x) => sum + x[i], each)),
    backward: (gradient) => new Array(count).fill(gradient),
  };
}

/** Inputs one after the other, so many elements of each at a time. */
function concatenate({ sizes }) {
  const whole = sizes.reduce((a, b) => a + b);
  const starts = sizes.map((_, i) => sizes.slice(0, i).reduce((a, b) => a + b, 0));
  return {
    forward(...inputs) {
      const times = inputs[0].length / sizes[0];
      const y = new Float64Array(times * whole);
      inputs.forEach((x, i) => {
        for (let time = 0; time < times; time++) {
          y.set(x.subarray(time * sizes[i], (time + 1) * sizes[i]), time * whole + starts[i]);
        }
      });
      return y;
    },
    backward: (gradient) =>
      sizes.map((size, i) =>
        gradient.filter((_, element) => {
          const place = (element % whole) - starts[i];
          return place >= 0 && place < size;
        }),
      ),
  };
}

/** What changes the shape alone. */
function reshape() {
  return { forward: (x) => x, backward: (gradient) => gradient };
}

/** A function of each element by itself, of which `slope` is the derivative. */
function elementwise(value, slope) {
  let given;
  return {
    forward(x) {
      given = x;
      return x.map(value);
    },
    backward: (gradient) => gradient.map((each, i) => each * slope(given[i])),
  };
}

const sigmoid = (x) => 1 / (1 + Math.exp(-x));

/** The error function, by a series of positive terms, which converges everywhere. */
export function erf(x) {
  if (Math.abs(x) > 6) return Math.sign(x); // to 16 digits
  let [term, sum] = [x, x];
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/** The density of the normal distribution. */
const density = (x) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);

/** The normal distribution; far below 0 by a continued fraction, since `erf` is nearly -1 there. */
export function normal(x) {
  if (x > -3) return (1 + erf(x / Math.SQRT2)) / 2;
  let divisor = -x;
  for (let n = 60; n > 0; n--) divisor = n / divisor - x;
  return density(x) / divisor;
}

/** The operations by name, each made of a layer's description. */
export const OPERATIONS = {
  convolve,
  maximum,
  average,
  frame,
  scale,
  add,
  concatenate,
  reshape,
  relu: ({ most }) => {
    const bound = most ?? Infinity;
    return elementwise((x) => Math.min(Math.max(x, 0), bound), (x) => (x > 0 && x < bound ? 1 : 0));
  },
  leaky_relu: ({ slope }) =>
    elementwise((x) => (x > 0 ? x : slope * x), (x) => (x > 0 ? 1 : slope)),
  elu: ({ alpha }) =>
    elementwise(
      (x) => (x > 0 ? x : alpha * Math.expm1(x)),
      (x) => (x > 0 ? 1 : alpha * Math.exp(x)),
    ),
  gelu: () => elementwise((x) => x * normal(x), (x) => normal(x) + x * density(x)),
  silu: () =>
    elementwise((x) => x * sigmoid(x), (x) => sigmoid(x) * (1 + x * (1 - sigmoid(x)))),
  tanh: () => elementwise(Math.tanh, (x) => 1 - Math.tanh(x) ** 2),
  sigmoid: () => elementwise(sigmoid, (x) => sigmoid(x) * (1 - sigmoid(x))),
};
