// What if the strongest pixels were not there? The picture without them, and the probability of the
// class as they go, which was computed beforehand (jaxvis/report/what_if.py).

const CURVE = { width: 340, height: 190, left: 42, right: 18, top: 10, bottom: 34 };
const CONTROL_DASHES = ["2 3", "7 4", "9 3 2 3"];

const svg = (tag, attributes, ...children) => {
  const element = document.createElementNS(at("curves").namespaceURI, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
};

const acrossCurve = (share) => CURVE.left + share * (CURVE.width - CURVE.left - CURVE.right);
const downCurve = (p) => CURVE.top + (1 - p) * (CURVE.height - CURVE.top - CURVE.bottom);

// Between the points that were computed, as the line between them is drawn.
function onCurve(curve, share) {
  const shares = data.what_if.shares;
  let i = shares.findIndex((one) => one >= share - 1e-9);
  if (i <= 0) return curve[0];
  const part = (share - shares[i - 1]) / (shares[i] - shares[i - 1]);
  return curve[i - 1] + part * (curve[i] - curve[i - 1]);
}

// The picture without the pixels of the largest values; equal ones go in reading order.
async function removedPicture(canvas, map, source, share) {
  const photo = await picture(source);
  canvas.width = WIDTH;
  canvas.height = HEIGHT;
  const context = canvas.getContext("2d");
  context.drawImage(photo, 0, 0);
  const count = Math.round(share * PIXELS);
  if (count === 0) return;
  const order = Uint32Array.from({ length: PIXELS }, (_, i) => i);
  order.sort((a, b) => map.values[b] - map.values[a] || a - b);
  const image = context.getImageData(0, 0, WIDTH, HEIGHT);
  const [red, green, blue] = data.what_if.colour;
  for (let i = 0; i < count; i++) image.data.set([red, green, blue, 255], 4 * order[i]);
  context.putImageData(image, 0, 0);
}

function drawCurves(lines, share) {
  const shares = data.what_if.shares;
  const chart = at("curves");
  const parts = [];
  for (const p of [0, 0.5, 1]) {
    parts.push(svg("line", { class: "grid", x1: CURVE.left, x2: CURVE.width - CURVE.right, y1: downCurve(p), y2: downCurve(p) }));
    parts.push(svg("text", { x: CURVE.left - 6, y: downCurve(p) + 4, "text-anchor": "end" }, `${100 * p} %`));
  }
  for (const part of [0, 0.25, 0.5, 0.75, 1])
    parts.push(svg("text", { x: acrossCurve(part), y: CURVE.height - CURVE.bottom + 15, "text-anchor": "middle" }, `${100 * part}`));
  parts.push(svg("text", { x: acrossCurve(0.5), y: CURVE.height - 4, "text-anchor": "middle" }, "removed, % of the pixels"));
  for (const line of lines) {
    const points = line.curve.map((p, i) => `${acrossCurve(shares[i]).toFixed(1)},${downCurve(p).toFixed(1)}`).join(" ");
    parts.push(svg("polyline", { class: line.kind, points, "stroke-dasharray": line.dash ?? "none" }, svg("title", {}, line.name)));
  }
  parts.push(svg("line", { class: "now", x1: acrossCurve(share), x2: acrossCurve(share), y1: CURVE.top, y2: CURVE.height - CURVE.bottom }));
  chart.replaceChildren(...parts);
}

async function drawWhatIf(image, explained, maps, chosen) {
  const found = explained.what_if;
  at("what-if").hidden = !found;
  if (!found) return;
  const share = state.removed / 100;
  at("removed-says").textContent = `${state.removed} %`;
  const controls = Object.entries(found.controls).map(([name, curve], i) =>
    ({ name, curve, kind: "control", dash: CONTROL_DASHES[i % CONTROL_DASHES.length] }));
  const own = { name: data.maps[chosen].title, curve: found.maps[chosen], kind: "own" };
  drawCurves([...controls, own], share);
  const said = (line) => `${line.name} ${percent(onCurve(line.curve, share))}`;
  const sentence = `With the strongest ${state.removed} % of the pixels gone, ${explained.class} has a probability of ` +
    `${percent(onCurve(own.curve, share))} (${percent(own.curve[0])} before). If the pixels go by another order: ` +
    `${controls.map(said).join(", ")}.`;
  at("what-if-says").textContent = sentence;
  at("curves").setAttribute("aria-label", `Probability of ${explained.class} as pixels are removed. ${sentence}`);
  at("curve-key").replaceChildren(...[own, ...controls].map((line) => make("li", {},
    svg("svg", { class: "curve-sample", width: 34, height: 10, "aria-hidden": "true" },
      svg("line", { class: line.kind, x1: 1, x2: 33, y1: 5, y2: 5, "stroke-dasharray": line.dash ?? "none" })),
    ` ${line.name}`)));
  const canvas = at("without");
  await removedPicture(canvas, maps[chosen], image.picture, share);
  canvas.setAttribute("aria-label", `${image.file} without the strongest ${state.removed} % of the pixels of ${own.name}`);
}
