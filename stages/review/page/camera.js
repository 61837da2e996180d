// A camera that turns about a point; z is up. Angles in radians, lengths in metres.

const OPENING = 0.9;
const STEEPEST = 1.55;

export class Camera {
  constructor() {
    this.target = [0, 0, 0];
    this.distance = 5;
    this.azimuth = -2.2;
    this.elevation = 0.75;
  }

  // The whole of a scene.
  fit(low, side) {
    this.target = low.map((value, i) => value + side[i] / 2);
    this.distance = (0.55 * Math.hypot(...side)) / Math.tan(OPENING / 2) + 0.2;
    this.elevation = 0.75;
  }

  // One place from in front of its surface, at a distance that leaves its surroundings in sight.
  lookAt(place, normal, radius) {
    this.target = [...place];
    this.distance = Math.max(2.8, 8 * radius);
    if (Math.hypot(normal[0], normal[1]) > 0.3) this.azimuth = Math.atan2(normal[1], normal[0]);
    this.elevation = 0.65;
  }

  turn(dx, dy) {
    this.azimuth -= dx * 0.008;
    this.elevation = Math.min(STEEPEST, Math.max(-STEEPEST, this.elevation + dy * 0.008));
  }

  move(dx, dy, height) {
    const { right, up } = this.axes();
    const metres = (2 * this.distance * Math.tan(OPENING / 2)) / height;
    this.target = this.target.map((value, i) => value + metres * (dy * up[i] - dx * right[i]));
  }

  zoom(factor) {
    this.distance = Math.min(500000, Math.max(0.05, this.distance * factor));
  }

  axes() {
    const [ca, sa, ce, se] = [
      Math.cos(this.azimuth),
      Math.sin(this.azimuth),
      Math.cos(this.elevation),
      Math.sin(this.elevation),
    ];
    return { back: [ce * ca, ce * sa, se], right: [-sa, ca, 0], up: [-se * ca, -se * sa, ce] };
  }

  eye() {
    const { back } = this.axes();
    return this.target.map((value, i) => value + this.distance * back[i]);
  }

  // Pixels that one metre takes at distance 1.
  scale(height) {
    return height / (2 * Math.tan(OPENING / 2));
  }

  // Projection times view, by columns, as WebGL takes it.
  matrix(width, height) {
    const { back, right, up } = this.axes();
    const eye = this.eye();
    const along = (axis) => -(axis[0] * eye[0] + axis[1] * eye[1] + axis[2] * eye[2]);
    const f = 1 / Math.tan(OPENING / 2);
    const [near, far] = [this.distance / 100, this.distance * 100];
    const [a, b] = [(far + near) / (near - far), (2 * far * near) / (near - far)];
    const rows = [
      [...right, along(right)].map((value) => (value * f * height) / width),
      [...up, along(up)].map((value) => value * f),
      [...back, along(back)].map((value, i) => a * value + (i === 3 ? b : 0)),
      [...back, along(back)].map((value) => -value),
    ];
    return new Float32Array([0, 1, 2, 3].flatMap((column) => rows.map((row) => row[column])));
  }
}
