// Colours of objects, of uncertainty and of label sources: red, green, blue in 0..255.

const BACKGROUND = [128, 132, 140];
export const DECIDED = [60, 200, 110];
export const QUIET = [88, 92, 100];
const SELECTED = [255, 240, 60]; // as in shaders.js
const RAMP = [
  [38, 40, 92],
  [64, 92, 160],
  [38, 148, 140],
  [122, 200, 84],
  [253, 231, 37],
];
const SOURCES = [
  [120, 124, 132],
  [86, 156, 214],
  [76, 114, 200],
  [240, 150, 50],
  [210, 70, 70],
  [170, 110, 220],
  [60, 180, 110],
  [255, 90, 200],
  [70, 70, 70],
];

// Hues a golden section apart, so that neighbours in the list never look alike; lightness changes with every round.
export function objectColor(k) {
  if (k < 0) return BACKGROUND;
  const hue = (k * 0.61803398875) % 1;
  const lightness = [0.58, 0.7, 0.46][k % 3];
  return fromHue(hue, 0.72, lightness);
}

export function uncertaintyColor(value) {
  const place = Math.min(Math.max(value, 0), 1) * (RAMP.length - 1);
  const low = Math.min(Math.floor(place), RAMP.length - 2);
  return RAMP[low].map((one, i) => Math.round(one + (RAMP[low + 1][i] - one) * (place - low)));
}

export function sourceColor(source) {
  return SOURCES[source % SOURCES.length];
}

export function css(color) {
  return `rgb(${color.join(",")})`;
}

// What the colours of a colouring mean: [colour, text] each.
export const legends = {
  object: () => [
    [css(SELECTED), "selected"],
    [css(BACKGROUND), "background"],
  ],
  uncertainty: () => [0, 0.25, 0.5, 0.75, 1].map((value) => [css(uncertaintyColor(value)), String(value)]),
  source: (present, names) =>
    [...new Set(present)].sort().map((one) => [css(sourceColor(one)), names[one].replaceAll("_", " ")]),
  corrected: () => [
    [css(DECIDED), "corrected"],
    [css(uncertaintyColor(1)), "doubtful"],
    [css(QUIET), "determined"],
  ],
};

function fromHue(hue, saturation, lightness) {
  const spread = saturation * Math.min(lightness, 1 - lightness);
  return [0, 8, 4].map((n) => {
    const k = (n + hue * 12) % 12;
    return Math.round(255 * (lightness - spread * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  });
}
