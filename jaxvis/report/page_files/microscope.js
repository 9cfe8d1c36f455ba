// The gradient microscope: what arrives at every ReLU on the way back from the logit, what the two
// switches of the rule stop, and the strongest channels (jaxvis/report/relus.py).

const FATES = [
  ["passes", "passes"], ["unit-off", "stopped: unit off"],
  ["negative", "stopped: negative"], ["both", "stopped: both"],
];

// A channel as it arrives, or as it is passed on: from -limit to limit in the colours of signed maps.
function paintChannel(canvas, one) {
  const table = lookups[data.diverging];
  const values = new Int8Array(bytes(one.values).buffer);
  const image = new ImageData(one.width, one.height);
  values.forEach((value, i) => {
    const shade = Math.round(127.5 + value);
    image.data.set([...table.subarray(3 * shade, 3 * shade + 3), 255], 4 * i);
  });
  canvas.width = one.width;
  canvas.height = one.height;
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function channelFigure(row, channel) {
  const pictures = ["arrives", "passed"].map((what) => {
    const canvas = make("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${row.name}, channel ${channel.number}, ${what === "passed" ? "passed on" : what}`);
    paintChannel(canvas, channel[what]);
    return canvas;
  });
  return make("figure", {}, ...pictures, make("figcaption", { textContent: `channel ${channel.number}` }));
}

function reluRow(row) {
  const shares = row[state.measure];
  const said = FATES.map(([, words], i) => `${words} ${percent(shares[i])}`).join(", ");
  const bar = make("span", { className: "bar", title: said });
  FATES.forEach(([kind], i) => {
    const part = make("span", { className: kind });
    part.style.width = `${100 * shares[i]}%`;
    bar.append(part);
  });
  return make("tr", {},
    make("th", { scope: "row" }, row.name, make("span", { className: "small", textContent: ` ${row.shape.join(" × ")}` })),
    make("td", {}, bar, make("span", { className: "small", textContent: said })),
    make("td", { className: "channels" }, ...row.channels.map((one) => channelFigure(row, one))));
}

function drawMicroscope(explained, chosen) {
  const found = explained.microscope;
  at("microscope").hidden = !found;
  if (!found) return;
  const rule = data.maps[chosen].rule in found ? data.maps[chosen].rule : Object.keys(found)[0];
  at("microscope-says").textContent = `The gradient of ${explained.class}'s logit under the ${rule} rule, from the logit ` +
    "down to the picture: what arrives at each ReLU, and what becomes of it.";
  at("relus").replaceChildren(...found[rule].map(reluRow));
}
