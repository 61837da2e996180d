// Which colour each region has, and which boxes are drawn.

import { DECIDED, objectColor, QUIET, sourceColor, uncertaintyColor } from "./colors.js";

export const MODES = ["object", "photo", "uncertainty", "source", "corrected"];
const SEEN_THROUGH = 128; // walls and ceilings: from outside one looks through them into the room

export class Painter {
  constructor(review) {
    this.review = review;
    this.mode = MODES[0];
  }

  colorOf(region) {
    const { review } = this;
    const { uncertainty, source, contested } = review.regions;
    const hidden =
      this.onlyDoubtful && contested[region] === 0 && uncertainty[region] === 0 && !review.corrected.has(region);
    const color = {
      object: () => objectColor(review.ownerOf(region)),
      photo: () => objectColor(review.ownerOf(region)),
      uncertainty: () => uncertaintyColor(review.corrected.has(region) ? 0 : uncertainty[region]),
      source: () => sourceColor(review.corrected.has(region) ? review.run.sources.indexOf("human") : source[region]),
      corrected: () =>
        review.corrected.has(region)
          ? DECIDED
          : review.inQueue.has(region)
            ? uncertaintyColor(uncertainty[region])
            : QUIET,
    }[this.mode]();
    return [...color, hidden ? 0 : review.ownerOf(region) < 0 ? SEEN_THROUGH : 255];
  }

  // All regions anew: another colouring, another scene.
  paint() {
    const { review } = this;
    if (!review.regions) return;
    const colors = new Uint8Array(4 * review.count);
    for (let region = 0; region < review.count; region++) colors.set(this.colorOf(region), 4 * region);
    if (review.view) {
      review.view.photo = this.mode === "photo";
      if (review.view.clouds.length > 0) review.view.setColors(colors);
    }
    review.panel.showModes();
    this.drawBoxes();
  }

  paintBy(mode) {
    this.mode = mode;
    this.paint();
  }

  nextMode() {
    this.paintBy(MODES[(MODES.indexOf(this.mode) + 1) % MODES.length]);
  }

  showOnlyDoubtful(only) {
    this.onlyDoubtful = only;
    this.paint();
  }

  showAllBoxes(all) {
    this.allBoxes = all;
    this.drawBoxes();
  }

  drawBoxes() {
    const { review } = this;
    if (!review.facts || !review.view) return;
    const wanted = this.allBoxes
      ? review.facts.boxes.keys()
      : (review.owners?.map(([owner]) => owner).filter((owner) => owner >= 0) ?? []);
    review.view.setBoxes([...wanted].map((k) => ({ corners: review.facts.boxes[k], color: objectColor(k) })));
  }
}
