// Elements of the page, and numbers as text.

export function byId(id) {
  return document.getElementById(id);
}

export function made(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

export function swatch(color) {
  const node = made("span", "swatch");
  node.style.background = color;
  return node;
}

export const whole = (number) => number.toLocaleString("en");
export const regionCount = (number) => (number === 1 ? "1 region" : `${whole(number)} regions`);
export const percent = (share) => (share >= 0.995 && share < 1 ? "> 99 %" : `${Math.round(100 * share)} %`);
