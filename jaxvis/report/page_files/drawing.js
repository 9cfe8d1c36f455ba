// Maps as colours, what lies under and over them, and what they show in words.

function coloursOf(index) {
  return lookups[state.colour || data.maps[index].colours];
}

// The ends of a map's colours. A few pixels of a saliency map are far above the rest, and scaled by
// them it is all but black; one scale for all images is told by their lowest and highest values.
function limits(index, map) {
  let { low, high } = state.scale === "all" ? data.maps[index] : map;
  if (state.scale === "own" && state.percentile < 100) {
    const end = map.sorted[Math.ceil((state.percentile / 100) * PIXELS) - 1];
    if (low >= 0 ? end > low : end > 0) [low, high] = [Math.max(low, -end), Math.min(high, end)];
  }
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

// Say why an image cannot be shown, and show no other in its place.
function nothing(error, turn) {
  at("trouble").textContent = error.message;
  at("trouble").hidden = false;
  at("caption").textContent = "";
  at("readings").replaceChildren();
  for (const canvas of document.querySelectorAll("main canvas")) {
    canvas.width = WIDTH; // which clears it
    canvas.setAttribute("aria-label", "nothing to show");
  }
  for (const element of document.querySelectorAll(".cross, #handle, #what-if, #microscope, #class-label"))
    element.hidden = true;
  for (const value of document.querySelectorAll("#maps .value")) value.textContent = "";
  document.body.dataset.drawn = turn;
}

let drawing = 0;
async function draw() {
  const turn = ++drawing;
  let found;
  try {
    found = await lookedAt(state.image);
  } catch (error) {
    if (turn === drawing) nothing(error, turn);
    return;
  }
  if (turn !== drawing) return; // something else is asked for by now
  const { image, explained, photo, maps } = found;
  at("trouble").hidden = true;
  at("truth-label").hidden = !image.truth;
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
  at("caption").textContent = captionOf(image, explained, chosen, other);
  chooseClasses(image);
  read(maps);
  await drawWhatIf(image, explained, maps, chosen);
  drawMicroscope(explained, chosen);
  if (turn !== drawing) return;
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
  return image.top.map((one) => `${one.name} ${percent(one.share)}`).join(", ");
}

function captionOf(image, explained, chosen, other) {
  const compared = other < 0 ? "" : ` On the right of the line: ${data.maps[other].title}.`;
  return `${data.maps[chosen].title} for ${explained.class}, on ${image.file}.${compared} ` +
    `The network says: ${predictions(image)}. ${data.maps[chosen].about}`;
}
