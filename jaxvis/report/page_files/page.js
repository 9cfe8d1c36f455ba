// What is shown is a function of `state`, and `state` is the address behind #: a link to a view.

const START = {
  image: 0, class: 0, map: keys[0], with: "", divider: 50, strength: 60, colour: "", scale: "own", percentile: 99.5, top: 100, truth: 0, at: "",
  removed: 20, measure: "energy",
};
const state = { ...START };
const PERCENTILES = [100, 99.5, 99, 95, 90];

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
  const index = state.image, place = state.class;
  const found = await lookedAt(index).catch(() => null); // `draw` says why
  if (found && index === state.image && place === state.class) read(found.maps);
  return found;
}

// Said aloud is only what was asked for: not every move of the pointer.
async function mark(x, y) {
  const found = hover(x, y), place = state.at;
  write();
  const maps = (await found)?.maps;
  if (!maps || place !== state.at) return;
  const [column, row] = place.split(",").map(Number);
  const words = [state.map, state.with].filter(Boolean).map((key) => {
    const index = keys.indexOf(key), value = maps[index].values[row * WIDTH + column];
    return `${data.maps[index].title} ${number(value)}, among the strongest ${percent(rank(maps[index], value))}`;
  });
  at("spoken").textContent = `Column ${column}, row ${row}: ${words.join("; ")}.`;
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
  if (name === "percentile") return PERCENTILES.includes(Number(text)) ? Number(text) : start;
  if (name === "measure") return text === "count" ? "count" : "energy";
  if (name === "at") {
    const place = text.split(",").map(Number);
    const fits = place.length === 2 && place.every(Number.isInteger) && place.every((n) => n >= 0) &&
      place[0] < WIDTH && place[1] < HEIGHT;
    return fits ? text : "";
  }
  const most = { image: data.index.length - 1, class: 99, truth: 1 }[name] ?? 100;
  const value = Number(text);
  return Number.isInteger(value) && value >= (name === "top" ? 1 : 0) && value <= most ? value : start;
}

function fromAddress() {
  const asked = new URLSearchParams(location.hash.slice(1));
  for (const name of Object.keys(START)) state[name] = asked.has(name) ? valid(name, asked.get(name)) : START[name];
  // Written by hand, a map may also be told by its method, its rule, or both.
  const [method, rule] = ["method", "rule"].map((name) => asked.get(name));
  const told = data.maps.findIndex((map) => (method ?? map.method) === map.method && (rule ?? map.rule) === map.rule);
  if ((method || rule) && told >= 0) state.map = keys[told];
}

// Browsers allow some writes a second: not one for every move of the pointer.
function write() {
  const changed = Object.entries(state).filter(([name, value]) => value !== START[name]);
  const address = new URLSearchParams(changed.map(([name, value]) => [name, String(value)])).toString();
  try {
    history.replaceState(null, "", `#${address.replaceAll("%2C", ",")}`);
  } catch { // in a notebook's output there is no address of the page's own
  }
}

async function set(changes) {
  Object.assign(state, changes);
  write();
  show();
  await draw();
  if (!data.images) prepare();
}

function show() {
  for (const [index, button] of [...document.querySelectorAll("#images button")].entries())
    button.setAttribute("aria-pressed", String(index === state.image));
  reach(state.image);
  for (const [index, button] of [...document.querySelectorAll("#maps button")].entries())
    button.setAttribute("aria-pressed", String(keys[index] === state.map));
  for (const name of ["with", "divider", "strength", "colour", "scale", "percentile", "top", "removed", "measure"]) at(name).value = state[name];
  at("truth").checked = Boolean(state.truth);
  at("divider-label").hidden = state.with === "";
  at("percentile-label").hidden = state.scale === "all";
  at("top-says").textContent = state.top === 100 ? "all" : `${state.top} %`;
}

