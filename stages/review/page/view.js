// The scene in WebGL 2. Each point knows its region, and the colours of regions lie in a small texture: giving a region
// another colour changes one texel, uploads no point, and draws the points of that region alone. Beside the picture, the
// same pass draws the region of each pixel, so that a click only reads what is there. What is selected is drawn over a
// copy of the picture. A picture that takes long is drawn in parts, over several frames, while the last one stays.

import { Camera } from "./camera.js";
import { Cloud } from "./cloud.js";
import { GROUND, Picture } from "./picture.js";
import { lineProgram, pointProgram } from "./shaders.js";

const PART = { first: 200000, least: 50000, most: 4000000 }; // points of one frame: any beginning is a fair sample
const SLOW_MILLISECONDS = 70;
const FAST_MILLISECONDS = 25;
const REST_MILLISECONDS = 160;
const REACH = 4; // pixels around a click
const ROW = 1024; // regions in a row of the texture

export class View {
  constructor(canvas) {
    this.canvas = canvas;
    this.gl = canvas.getContext("webgl2", { antialias: false, alpha: false });
    if (!this.gl) throw new Error("This browser has no WebGL 2, so there is no view; the queue works without it.");
    this.camera = new Camera();
    this.points = pointProgram(this.gl);
    this.lines = lineProgram(this.gl);
    this.palette = this.gl.createTexture();
    this.lineBuffer = this.gl.createBuffer();
    this.lineCount = 0;
    this.clouds = [];
    this.photo = false;
    this.selection = [];
    this.frames = 0;
    this.part = PART.first;
    this.done = Infinity; // points of the next picture that are drawn
    this.repaint = []; // regions whose colour has changed since the picture was drawn
    new ResizeObserver(() => this.resize()).observe(canvas);
    this.resize();
  }

  // A new scene: all its points, and how many regions there are.
  setScene(points, regions) {
    this.clear();
    this.clouds = [new Cloud(this.gl, points, regions)];
    this.regions = regions;
    this.low = points.low;
    this.side = points.side;
    const [x, y, z] = points.side;
    this.surface = 2 * (x * y + y * z + z * x);
    this.repaint = [];
    this.camera.fit(points.low, points.side);
  }

  // Nothing, until the next scene.
  clear() {
    this.clouds.forEach((cloud) => cloud.free());
    this.clouds = [];
    this.schedule();
  }

  // All points around the selection, where the scene shows a sample only.
  setDetail(points) {
    this.clouds.splice(1).forEach((cloud) => cloud.free());
    if (points) this.clouds.push(new Cloud(this.gl, points, this.regions));
    this.redraw();
  }

