"use strict";
// Three units with a ReLU: numbers forward, gradients back. x and W come in tenths and are whole
// numbers, so that a sum that should be 0 is 0: floats would leave 5e-17, and the gate open.
{
  const RULES = {
    vanilla: [true, false], rectified: [false, true], guided: [true, true], neither: [false, false],
  };
  const START = { x: [10, 20], W: [[10, -10, 20], [10, 10, -20]], rule: "vanilla" };
  const V = [2, -3, 4];
  const LAST = 6; // steps

  function compute({ x, W, gateInput, gateGradient }) {
    const z100 = V.map((_, j) => x[0] * W[0][j] + x[1] * W[1][j]);
    const a100 = z100.map((z) => Math.max(z, 0));
    const s100 = a100.reduce((sum, a, j) => sum + a * V[j], 0);
    const arrives = [...V]; // ds/da: the output is a . v
    const leaves = arrives.map((g, j) =>
      (gateInput && !(z100[j] > 0)) || (gateGradient && !(g > 0)) ? 0 : g);
    const back10 = W.map((row) => row.map((w, j) => w * leaves[j]));
    const gradient10 = back10.map((row) => row.reduce((sum, value) => sum + value, 0));
    return {
      z: z100.map((z) => z / 100), a: a100.map((a) => a / 100), s: s100 / 100, arrives, leaves,
      back: back10.map((row) => row.map((value) => value / 10)),
      gradient: gradient10.map((value) => value / 10),
    };
  }

  const state = { x: [], W: [], gateInput: true, gateGradient: false, step: LAST };
  const byId = (id) => document.getElementById(id);
  const shown = (value, digits = 2) => (Math.abs(value) < 1e-9 ? 0 : value).toFixed(digits).replace("-", "−");
  const sign = (value) => (value > 0 ? "plus" : value < 0 ? "minus" : "zero");

  // ---- the diagram, made once; update() only fills in

  const svg = byId("diagram");
  const INPUTS = [{ x: 42, y: 130 }, { x: 42, y: 312 }];
  const UNITS = [{ x: 236, y: 66 }, { x: 236, y: 212 }, { x: 236, y: 358 }];
  const OUT = { x: 438, y: 212 };
  const HALF = 68; // of a unit's width

  function element(name, attributes, parent = svg) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    parent.append(made);
    return made;
  }
  const text = (x, y, kind = "", content = "") => {
    const made = element("text", { x, y, class: kind });
    made.textContent = content;
    return made;
  };

  const parts = { forward: [], weight: [], toInput: [[], []], toUnit: [], units: [], inputs: [] };
  INPUTS.forEach((from, i) => UNITS.forEach((to) => {
    element("path", { class: "forward", d: `M${from.x + 30} ${from.y - 5} L${to.x - HALF} ${to.y - 5}` });
    parts.toInput[i].push(element("path", { d: `M${to.x - HALF} ${to.y + 6} L${from.x + 30} ${from.y + 6}` }));
  }));
  UNITS.forEach((from) => {
    element("path", { class: "forward", d: `M${from.x + HALF} ${from.y - 5} L${OUT.x - 32} ${OUT.y - 5}` });
    parts.toUnit.push(element("path", { d: `M${OUT.x - 32} ${OUT.y + 6} L${from.x + HALF} ${from.y + 6}` }));
  });
  INPUTS.forEach((from, i) => UNITS.forEach((to, j) => {
    const along = 0.78; // in the middle they would meet
    const x = from.x + 30 + (to.x - HALF - from.x - 30) * along;
    const y = from.y + (to.y - from.y) * along;
    parts.weight.push({ i, j, label: text(x, y - 6, "weight") });
  }));
  UNITS.forEach((from, j) => {
    text((from.x + HALF + OUT.x - 32) / 2, (from.y + OUT.y) / 2 - 13, "weight", `v${"₁₂₃"[j]} ${shown(V[j], 0)}`);
  });
  INPUTS.forEach((at, i) => {
    element("rect", { class: "node", x: at.x - 30, y: at.y - 18, width: 60, height: 36, rx: 8 });
    text(at.x, at.y - 25, "label", `x${"₁₂"[i]}`);
    parts.inputs.push({ value: text(at.x, at.y + 5), gradient: text(at.x + 2, at.y + 38) });
  });
  UNITS.forEach((at, j) => {
    const box = element("rect", { class: "node", x: at.x - HALF, y: at.y - 18, width: 2 * HALF, height: 36, rx: 8 });
    element("path", { class: "forward", d: `M${at.x} ${at.y - 18} V${at.y + 18}` });
    text(at.x - 34, at.y - 25, "label", `z${"₁₂₃"[j]}`);
    text(at.x + 34, at.y - 25, "label", `a${"₁₂₃"[j]}`);
    parts.units.push({
      box, z: text(at.x - 34, at.y + 5), a: text(at.x + 34, at.y + 5),
      leaves: text(at.x - 40, at.y + 38), arrives: text(at.x + 42, at.y + 38),
      gate: element("path", { class: "gate", d: `M${at.x - 5} ${at.y + 28} l10 10 m0 -10 l-10 10` }),
    });
  });
  element("rect", { class: "node", x: OUT.x - 32, y: OUT.y - 18, width: 64, height: 36, rx: 8 });
  text(OUT.x, OUT.y - 25, "label", "s");
  parts.out = text(OUT.x, OUT.y + 5);
  parts.one = text(OUT.x, OUT.y + 38);

  function line(path, value, visible) {
    path.setAttribute("class", `backward ${sign(value)}${visible && value !== 0 ? "" : " hidden"}`);
    path.setAttribute("stroke-width", Math.min(9, 1 + Math.abs(value) * 0.8).toFixed(2));
  }
  function number(node, value, visible, before = "") {
    node.textContent = visible ? before + shown(value) : "";
    node.setAttribute("class", before === "" ? "" : sign(value));
  }

  // ---- what the steps say

  function sentence(step, found) {
    const open = found.leaves.filter((g) => g !== 0).length;
    return [
      "The two inputs.",
      "Forward: each unit adds up what it is given, z = xW.",
      "The ReLU keeps what is positive: a = max(z, 0).",
      "The output: s = a · v.",
      `The way back begins: ds/ds = 1, so at a₁, a₂, a₃ arrives v = (${V.map((v) => shown(v, 0)).join(", ")}).`,
      `Through the ReLUs, by the rule: ${open} of 3 let their gradient pass, a cross marks the others.`,
      `Back at the inputs: W times what left the ReLUs, (${found.gradient.map((g) => shown(g)).join(", ")}).`,
    ][step];
  }

  function named() {
    for (const [name, [first, second]] of Object.entries(RULES)) {
      if (first === state.gateInput && second === state.gateGradient) return name;
    }
    return "";
  }

  function update() {
    const found = compute(state);
    const { step } = state;
    INPUTS.forEach((_, i) => {
      number(parts.inputs[i].value, state.x[i] / 10, true);
      number(parts.inputs[i].gradient, found.gradient[i], step >= 6, "∂ ");
      UNITS.forEach((_, j) => line(parts.toInput[i][j], found.back[i][j], step >= 6));
    });
    for (const { i, j, label } of parts.weight) label.textContent = shown(state.W[i][j] / 10, 1);
    UNITS.forEach((_, j) => {
      const unit = parts.units[j];
      unit.box.classList.toggle("off", step >= 2 && found.a[j] === 0);
      number(unit.z, found.z[j], step >= 1);
      number(unit.a, found.a[j], step >= 2);
      number(unit.arrives, found.arrives[j], step >= 4, "∂ ");
      number(unit.leaves, found.leaves[j], step >= 5, "∂ ");
      unit.gate.classList.toggle("hidden", step < 5 || found.leaves[j] !== 0);
      line(parts.toUnit[j], found.arrives[j], step >= 4);
    });
    number(parts.out, found.s, step >= 3);
    number(parts.one, 1, step >= 4, "∂ ");
    byId("step").textContent = sentence(step, found);
    byId("back").disabled = step === 0;
    byId("next").disabled = step === LAST;

    const rows = V.map((v, j) => {
      const row = document.createElement("tr");
      const cells = [`${j + 1}`, shown(found.z[j]), shown(found.a[j]), shown(v, 0), shown(found.arrives[j]),
        found.z[j] > 0 ? "yes" : "no", found.arrives[j] > 0 ? "yes" : "no", shown(found.leaves[j])];
      row.append(...cells.map((content) => {
        const cell = document.createElement("td");
        cell.textContent = content;
        return cell;
      }));
      return row;
    });
    document.querySelector("#table tbody").replaceChildren(...rows);
    byId("gradient").textContent = `(${found.gradient.map((g) => shown(g)).join(", ")})`;
    byId("s").textContent = shown(found.s);
    byId("promise").textContent = promise(found);

    byId("gate-input").checked = state.gateInput;
    byId("gate-gradient").checked = state.gateGradient;
    const rule = named();
    for (const radio of document.querySelectorAll("#named input")) radio.checked = radio.value === rule;
    for (const slider of document.querySelectorAll("#units .slider input")) {
      const { i, j } = slider.dataset;
      const tenths = j === undefined ? state.x[i] : state.W[i][j];
      slider.value = tenths;
      slider.setAttribute("aria-valuetext", shown(tenths / 10, 1));
      slider.nextElementSibling.textContent = shown(tenths / 10, 1);
    }
  }

  // Does what came back do what a gradient promises? Each input in turn moves by one thousandth.
  function promise(found) {
    const step = 0.01; // in tenths
    const happened = [0, 1].map((i) => {
      const x = state.x.map((value, k) => (k === i ? value + step : value));
      return (compute({ ...state, x }).s - found.s) / (step / 10);
    });
    const kept = happened.every((change, i) => Math.abs(change - found.gradient[i]) < 1e-6);
    const parts = happened.map((change, i) =>
      `x${"₁₂"[i]}: promised ${shown(found.gradient[i])}, happened ${shown(change)}`);
    return "A gradient makes a promise: move an input by 0.001, and s changes by that many thousandths. "
      + `${parts.join("; ")}. ${kept ? "Kept, here." : "Not kept: this is not the gradient."}`;
  }

  // ---- controls

  function slider(parent, label, data, limit) {
    const made = document.createElement("label");
    made.className = "slider";
    made.innerHTML = `<span>${label}</span><input type="range" min="${-limit}" max="${limit}" step="1"><output></output>`;
    const input = made.querySelector("input");
    Object.assign(input.dataset, data);
    input.addEventListener("input", () => {
      const { i, j } = input.dataset;
      if (j === undefined) state.x[i] = Number(input.value);
      else state.W[i][j] = Number(input.value);
      update();
    });
    byId(parent).append(made);
  }
  for (const i of [0, 1]) slider("x-sliders", `x<sub>${i + 1}</sub>`, { i }, 40);
  for (const j of [0, 1, 2]) {
    for (const i of [0, 1]) slider("w-sliders", `x<sub>${i + 1}</sub> → z<sub>${j + 1}</sub>`, { i, j }, 30);
  }
  for (const name of Object.keys(RULES)) {
    const label = document.createElement("label");
    label.innerHTML = `<input type="radio" name="named" value="${name}"><span>${name}</span>`;
    label.firstChild.addEventListener("change", () => {
      [state.gateInput, state.gateGradient] = RULES[name];
      update();
    });
    byId("named").append(label);
  }
  byId("gate-input").addEventListener("change", (event) => { state.gateInput = event.target.checked; update(); });
  byId("gate-gradient").addEventListener("change", (event) => { state.gateGradient = event.target.checked; update(); });

  let timer;
  function go(step) {
    clearInterval(timer);
    state.step = Math.max(0, Math.min(LAST, step));
    update();
  }
  byId("first").addEventListener("click", () => go(3));
  byId("back").addEventListener("click", () => go(state.step - 1));
  byId("next").addEventListener("click", () => go(state.step + 1));
  byId("play").addEventListener("click", () => {
    go(3);
    timer = setInterval(() => {
      state.step += 1;
      update();
      if (state.step >= LAST) clearInterval(timer);
    }, 1400);
  });
  function reset() {
    clearInterval(timer);
    Object.assign(state, { x: [...START.x], W: START.W.map((row) => [...row]), step: LAST });
    [state.gateInput, state.gateGradient] = RULES[START.rule];
    update();
  }
  byId("reset").addEventListener("click", reset);
  reset();
}
