"use strict";
// What is shown is a function of `state`, and `state` is the address behind #: a link to a view.

const data = JSON.parse(document.getElementById("data").textContent);
const [HEIGHT, WIDTH] = data.size;
const PIXELS = HEIGHT * WIDTH;
const at = (id) => document.getElementById(id);
const keys = data.maps.map((map) => `${map.method}.${map.rule}`);
const START = {
  image: 0, map: keys[0], with: "", divider: 50, strength: 60, colour: "", scale: "own", top: 100, truth: 0, at: "",
};
const state = { ...START };

const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const lookups = Object.fromEntries(Object.entries(data.colours).map(([name, text]) => [name, bytes(text)]));

// --- values -------------------------------------------------------------------------------------

function picture(source) {
  return new Promise((resolve, reject) => {
    const image = new Image();
    image.onload = () => resolve(image);
    image.onerror = () => reject(new Error("a picture in this page cannot be read"));
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

const decodedOf = (image) => Promise.all(data.maps.map((map) => decoded(map.of[image])));

const known = new Map(); // decoded maps of the images that were looked at last
function valuesOf(image) {
  if (!known.has(image)) {
    if (known.size >= 4) known.delete(known.keys().next().value);
    known.set(image, decodedOf(image));
  }
  return known.get(image);
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

// --- drawing ------------------------------------------------------------------------------------

function coloursOf(index) {
  return lookups[state.colour || data.maps[index].colours];
}

function limits(index, map) {
  const images = state.scale === "all" ? data.maps[index].of : [map];
  let low = Math.min(...images.map((one) => one.low)), high = Math.max(...images.map((one) => one.high));
  if (low < 0) [low, high] = [-Math.max(-low, high), Math.max(-low, high)]; // 0 has the middle
  return [low, high];
}

// Colours of a map as RGBA; what is not among the strongest `top` percent is left clear.
function coloured(index, map, strength) {
  const table = coloursOf(index), [low, high] = limits(index, map);
  const rgba = new Uint8ClampedArray(4 * PIXELS);
  const kept = Math.round((1 - state.top / 100) * PIXELS);
  const least = kept > 0 ? map.sorted[Math.min(kept, PIXELS - 1)] : -1;
  for (let i = 0; i < PIXELS; i++) {
    const value = map.values[i];
    if (Math.abs(value) < least) continue;
    const shade = high > low ? Math.min(255, Math.max(0, Math.floor((256 * (value - low)) / (high - low)))) : 0;
    rgba.set(table.subarray(3 * shade, 3 * shade + 3), 4 * i);
    rgba[4 * i + 3] = strength;
  }
  return new ImageData(rgba, WIDTH, HEIGHT);
}

async function paint(canvas, index, map, strength, under) {
  const layer = new OffscreenCanvas(WIDTH, HEIGHT);
  layer.getContext("2d").putImageData(coloured(index, map, strength), 0, 0);
  canvas.width = WIDTH;
  canvas.height = HEIGHT;
  const context = canvas.getContext("2d");
  if (under) context.drawImage(under, 0, 0);
  context.drawImage(layer, 0, 0);
}

// Where the truth has an edge: pixels of the object with one beside them that is not.
async function outline(context, source) {
  const mask = await pixels(source);
  context.fillStyle = "#00e5ff";
  const inside = (x, y) => x >= 0 && y >= 0 && x < WIDTH && y < HEIGHT && mask[4 * (y * WIDTH + x)] > 127;
  for (let y = 0; y < HEIGHT; y++)
    for (let x = 0; x < WIDTH; x++)
      if (inside(x, y) && !(inside(x - 1, y) && inside(x + 1, y) && inside(x, y - 1) && inside(x, y + 1)))
        context.fillRect(x, y, 1, 1);
}

let drawing = 0;
async function draw() {
  const turn = ++drawing;
  const image = data.images[state.image];
  const [maps, photo] = await Promise.all([valuesOf(state.image), picture(image.picture)]);
  if (turn !== drawing) return; // something else is asked for by now
  const view = at("view"), chosen = keys.indexOf(state.map), other = keys.indexOf(state.with);
  const strength = Math.round(2.55 * state.strength);
  await paint(view, chosen, maps[chosen], strength, photo);
  const context = view.getContext("2d");
  if (other >= 0) {
    const second = new OffscreenCanvas(WIDTH, HEIGHT);
    await paint(second, other, maps[other], strength, photo);
    const from = Math.round((state.divider / 100) * WIDTH);
    if (from < WIDTH) context.drawImage(second, from, 0, WIDTH - from, HEIGHT, from, 0, WIDTH - from, HEIGHT);
  }
  if (state.truth && image.truth) await outline(context, image.truth);
  at("handle").hidden = other < 0;
  at("handle").style.left = `${state.divider}%`;
  for (const [index, canvas] of [...document.querySelectorAll("#maps canvas")].entries()) {
    const solid = data.maps[index].layer ? strength : 255;
    await paint(canvas, index, maps[index], solid, data.maps[index].layer ? photo : null);
    canvas.setAttribute("aria-label", said(index, maps[index]));
  }
  view.setAttribute("aria-label", `${image.file}: ${said(chosen, maps[chosen])}`);
  at("caption").textContent = captionOf(image, chosen, other);
  read(maps);
  document.body.dataset.drawn = turn; // for whoever waits for it
}

// What a map shows, for those who do not see it: where its strongest pixel and its centre are.
function said(index, map) {
  let best = 0, x = 0, y = 0;
  for (let i = 0; i < PIXELS; i++) {
    const value = Math.abs(map.values[i]);
    if (value > Math.abs(map.values[best])) best = i;
    x += value * (i % WIDTH);
    y += value * Math.floor(i / WIDTH);
  }
  if (map.sum === 0) return `${data.maps[index].title}: zero everywhere`;
  const part = (share, words) => words[Math.min(2, Math.floor(3 * share))];
  const rows = ["top", "middle", "bottom"], columns = ["left", "centre", "right"];
  const where = (a, b) => `${part(b / HEIGHT, rows)} ${part(a / WIDTH, columns)}`;
  return `${data.maps[index].title}: strongest at the ${where(best % WIDTH, Math.floor(best / WIDTH))}, ` +
    `on average at the ${where(x / map.sum, y / map.sum)}`;
}

function predictions(image) {
  return image.top.map((one) => `${one.name} ${(100 * one.share).toFixed(1)} %`).join(", ");
}

function captionOf(image, chosen, other) {
  const compared = other < 0 ? "" : ` On the right of the line: ${data.maps[other].title}.`;
  return `${data.maps[chosen].title} for ${image.class}, on ${image.file}.${compared} ` +
    `The network says: ${predictions(image)}. ${data.maps[chosen].about}`;
}

// --- the mark, and what is there ----------------------------------------------------------------

const number = (value) =>
  value === 0 ? "0" : Math.abs(value) < 1e-3 ? value.toExponential(3) : value.toPrecision(4);
const percent = (share) => (share < 0.001 ? "< 0.1 %" : `${(100 * share).toFixed(1)} %`);

function read(maps) {
  const place = state.at ? state.at.split(",").map(Number) : null;
  for (const cross of document.querySelectorAll(".cross")) {
    cross.hidden = place === null;
    if (place) {
      cross.style.left = `${(100 * (place[0] + 0.5)) / WIDTH}%`;
      cross.style.top = `${(100 * (place[1] + 0.5)) / HEIGHT}%`;
    }
  }
  at("where").textContent = place
    ? `At column ${place[0]}, row ${place[1]}` : "Point at the picture, or press an arrow key";
  const rows = data.maps.map((map, index) => {
    const row = document.createElement("tr");
    const cells = [map.title, "", "", ""];
    if (place) {
      const value = maps[index].values[place[1] * WIDTH + place[0]];
      const share = maps[index].sum > 0 ? Math.abs(value) / maps[index].sum : 0;
      cells.splice(1, 3, number(value), `top ${percent(rank(maps[index], value))}`, `${(1e6 * share).toFixed(1)} ppm`);
      document.querySelectorAll("#maps .value")[index].textContent = number(value);
    }
    cells.forEach((text, column) => {
      const cell = document.createElement(column ? "td" : "th");
      if (!column) cell.scope = "row";
      cell.textContent = text;
      row.append(cell);
    });
    return row;
  });
  at("readings").replaceChildren(...rows);
}

// Only values change with the mark, so nothing is drawn anew.
async function hover(x, y) {
  state.at = `${Math.min(WIDTH - 1, Math.max(0, x))},${Math.min(HEIGHT - 1, Math.max(0, y))}`;
  const image = state.image, maps = await valuesOf(image);
  if (image === state.image) read(maps);
}

function mark(x, y) {
  hover(x, y);
  write();
}

function under(event, element) {
  const box = element.getBoundingClientRect();
  return [
    Math.floor((WIDTH * (event.clientX - box.left)) / box.width),
    Math.floor((HEIGHT * (event.clientY - box.top)) / box.height),
  ];
}

// --- state and address --------------------------------------------------------------------------

function valid(name, text) {
  const start = START[name];
  if (name === "map" || name === "with") return keys.includes(text) || text === start ? text : start;
  if (name === "colour") return text in lookups ? text : "";
  if (name === "scale") return text === "all" ? "all" : "own";
  if (name === "at") {
    const place = text.split(",").map(Number);
    const fits = place.length === 2 && place.every(Number.isInteger) && place.every((n) => n >= 0) &&
      place[0] < WIDTH && place[1] < HEIGHT;
    return fits ? text : "";
  }
  const most = { image: data.images.length - 1, truth: 1 }[name] ?? 100;
  const value = Number(text);
  return Number.isInteger(value) && value >= (name === "top" ? 1 : 0) && value <= most ? value : start;
}

function fromAddress() {
  const asked = new URLSearchParams(location.hash.slice(1));
  for (const name of Object.keys(START)) state[name] = asked.has(name) ? valid(name, asked.get(name)) : START[name];
}

// Browsers allow some writes a second: not one for every move of the pointer.
function write() {
  const changed = Object.entries(state).filter(([name, value]) => value !== START[name]);
  const address = new URLSearchParams(changed.map(([name, value]) => [name, String(value)])).toString();
  history.replaceState(null, "", `#${address.replaceAll("%2C", ",")}`);
}

async function set(changes) {
  Object.assign(state, changes);
  write();
  show();
  await draw();
}

function show() {
  for (const [index, button] of [...document.querySelectorAll("#images button")].entries())
    button.setAttribute("aria-pressed", String(index === state.image));
  for (const [index, button] of [...document.querySelectorAll("#maps button")].entries())
    button.setAttribute("aria-pressed", String(keys[index] === state.map));
  for (const name of ["with", "divider", "strength", "colour", "scale", "top"]) at(name).value = state[name];
  at("truth").checked = Boolean(state.truth);
  at("truth-label").hidden = !data.images[state.image].truth;
  at("divider-label").hidden = state.with === "";
  at("top-says").textContent = state.top === 100 ? "all" : `${state.top} %`;
}

// --- the page -----------------------------------------------------------------------------------

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function build() {
  at("about").textContent = `${data.images.length} ${data.images.length === 1 ? "image" : "images"}, ` +
    `${data.maps.length} maps each; network ${data.network}, layer ${data.layer}. ` +
    "Everything is in this file: it works without a network.";
  at("images").replaceChildren(...data.images.map((image, index) => make("li", {}, make("button",
    { type: "button", title: image.file, onclick: () => set({ image: index }) },
    make("img", { src: image.picture, alt: "", loading: "lazy" }), make("span", { textContent: image.class })))));
  for (const [index, button] of [...document.querySelectorAll("#images button")].entries())
    button.setAttribute("aria-label", `Image ${index + 1}: ${data.images[index].class}, ${data.images[index].file}`);
  at("maps").replaceChildren(...data.maps.map((map, index) => {
    const canvas = make("canvas", { width: WIDTH, height: HEIGHT });
    canvas.setAttribute("role", "img");
    const frame = make("span", { className: "frame" }, canvas, make("span", { className: "cross", hidden: true }));
    return make("button", { type: "button", onclick: () => set({ map: keys[index] }) }, frame,
      make("span", { className: "name", textContent: map.title }), make("span", { className: "value" }));
  }));
  const rules = Math.max(...data.maps.map((map) => data.maps.filter((other) => other.method === map.method).length));
  at("maps").style.setProperty("--columns", rules > 1 ? rules : 3); // a method is a row
  at("with").append(make("option", { value: "", textContent: "nothing" }),
    ...data.maps.map((map, index) => make("option", { value: keys[index], textContent: map.title })));
}

function listen() {
  const view = at("view");
  let kept = Boolean(state.at); // a click keeps the mark where it is
  view.addEventListener("pointermove", (event) => { if (!kept) hover(...under(event, view)); });
  view.addEventListener("click", (event) => { kept = !kept; mark(...under(event, view)); });
  view.addEventListener("keydown", (event) => {
    const step = event.shiftKey ? 10 : 1;
    const [dx, dy] = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key] ?? [];
    if (dx === undefined) return;
    event.preventDefault();
    kept = true;
    const [x, y] = state.at ? state.at.split(",").map(Number) : [WIDTH >> 1, HEIGHT >> 1];
    mark(x + dx, y + dy);
  });
  for (const name of ["divider", "strength", "top"])
    at(name).addEventListener("input", () => set({ [name]: Number(at(name).value) }));
  for (const name of ["with", "colour", "scale"])
    at(name).addEventListener("change", () => set({ [name]: at(name).value }));
  at("truth").addEventListener("change", () => set({ truth: Number(at("truth").checked) }));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "f" || event.ctrlKey || event.metaKey || event.altKey || !state.with) return;
    if (event.target instanceof HTMLSelectElement) return;
    set({ map: state.with, with: state.map });
  });
  window.addEventListener("hashchange", () => { fromAddress(); show(); draw(); });
  window.addEventListener("beforeprint", paper);
}

// What is printed: every image with all its maps, as pictures.
let printed = false;
async function paper() {
  if (printed) return;
  printed = true;
  for (const [index, image] of data.images.entries()) {
    const [maps, photo] = await Promise.all([decodedOf(index), picture(image.picture)]);
    const row = make("div", { className: "row" },
      make("figure", {}, make("img", { src: image.picture, alt: image.file }),
        make("figcaption", { textContent: `${image.file}: ${image.class}` })));
    for (const [place, map] of data.maps.entries()) {
      const canvas = make("canvas");
      await paint(canvas, place, maps[place], map.layer ? 153 : 255, map.layer ? photo : null);
      row.append(make("figure", {}, make("img", { src: canvas.toDataURL("image/jpeg", 0.9), alt: said(place, maps[place]) }),
        make("figcaption", { textContent: map.title })));
    }
    at("paper").append(make("article", {}, make("h2", { textContent: image.class }), row,
      make("p", { className: "small", textContent: `The network says: ${predictions(image)}.` })));
  }
  document.body.dataset.paper = "ready";
}

fromAddress();
build();
show();
listen();
draw().then(() => (window.requestIdleCallback ?? setTimeout)(() => paper()));
