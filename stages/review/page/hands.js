// Mouse and keyboard.

import { byId } from "./dom.js";

const CLICK_PIXELS = 4;

export function listen(review) {
  const canvas = byId("view");
  let grip = null;

  const place = (event) => {
    const frame = canvas.getBoundingClientRect();
    return [event.clientX - frame.left, event.clientY - frame.top];
  };
  const under = (event) => (review.regions && review.view ? review.view.pick(...place(event)) : -1);

  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    canvas.focus();
    grip = {
      x: event.clientX,
      y: event.clientY,
      way: 0,
      brush: event.shiftKey,
      shift: event.button !== 0 || event.ctrlKey,
    };
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!grip || !review.view) return;
    const [dx, dy] = [event.clientX - grip.x, event.clientY - grip.y];
    grip.way += Math.hypot(dx, dy);
    [grip.x, grip.y] = [event.clientX, event.clientY];
    if (grip.way < CLICK_PIXELS) return;
    if (grip.brush) {
      const region = under(event);
      if (region >= 0) review.add(region);
      return;
    }
    if (grip.shift) review.view.camera.move(dx, dy, canvas.clientHeight);
    else review.view.camera.turn(dx, dy);
    review.view.moved();
  });
  canvas.addEventListener("pointerup", (event) => {
    const click = grip && grip.way < CLICK_PIXELS && event.button === 0;
    grip = null;
    if (click) clicked(review, under(event), event);
  });
  canvas.addEventListener("dblclick", (event) => {
    const region = under(event);
    if (region < 0) return;
    review.view.camera.target = [...review.regions.centre.subarray(3 * region, 3 * region + 3)];
    review.view.moved();
  });
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      review.view?.camera.zoom(Math.exp(Math.sign(event.deltaY) * 0.12));
      review.view?.moved();
    },
    { passive: false },
  );
  document.addEventListener("keydown", (event) => pressed(review, event));
}

function clicked(review, region, event) {
  if (region < 0) {
    if (!event.shiftKey && !event.altKey) review.selectNothing();
  } else if (event.altKey) {
    review.assign(review.ownerOf(region));
  } else if (event.shiftKey && review.selection.length > 0) {
    review.add(region);
  } else {
    review.fromQueue = false;
    review.select([region]);
  }
}

function pressed(review, event) {
  if (byId("keys").open || event.target.closest("select, input, summary")) return;
  if (event.ctrlKey || event.metaKey || event.altKey) {
    if (event.key === "z" && !event.altKey) act(event, () => review.undo());
    return;
  }
  if (event.target.closest("button") && (event.key === "Enter" || event.key === " ")) return; // the button's own
  const next = () => review.step(1);
  const previous = () => review.step(-1);
  const keys = {
    n: next,
    ArrowRight: next,
    " ": next,
    p: previous,
    ArrowLeft: previous,
    u: () => review.undo(),
    g: () => review.grow(),
    c: () => review.painter.nextMode(),
    d: () => byId("doubtful").click(),
    x: () => byId("boxes").click(),
    f: () => review.selection.length > 0 && review.look(review.selection[0]),
    h: () => review.lookAtAll(),
    Escape: () => review.selectNothing(),
    Enter: () => review.selection.length > 0 && review.assign(review.ownerOf(review.selection[0])),
    "?": () => byId("keys").showModal(),
  };
  if (/^[0-9]$/.test(event.key) && review.selection.length > 0) {
    act(event, () => review.assignNumbered(Number(event.key)));
  } else if (keys[event.key]) {
    act(event, keys[event.key]);
  }
}

function act(event, work) {
  event.preventDefault();
  work();
}