  // Colours of all regions: four bytes each; the fourth is 0 for
  // regions that are hidden, SEEN_THROUGH for those that are hidden from behind only.
  setColors(colors) {
    const gl = this.gl;
    const rows = Math.max(1, Math.ceil(this.regions / ROW));
    const padded = new Uint8Array(rows * ROW * 4);
    padded.set(colors);
    gl.bindTexture(gl.TEXTURE_2D, this.palette);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, ROW, rows, 0, gl.RGBA, gl.UNSIGNED_BYTE, padded);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
    this.redraw();
  }

  setColor(region, color) {
    const gl = this.gl;
    gl.bindTexture(gl.TEXTURE_2D, this.palette);
    gl.texSubImage2D(
      gl.TEXTURE_2D,
      0,
      region % ROW,
      Math.floor(region / ROW),
      1,
      1,
      gl.RGBA,
      gl.UNSIGNED_BYTE,
      new Uint8Array(color),
    );
    this.repaint.push(region);
    this.schedule();
  }

  setSelection(regions) {
    this.selection = regions;
    this.schedule();
  }

  // Edges of boxes: [{ corners: [min x, y, z, max x, y, z], color: [r, g, b] }].
  setBoxes(boxes) {
    const gl = this.gl;
    const values = boxes.flatMap((box) =>
      edges(box.corners).flatMap((place) => [...place, ...box.color.map((one) => one / 255)]),
    );
    this.lineCount = values.length / 6;
    gl.bindBuffer(gl.ARRAY_BUFFER, this.lineBuffer);
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array(values), gl.DYNAMIC_DRAW);
    this.schedule();
  }

  // The region at a place of the canvas, in CSS pixels; -1 for none.
  pick(x, y) {
    if (this.clouds.length === 0) return -1;
    const gl = this.gl;
    const ratio = this.canvas.width / this.canvas.clientWidth;
    const [left, low] = [Math.round(x * ratio) - REACH, this.canvas.height - Math.round(y * ratio) - REACH];
    const width = 2 * REACH + 1;
    const found = new Uint32Array(4 * width * width);
    gl.bindFramebuffer(gl.READ_FRAMEBUFFER, this.pictures[0].frame);
    gl.readBuffer(gl.COLOR_ATTACHMENT1);
    gl.readPixels(left, low, width, width, gl.RGBA_INTEGER, gl.UNSIGNED_INT, found);
    let [best, nearest] = [-1, Infinity];
    for (let i = 0; i < width * width; i++) {
      const away = Math.hypot((i % width) - REACH, Math.floor(i / width) - REACH);
      if (found[4 * i] > 0 && away < nearest) [best, nearest] = [found[4 * i] - 1, away];
    }
    return best;
  }

  // After the camera moved: a sample at once, everything when it rests.
  moved() {
    clearTimeout(this.rest);
    this.moving = true;
    this.rest = setTimeout(() => {
      this.moving = false;
      if (this.drawn < this.clouds[0]?.count) this.redraw();
    }, REST_MILLISECONDS);
    this.redraw();
  }

  redraw() {
    this.stale = true;
    this.schedule();
  }

  schedule() {
    this.awaited ??= requestAnimationFrame((now) => {
      this.awaited = null;
      if (this.clouds.length > 0) this.frame(now);
      else this.drawNothing();
    });
  }

  frame(now) {
    const took = now - this.last; // NaN where the frame before had nothing to draw
    if (took > SLOW_MILLISECONDS) this.part = Math.max(PART.least, this.part / 1.5);
    if (took < FAST_MILLISECONDS) this.part = Math.min(PART.most, this.part * 1.5);
    this.last = NaN;
    if (this.stale) this.beginPicture();
    if (this.done < this.goal) {
      this.drawPart();
      this.last = now;
    }
    if (this.done < this.goal) this.schedule();
    else this.paintAgain();
    this.drawOver();
    this.frames += 1;
  }

  drawNothing() {
    this.gl.bindFramebuffer(this.gl.FRAMEBUFFER, null);
    this.gl.clearColor(...GROUND);
    this.gl.clear(this.gl.COLOR_BUFFER_BIT);
  }

  beginPicture() {
    const gl = this.gl;
    this.stale = false;
    this.done = 0;
    this.goal = Math.min(this.clouds[0].count, this.moving ? Math.round(this.part) : Infinity);
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.pictures[1].frame);
    gl.clearBufferfv(gl.COLOR, 0, GROUND);
    gl.clearBufferuiv(gl.COLOR, 1, [0, 0, 0, 0]);
    gl.clearBufferfi(gl.DEPTH_STENCIL, 0, 1, 0);
  }

  drawPart() {
    const gl = this.gl;
    const end = Math.min(this.goal, this.done + Math.round(this.part));
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.pictures[1].frame);
    gl.enable(gl.DEPTH_TEST);
    this.usePoints(0, this.goal);
    this.clouds[0].draw(this.points, this.done, end);
    this.done = end;
    if (end < this.goal) return;
    for (const cloud of this.clouds.slice(1)) cloud.draw(this.points, 0, cloud.count);
    this.pictures.reverse();
    this.drawn = this.goal;
  }

  // The points of regions that have another colour now, at the depth at which they were drawn.
  paintAgain() {
    if (this.repaint.length === 0) return;
    const gl = this.gl;
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.pictures[0].frame);
    gl.enable(gl.DEPTH_TEST);
    gl.depthFunc(gl.LEQUAL);
    this.usePoints(0, this.drawn);
    for (const cloud of this.clouds) cloud.drawRegions(this.points, this.repaint);
    gl.depthFunc(gl.LESS);
    this.repaint = [];
  }

  drawOver() {
    const gl = this.gl;
    const { width, height } = this.canvas;
    this.drawNothing(); // else the browser clears by itself at the first drawing, which is after the copy
    gl.bindFramebuffer(gl.READ_FRAMEBUFFER, this.pictures[0].frame);
    gl.readBuffer(gl.COLOR_ATTACHMENT0);
    gl.blitFramebuffer(0, 0, width, height, 0, 0, width, height, gl.COLOR_BUFFER_BIT, gl.NEAREST);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.disable(gl.DEPTH_TEST); // what is selected shows through what hides it
    if (this.lineCount) {
      gl.useProgram(this.lines.program);
      gl.uniformMatrix4fv(this.lines.camera, false, this.camera.matrix(width, height));
      this.lines.draw(this.lineBuffer, this.lineCount);
    }
    if (this.selection.length === 0) return;
    this.usePoints(1, this.drawn);
    for (const cloud of this.clouds) cloud.drawRegions(this.points, this.selection);
  }

  // `drawn`: of how many points the picture is made; fewer are drawn larger.
  usePoints(selected, drawn) {
    const gl = this.gl;
    const { width, height } = this.canvas;
    const spacing = 0.9 * Math.sqrt(this.surface / Math.max(drawn, 1)) + 0.002;
    gl.useProgram(this.points.program);
    gl.bindTexture(gl.TEXTURE_2D, this.palette);
    gl.uniformMatrix4fv(this.points.camera, false, this.camera.matrix(width, height));
    gl.uniform3fv(this.points.eye, this.camera.eye());
    gl.uniform1f(this.points.size, spacing * this.camera.scale(height));
    gl.uniform1i(this.points.selected, selected);
    gl.uniform1i(this.points.photo, this.photo ? 1 : 0);
  }

  resize() {
    const gl = this.gl;
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    this.canvas.width = Math.max(1, Math.round(this.canvas.clientWidth * ratio));
    this.canvas.height = Math.max(1, Math.round(this.canvas.clientHeight * ratio));
    const { width, height } = this.canvas;
    gl.viewport(0, 0, width, height);
    this.pictures?.forEach((picture) => picture.free());
    this.pictures = [new Picture(gl, width, height), new Picture(gl, width, height)]; // the present and the next one
    this.redraw();
  }
}

function edges([x0, y0, z0, x1, y1, z1]) {
  const corner = (i) => [i & 1 ? x1 : x0, i & 2 ? y1 : y0, i & 4 ? z1 : z0];
  const pairs = [
    [0, 1],
    [2, 3],
    [4, 5],
    [6, 7],
    [0, 2],
    [1, 3],
    [4, 6],
    [5, 7],
    [0, 4],
    [1, 5],
    [2, 6],
    [3, 7],
  ];
  return pairs.flatMap(([a, b]) => [corner(a), corner(b)]);
}
