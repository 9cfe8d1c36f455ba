"use strict";
// A goose walks through a scene; the maps of every place were computed beforehand (make_scenes.py).
{
  const data = JSON.parse(document.getElementById("data").textContent);
  const { size, half, cells, names, rules } = data;
  const other = names[1];
  const byId = (id) => document.getElementById(id);
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const inferno = bytes(data.inferno);
  const cams = Object.fromEntries(Object.entries(data.maps).map(([key, map]) => [key, bytes(map.cam)]));
  const state = { place: Math.floor(data.places.length / 2), asked: names[0], rule: rules[0] };
  const strips = {}; // decoded pictures: the scene's, and of each class and rule

  async function picture(text) {
    const image = new Image();
    image.src = `data:image/jpeg;base64,${text}`;
    await image.decode();
    return image;
  }

  // Values 0 to 1 at the scene's size.
  function saliency(key) {
    const canvas = new OffscreenCanvas(half, half);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(strips[key], 0, half * state.place, half, half, 0, 0, half, half);
    const pixels = context.getImageData(0, 0, half, half).data;
    return (row, column) => pixels[4 * ((row >> 1) * half + (column >> 1))] / 255;
  }

  // Bilinear with aligned corners, as jv.upsample.
  function cam(key) {
    const grid = cams[key].subarray(state.place * cells * cells, (state.place + 1) * cells * cells);
    const scale = (cells - 1) / (size - 1);
    return (row, column) => {
      const y = row * scale, x = column * scale;
      const top = Math.min(cells - 2, Math.floor(y)), left = Math.min(cells - 2, Math.floor(x));
      const down = y - top, right = x - left, at = top * cells + left;
      return ((1 - down) * ((1 - right) * grid[at] + right * grid[at + 1])
        + down * ((1 - right) * grid[at + cells] + right * grid[at + cells + 1])) / 255;
    };
  }

  function scenePixels() {
    const canvas = new OffscreenCanvas(size, size);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(strips.scene, 0, size * state.place, size, size, 0, 0, size, size);
    return context.getImageData(0, 0, size, size);
  }

  function draw(canvas, value, under) {
    const context = canvas.getContext("2d");
    const out = context.createImageData(size, size);
    for (let row = 0, at = 0; row < size; row += 1) {
      for (let column = 0; column < size; column += 1, at += 4) {
        const colour = 3 * Math.max(0, Math.min(255, Math.round(255 * value(row, column))));
        for (let k = 0; k < 3; k += 1) {
          const of = inferno[colour + k];
          out.data[at + k] = under ? (of + under.data[at + k]) / 2 : of;
        }
        out.data[at + 3] = 255;
      }
    }
    context.putImageData(out, 0, 0);
  }

  const percent = (share) => `${Math.round(100 * share)} %`;
  function told(shares) {
    return `goose ${percent(shares[0])}, ${other} ${percent(shares[1])}`;
  }

  const tiles = {};
  for (const method of ["saliency", "cam"]) {
    for (const rule of rules) {
      const button = document.createElement("button");
      button.type = "button";
      button.innerHTML = `<canvas width="${size}" height="${size}"></canvas>`
        + `<span class="name">${method === "cam" ? "Grad-CAM" : "saliency"}, ${rule}</span><span class="on"></span>`;
      button.addEventListener("click", () => { state.rule = rule; update(); });
      byId("maps").append(button);
      tiles[`${method} ${rule}`] = button;
    }
  }

  function choices(id, values, key) {
    for (const value of values) {
      const label = document.createElement("label");
      label.innerHTML = `<input type="radio" name="${id}" value="${value}"><span>${value}</span>`;
      label.firstChild.addEventListener("change", () => { state[key] = value; update(); });
      byId(id).append(label);
    }
  }
  choices("class", names, "asked");
  choices("rule", rules, "rule");
  const place = byId("place");
  place.max = data.places.length - 1;
  place.addEventListener("input", () => { state.place = Number(place.value); update(); });

  function update() {
    const under = scenePixels();
    byId("scene").getContext("2d").putImageData(under, 0, 0);
    const nothing = [];
    for (const rule of rules) {
      const key = `${state.asked} ${rule}`;
      const map = data.maps[key];
      const values = { saliency: saliency(key), cam: cam(key) };
      if (!map.positive[state.place]) nothing.push(rule);
      for (const method of ["saliency", "cam"]) {
        const button = tiles[`${method} ${rule}`];
        const ground = method === "cam" ? under : null;
        draw(button.querySelector("canvas"), values[method], ground);
        const shares = (method === "cam" ? map.camOn : map.saliencyOn)[state.place];
        button.querySelector(".on").textContent = told(shares);
        button.setAttribute("aria-pressed", rule === state.rule);
        if (rule === state.rule) {
          const large = byId(`large-${method}`);
          draw(large, values[method], ground);
          const name = `${method === "cam" ? "Grad-CAM" : "saliency"}, ${rule}, for ${state.asked}`;
          large.setAttribute("aria-label", `${name}: ${told(shares)}`);
          large.nextElementSibling.textContent = name;
        }
      }
    }
    byId("scene").setAttribute("aria-label", `A goose at column ${data.places[state.place]} of ${size}, above a still ${other}`);
    const [goose, second] = data.probabilities[state.place];
    const logits = data.logits[state.place];
    byId("answer").textContent = `The network says goose ${percent(goose)} (logit ${logits[0].toFixed(1)}), `
      + `${other} ${percent(second)} (logit ${logits[1].toFixed(1)}). `
      + `The goose covers ${percent(data.areas[state.place])} of the scene: a map that knew nothing would have that share on it.`;
    byId("notice").textContent = nothing.length
      ? `Nothing positive in Grad-CAM, ${nothing.join(" and ")}: that map is zero everywhere.` : "";
    place.value = state.place;
    place.setAttribute("aria-valuetext", `column ${Math.round(data.places[state.place])} of ${size}`);
    for (const [id, key] of [["class", "asked"], ["rule", "rule"]]) {
      for (const radio of document.querySelectorAll(`#${id} input`)) radio.checked = radio.value === state[key];
    }
  }

  Promise.all([["scene", data.scene], ...Object.entries(data.maps).map(([key, map]) => [key, map.saliency])]
    .map(async ([key, text]) => { strips[key] = await picture(text); }))
    .then(() => { update(); document.body.dataset.ready = "yes"; })
    .catch((error) => { byId("notice").textContent = `The pictures could not be read: ${error}`; });
}
