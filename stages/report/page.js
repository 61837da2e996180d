"use strict";
(() => {
  const element = (id) => document.getElementById(id);
  const report = JSON.parse(element("report").textContent);
  // the scene first: it is what one waits for
  setTimeout(draw_charts, report.scenes.length ? 100 : 0);
  if (!report.scenes.length) return;

  const plot = element("plot");
  const controls = { scene: element("scene"), color: element("color"), object: element("object"),
    boxes: element("boxes"), contested: element("contested") };
  const ALL = "all", OWNED = "owned";
  const NO_OWNER = 0;
  // in perspective all of them: plotly finds no point below the pointer in an orthographic projection
  const CAMERAS = {
    corner: { eye: { x: -1.3, y: -1.15, z: 1.25 }, up: { x: 0, y: 0, z: 1 }, center: { x: 0, y: 0, z: -0.1 } },
    top: { eye: { x: 0, y: -0.001, z: 1.9 }, up: { x: 0, y: 1, z: 0 }, center: { x: 0, y: 0, z: 0 } },
    front: { eye: { x: 0, y: -1.9, z: 0.02 }, up: { x: 0, y: 0, z: 1 }, center: { x: 0, y: 0, z: 0 } },
    side: { eye: { x: 1.9, y: 0, z: 0.02 }, up: { x: 0, y: 0, z: 1 }, center: { x: 0, y: 0, z: 0 } },
  };
  const COLORS = [["label", "Label"], ["truth", "Truth"], ["uncertainty", "Uncertainty"], ["source", "Source: who decided"],
    ["superpoint", "Superpoints"], ["rgb", "Scan colours"]];
  let view = null;  // the decoded scene; only one is kept
  let asked = 0;
  let camera = CAMERAS.corner;  // of the button that was pressed last: how another scene begins
  let turned = camera;  // as the scene is turned now

  // ---- data -------------------------------------------------------------------------------------------------------

  async function decoded(index) {
    const scene = JSON.parse(element("scene-" + index).textContent);
    const bytes = Uint8Array.from(atob(scene.data), (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    const content = new Uint8Array(await new Response(stream).arrayBuffer());
    const array = {};
    let at = 0;
    for (const [name, width, length] of scene.arrays) {
      const part = content.subarray(at, at + width * length);
      array[name] = width === 1 ? part : sums(part, width, length);
      at += width * length;
    }
    const xyz = ["x", "y", "z"].map((axis, k) => Float32Array.from(array[axis], (place) => scene.low[k] + place * scene.step[k]));
    const region = new Uint32Array(scene.shown);
    for (let r = 0, i = 0; r < array.here.length; r++) { region.fill(r, i, i + array.here[r]); i += array.here[r]; }
    return { ...scene, data: null, array, xyz, region };
  }

  /** Differences in planes of bytes, low bytes first, back to values. */
  function sums(part, width, length) {
    const values = width === 2 ? new Uint16Array(length) : new Uint32Array(length);
    let last = 0;
    for (let i = 0; i < length; i++) {
      for (let plane = 0, scale = 1; plane < width; plane++, scale *= 256) last += part[plane * length + i] * scale;
      values[i] = last;
      last = values[i];
    }
    return values;
  }

  // ---- colours and words ------------------------------------------------------------------------------------------

  const css = (color) => `rgb(${color[0]},${color[1]},${color[2]})`;
  const palette = report.palette.map(css);
  const background = css(report.background), unboxed = css(report.unboxed);
  const source_colors = report.sources.map((one) => css(one.color));
  const object_color = (index) => palette[index % palette.length];
  const owner_color = (owner) => owner === NO_OWNER ? background : object_color(owner - 1);
  const truth_color = (truth) => truth === 0 ? unboxed : truth === 1 ? background : object_color(truth - 2);
  const plain = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");
  const number = (value, digits) => value === null || value === undefined ? "–" : value.toFixed(digits);
  const count = (value) => value.toLocaleString("en-US");

  function point_colors(kept) {
    const { array, region } = view;
    const colors = new Array(kept.length);
    const of_point = {
      label: (i) => owner_color(array.owner[region[i]]),
      truth: (i) => truth_color(array.truth[i]),
      uncertainty: (i) => array.uncertainty[region[i]] / 255,
      source: (i) => source_colors[array.source[region[i]]],
      superpoint: (i) => palette[(region[i] % palette.length * report.stride) % palette.length],
      rgb: (i) => `rgb(${array.red[i]},${array.green[i]},${array.blue[i]})`,
    }[controls.color.value];
    for (let j = 0; j < kept.length; j++) colors[j] = of_point(kept[j]);
    return colors;
  }

  function point_texts(kept) {
    const { array, region, objects } = view;
    const known = new Map();
    const text = (r, truth) => {
      const owner = array.owner[r];
      const lines = [`region ${r} (${count(array.size[r])} points)`,
        `owner: ${owner === NO_OWNER ? "background" : plain(objects[owner - 1].name)}, probability ${(array.probability[r] / 255).toFixed(2)}`,
        `uncertainty ${(array.uncertainty[r] / 255).toFixed(2)}, ${report.contested[array.contested[r]]}`,
        `decided by: ${report.sources[array.source[r]].name}`];
      if (truth !== null) lines.push(`truth: ${truth === 0 ? "an object without a box" : truth === 1 ? "background" : plain(objects[truth - 2].name)}`);
      return lines.join("<br>");
    };
    return Array.from(kept, (i) => {
      const truth = array.truth ? array.truth[i] : null;
      const key = region[i] * 65536 + (truth === null ? 0 : truth);
      if (!known.has(key)) known.set(key, text(region[i], truth));
      return known.get(key);
    });
  }

  // ---- what is shown ----------------------------------------------------------------------------------------------

  /** The isolated object, null for none. */
  function alone() {
    const value = controls.object.value;
    return value === ALL || value === OWNED ? null : Number(value);
  }

  function kept_points() {
    const { array, region } = view;
    const index = alone(), by_truth = controls.color.value === "truth";
    const owned = controls.object.value === OWNED, contested = controls.contested.checked;
    const kept = [];
    for (let i = 0; i < region.length; i++) {
      const r = region[i];
      if (contested && array.contested[r] === 0) continue;
      const owner = by_truth ? array.truth[i] - 2 : array.owner[r] - 1;
      if (index !== null ? owner !== index : owned && owner < 0) continue;
      kept.push(i);
    }
    return kept;
  }

  function box_lines() {
    const index = alone();
    const x = [], y = [], z = [], color = [], text = [];
    if (controls.boxes.checked) view.boxes.forEach((box, k) => {
      if (index !== null && index !== k) return;
      const path = [[0, 1, 2], [3, 1, 2], [3, 4, 2], [0, 4, 2], [0, 1, 2], [0, 1, 5], [3, 1, 5], [3, 4, 5], [0, 4, 5], [0, 1, 5],
        null, [3, 1, 2], [3, 1, 5], null, [3, 4, 2], [3, 4, 5], null, [0, 4, 2], [0, 4, 5], null];
      for (const corner of path) {
        x.push(corner && box[corner[0]]); y.push(corner && box[corner[1]]); z.push(corner && box[corner[2]]);
        color.push(object_color(k)); text.push("box of " + plain(view.objects[k].name));
      }
    });
    return { type: "scatter3d", mode: "lines", name: "boxes", x, y, z, text, hoverinfo: "text", line: { color, width: 3 } };
  }

  function ranges() {
    const index = alone();
    let low, high;
    if (index === null) {
      low = view.low.slice();
      high = view.low.map((value, k) => value + 65535 * view.step[k]);
    } else {
      low = view.boxes[index].slice(0, 3);
      high = view.boxes[index].slice(3);
    }
    const margin = 0.03 * Math.max(...high.map((value, k) => value - low[k]), 0.1);
    return low.map((value, k) => [value - margin, high[k] + margin]);
  }

  function draw() {
    const kept = kept_points();
    const by_uncertainty = controls.color.value === "uncertainty";
    const pick = (values) => Float32Array.from(kept, (i) => values[i]);
    const size = alone() !== null ? 3.5 : kept.length > 40000 ? 1.5 : kept.length > 15000 ? 2 : 2.5;
    const points = { type: "scatter3d", mode: "markers", name: "points", x: pick(view.xyz[0]), y: pick(view.xyz[1]), z: pick(view.xyz[2]),
      text: point_texts(kept), hoverinfo: "text",
      marker: { size, color: point_colors(kept), line: { width: 0 }, opacity: 1,
        ...(by_uncertainty ? { cmin: 0, cmax: 1, colorscale: report.uncertainty.map(([at, color]) => [at, css(color)]), showscale: true,
          colorbar: { title: { text: "uncertainty" }, thickness: 12, len: 0.6, x: 0.99, xanchor: "right", tickvals: [0, 0.5, 1], ticktext: ["0 sure", "0.5", "1 unsure"] } } : {}) } };
    const axis = (range) => ({ visible: false, range, autorange: false });
    const [x, y, z] = ranges();
    const layout = { margin: { l: 0, r: 0, t: 0, b: 0 }, showlegend: false, hoverlabel: { align: "left", font: { size: 12 } },
      scene: { aspectmode: "data", xaxis: axis(x), yaxis: axis(y), zaxis: axis(z), camera: turned, dragmode: "orbit" } };
    const first = !plot.data;
    Plotly.react(plot, [points, box_lines()], layout, { displaylogo: false, responsive: true, modeBarButtons: [["toImage", "zoom3d", "pan3d", "orbitRotation", "resetCameraDefault3d"]] });
    if (first) plot.on("plotly_relayout", (changed) => { turned = changed["scene.camera"] || turned; });
    legend();
    say(kept.length);
  }

  function say(amount) {
    const index = alone();
    const what = index !== null ? `${view.objects[index].name} alone: ` : controls.object.value === OWNED ? "objects alone: " : "";
    const drawn = amount < view.shown ? `${count(amount)} of the ` : "";
    element("said").textContent = `${what}${drawn}${count(view.shown)} points drawn; the scan has ${count(view.points)} in ${count(view.regions)} regions` +
      (view.shown < view.points ? " (thinned evenly, every region keeps at least one)." : ".") +
      (amount ? "" : " Nothing to show: no region is contested here, or the mask is empty.");
    for (const button of element("objects").querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.value === controls.object.value));
  }

  function legend() {
    const entries = {
      label: [[background, "background"], ["", "each object in the colour of its box"]],
      truth: [[background, "background"], [unboxed, "an object without a box"], ["", "each object in the colour of its box"]],
      source: report.sources.map((one, k) => [source_colors[k], one.name]).filter((_, k) => view.array.source.includes(k)),
      superpoint: [["", `each region in one of ${report.palette.length} colours`]],
    }[controls.color.value] || [];
    element("legend").replaceChildren(...entries.map(([color, words]) => {
      const entry = document.createElement("span");
      if (color) { const swatch = document.createElement("i"); swatch.className = "swatch"; swatch.style.background = color; entry.append(swatch, " "); }
      entry.append(words);
      return entry;
    }));
  }

  // ---- choices ----------------------------------------------------------------------------------------------------

  function options(select, entries) {
    const before = select.value;
    select.replaceChildren(...entries.map(([value, words]) => new Option(words, value)));
    if (entries.some(([value]) => value === before)) select.value = before;
  }

  function list_objects() {
    const names = view.objects.map((one, k) => [String(k), one.name]);
    options(controls.object, [[ALL, "everything"], [OWNED, "objects only"], ...names]);
    const rows = view.objects.map((one, k) => {
      const button = document.createElement("button");
      button.type = "button";
      button.value = String(k);
      button.title = `${one.name}: ${count(one.points)} points`;
      const swatch = document.createElement("i");
      swatch.className = "swatch";
      swatch.style.background = object_color(k);
      const cells = [one.name, number(one.uncertainty, 2), number(one.iou, 2)].map((words, column) => {
        const cell = document.createElement("span");
        cell.textContent = words;
        if (!column) cell.className = "name";
        return cell;
      });
      button.append(swatch, ...cells);
      button.addEventListener("click", () => choose({ object: controls.object.value === button.value ? ALL : button.value }));
      const item = document.createElement("li");
      item.append(button);
      return item;
    });
    element("objects").replaceChildren(element("objects").firstElementChild, ...rows);
  }

  async function choose({ scene, object, color, boxes, contested }) {
    const turn = ++asked;
    if (color !== undefined && [...controls.color.options].some((one) => one.value === color)) controls.color.value = color;
    if (boxes !== undefined) controls.boxes.checked = boxes;
    if (contested !== undefined) controls.contested.checked = contested;
    if (scene !== undefined) controls.scene.value = String(scene);
    if (view === null || String(view.position) !== controls.scene.value) {
      const position = Number(controls.scene.value);
      element("said").textContent = "Unpacking the scene ...";
      const next = await decoded(position);
      if (turn !== asked) return;  // another choice was made meanwhile
      view = { ...next, position };
      turned = camera;
      options(controls.color, COLORS.filter(([name]) => name === "truth" ? view.array.truth : name === "rgb" ? view.array.red : true));
      controls.object.replaceChildren();
      list_objects();
    }
    if (object !== undefined) controls.object.value = [...controls.object.options].some((one) => one.value === object) ? object : ALL;
    draw();
  }

  function follow_link() {
    const [kind, name, object] = decodeURIComponent(location.hash.slice(1)).split("/");
    const scene = report.scenes.indexOf(name);
    if (kind !== "view" || scene < 0) return false;
    choose({ scene, object: object === undefined ? ALL : object });
    element("scenes").scrollIntoView();
    return true;
  }

  function press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || ["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName)) return;
    const key = event.key.toLowerCase();
    const move = (step) => (Number(controls.scene.value) + step + report.scenes.length) % report.scenes.length;
    if (key === "n") choose({ scene: move(1), object: ALL });
    else if (key === "p") choose({ scene: move(-1), object: ALL });
    else if (key === "b") choose({ boxes: !controls.boxes.checked });
    else if (key === "c") choose({ contested: !controls.contested.checked });
    else if (key === "escape") choose({ object: ALL });
    else if (key >= "1" && key <= "9" && Number(key) <= controls.color.options.length) choose({ color: controls.color.options[Number(key) - 1].value });
    else return;
    event.preventDefault();
  }

  function draw_charts() {
    for (const { id, data, layout } of report.charts) {
      Plotly.newPlot(element(id), data, layout, { displayModeBar: false, responsive: true });
    }
  }

  options(controls.scene, report.scenes.map((name, k) => [String(k), name]));
  controls.scene.addEventListener("change", () => choose({ object: ALL }));
  for (const name of ["color", "object", "boxes", "contested"]) controls[name].addEventListener("change", () => choose({}));
  for (const button of document.querySelectorAll("button[data-view]")) {
    button.addEventListener("click", () => {
      camera = CAMERAS[button.dataset.view];
      Plotly.relayout(plot, { "scene.camera": camera });
    });
  }
  for (const button of document.querySelectorAll("button[data-step]")) {
    button.addEventListener("click", () => press({ key: button.dataset.step, target: button, preventDefault() {} }));
  }
  window.addEventListener("hashchange", follow_link);
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#view/"]');
    if (link && link.getAttribute("href") === location.hash) follow_link();  // the same link again changes no hash
  });
  document.addEventListener("keydown", press);
  if (!follow_link()) choose({ scene: 0 });
})();
