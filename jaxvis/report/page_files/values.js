"use strict";
// What the page knows: its data, an image's data, and the values of its maps.

const data = JSON.parse(document.getElementById("data").textContent);
const [HEIGHT, WIDTH] = data.size;
const PIXELS = HEIGHT * WIDTH;
const at = (id) => document.getElementById(id);
const keys = data.maps.map((map) => `${map.method}.${map.rule}`);

const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const lookups = Object.fromEntries(Object.entries(data.colours).map(([name, text]) => [name, bytes(text)]));

// --- an image's data ----------------------------------------------------------------------------

// Each file beside the page calls this with its image's number and data.
const arrived = new Map();
function jaxvisImage(index, image) {
  arrived.set(index, image);
}

// A page opened from a disk may not fetch a file, nor import a module; a classic script it may load.
function loaded(index) {
  const { file, source } = data.index[index];
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.onload = () => {
      const image = arrived.get(index);
      arrived.delete(index);
      script.remove();
      if (image?.file === file && image.maps.length === data.maps.length) resolve(image);
      else reject(new Error(`${source} is not this report's: it does not have the maps of ${file}. ` +
        "Copy report.html and the folder report_files from one report."));
    };
    script.onerror = () => {
      script.remove();
      reject(new Error(`The maps of ${file} are in ${source}, which is not beside this page, or cannot ` +
        "be read. Copy the folder report_files together with report.html, then choose the image again."));
    };
    script.src = source;
    document.head.append(script);
  });
}

// All that belongs to one image: {file, class, picture, truth, top, maps, others, what_if, microscope}.
async function imageData(index) {
  return data.images ? data.images[index] : loaded(index);
}

// --- its values ---------------------------------------------------------------------------------

function picture(source) {
  return new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => resolve(image);
    image.onerror = () => reject(new Error("A picture of this page cannot be read."));
    image.src = source;
  });
}

async function pixels(source) {
  const image = await picture(source);
  const canvas = new OffscreenCanvas(image.width, image.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, image.width, image.height).data;
}

// Linear, the corners keep their values: what jv.upsample does.
function enlarged(small, height, width) {
  const found = new Float32Array(PIXELS);
  const place = (i, n, of) => (of > 1 ? (i * (n - 1)) / (of - 1) : 0);
  for (let y = 0; y < HEIGHT; y++) {
    const row = place(y, height, HEIGHT), top = Math.min(Math.floor(row), Math.max(height - 2, 0)), down = row - top;
    const below = Math.min(top + 1, height - 1);
    for (let x = 0; x < WIDTH; x++) {
      const column = place(x, width, WIDTH), left = Math.min(Math.floor(column), Math.max(width - 2, 0));
      const across = column - left, right = Math.min(left + 1, width - 1);
      const upper = small[top * width + left] * (1 - across) + small[top * width + right] * across;
      const lower = small[below * width + left] * (1 - across) + small[below * width + right] * across;
      found[y * WIDTH + x] = upper * (1 - down) + lower * down;
    }
  }
  return found;
}

async function decoded(one) {
  let values;
  if (one.floats !== undefined) {
    const buffer = bytes(one.floats).buffer;
    values = enlarged(new Float32Array(buffer), one.height, one.width);
  } else {
    const shades = await pixels(one.png);
    values = new Float32Array(PIXELS);
    for (let i = 0; i < PIXELS; i++) values[i] = one.low + (shades[4 * i] / 255) * (one.high - one.low);
  }
  let sum = 0;
  for (const value of values) sum += Math.abs(value);
  return { values, sorted: Float32Array.from(values, Math.abs).sort(), sum, low: one.low, high: one.high };
}

// An image ready to be drawn: its data, its photograph, and the values of its maps for one of its
// classes, `explained`: {class, maps}, which of the first class has `what_if` and `microscope` too.
async function ready(index, place) {
  const image = await imageData(index);
  const explained = place > 0 && image.others[place - 1] ? image.others[place - 1] : image;
  const [photo, maps] = await Promise.all([picture(image.picture), Promise.all(explained.maps.map(decoded))]);
  return { image, explained, photo, maps };
}

const KEPT = 4; // images and classes: with six maps some 3 MB each
const known = new Map(); // those that were looked at last, the newest at the end
function lookedAt(index, place = state.class) {
  const key = `${index} ${place}`, found = known.get(key) ?? ready(index, place);
  known.delete(key);
  known.set(key, found);
  if (known.size > KEPT) known.delete(known.keys().next().value);
  found.catch(() => known.delete(key)); // asked for again, it is loaded again
  return found;
}

// The share of the map's pixels that are as strong as this one or stronger.
function rank(map, value) {
  const sorted = map.sorted, wanted = Math.abs(value);
  let low = 0, high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < wanted) low = middle + 1; else high = middle;
  }
  return (sorted.length - low) / sorted.length;
}