// --- the page -----------------------------------------------------------------------------------

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function build() {
  const count = data.index.length;
  at("about").textContent = `${count} ${count === 1 ? "image" : "images"}, ` +
    `${data.maps.length} ${data.maps.length === 1 ? "map" : "maps"} each` +
    `${data.network && `; network ${data.network}, layer ${data.layer}`}. ` + (data.images
    ? "Everything is in this file: it works without a network."
    : "It works without a network; the images' maps are in the folder report_files beside this file. " +
      "What is printed is the image that is shown.");
  at("images").replaceChildren(...data.index.map((image, index) => {
    const button = make("button", { type: "button", title: image.file, onclick: () => set({ image: index }) },
      make("img", { src: image.thumbnail, alt: "", loading: "lazy", decoding: "async" }),
      make("span", { textContent: image.class }), make("span", { className: "small", textContent: image.file }));
    button.setAttribute("aria-label", `Image ${index + 1}: ${image.class}, ${image.file}`);
    return make("li", {}, button);
  }));
  at("images").classList.toggle("many", !data.images);
  at("find-label").hidden = Boolean(data.images);
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

// The class explained comes first; not every image has as many.
function chooseClasses(image) {
  const names = [image.class, ...image.others.map((other) => other.class)];
  at("class-label").hidden = names.length < 2;
  at("class").replaceChildren(...names.map((name, place) => make("option", { value: place, textContent: name })));
  at("class").value = state.class < names.length ? state.class : 0;
}

// --- the index: one stop of the Tab key, in which arrow keys move -------------------------------

const buttons = () => [...document.querySelectorAll("#images button")];

function reach(index) {
  for (const [place, button] of buttons().entries()) button.tabIndex = place === index ? 0 : -1;
}

function step(event) {
  const all = buttons(), seen = all.filter((button) => !button.parentElement.hidden);
  const place = seen.indexOf(event.target.closest("button"));
  if (place < 0) return;
  const top = (button) => button.getBoundingClientRect().top;
  const across = Math.max(1, seen.filter((button) => top(button) === top(seen[0])).length);
  const wanted = { ArrowLeft: place - 1, ArrowRight: place + 1, ArrowUp: place - across, ArrowDown: place + across,
    Home: 0, End: seen.length - 1 }[event.key];
  if (wanted === undefined) return;
  event.preventDefault();
  const next = seen[wanted];
  if (!next) return;
  reach(all.indexOf(next));
  next.focus();
}

// Those stay whose class or file has every word.
function find() {
  const words = at("find").value.toLowerCase().split(/\s+/).filter(Boolean), all = buttons();
  let count = 0;
  for (const [index, button] of all.entries()) {
    const { file, class: name } = data.index[index], text = `${name}\n${file}`.toLowerCase();
    const found = words.every((word) => text.includes(word));
    button.parentElement.hidden = !found;
    count += found;
  }
  const first = all.findIndex((button) => !button.parentElement.hidden);
  const kept = all.findIndex((button) => button.tabIndex === 0 && !button.parentElement.hidden);
  if (kept < 0 && first >= 0) reach(first);
  at("found").textContent = words.length ? `${count} of ${all.length}` : `${all.length}`;
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
  for (const name of ["divider", "strength", "top", "removed"])
    at(name).addEventListener("input", () => set({ [name]: Number(at(name).value) }));
  at("class").addEventListener("change", () => set({ class: Number(at("class").value) }));
  at("percentile").addEventListener("change", () => set({ percentile: Number(at("percentile").value) }));
  for (const name of ["with", "colour", "scale", "measure"])
    at(name).addEventListener("change", () => set({ [name]: at(name).value }));
  at("truth").addEventListener("change", () => set({ truth: Number(at("truth").checked) }));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "f" || event.ctrlKey || event.metaKey || event.altKey || !state.with) return;
    if (event.target instanceof HTMLSelectElement) return;
    set({ map: state.with, with: state.map });
  });
  at("images").addEventListener("keydown", step);
  at("find").addEventListener("input", find);
  window.addEventListener("hashchange", () => { fromAddress(); show(); draw().then(prepare); });
  window.addEventListener("beforeprint", printable);
}

// What is printed, as pictures: every image with all its maps, or of many the one that is shown, for
// a page cannot load hundreds of files in the moment before it is printed.
let onPaper = "";
async function paper() {
  const wanted = data.images ? [...data.index.keys()] : [state.image];
  if (onPaper === wanted.join()) return;
  onPaper = wanted.join();
  delete document.body.dataset.paper;
  const articles = [];
  for (const index of wanted) {
    const { image, photo, maps } = await (data.images ? ready(index, 0) : lookedAt(index, 0));
    const row = make("div", { className: "row" },
      make("figure", {}, make("img", { src: image.picture, alt: image.file }),
        make("figcaption", { textContent: `${image.file}: ${image.class}` })));
    for (const [place, map] of data.maps.entries()) {
      const canvas = make("canvas");
      await paint(canvas, place, maps[place], map.layer ? 153 : 255, map.layer ? photo : null);
      row.append(make("figure", {}, make("img", { src: canvas.toDataURL("image/jpeg", 0.9), alt: said(place, maps[place]) }),
        make("figcaption", { textContent: map.title })));
    }
    articles.push(make("article", {}, make("h2", { textContent: image.class }), row,
      make("p", { className: "small", textContent: `The network says: ${predictions(image)}.` })));
  }
  if (onPaper !== wanted.join()) return; // another is shown by now
  at("paper").replaceChildren(...articles);
  document.body.dataset.paper = "ready";
}
function printable() {
  return paper().catch(() => { // `draw` has said why
    onPaper = "";
    at("paper").replaceChildren();
  });
}
const prepare = () => (window.requestIdleCallback ?? setTimeout)(printable);

fromAddress();
build();
show();
find();
at("images").scrollTop = buttons()[state.image].offsetTop; // of many, the one that a link is to
listen();
draw().then(prepare);
