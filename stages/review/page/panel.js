// What stands around the view: facts, owners, the queue, corrections, messages.

import { css, legends, objectColor } from "./colors.js";
import { byId, made, percent, regionCount, swatch, whole } from "./dom.js";
import { MODES } from "./paint.js";

const LISTED = 60; // of the queue, before and after the present place
const KEYS = 9;

export class Panel {
  constructor(review) {
    this.review = review;
    byId("scenes").addEventListener("change", (event) => review.openScene(event.target.value));
    byId("next").addEventListener("click", () => review.step(1));
    byId("previous").addEventListener("click", () => review.step(-1));
    byId("undo").addEventListener("click", () => review.undo());
    byId("help").addEventListener("click", () => byId("keys").showModal());
    byId("dismiss").addEventListener("click", () => this.quiet());
    byId("doubtful").addEventListener("change", (event) => review.painter.showOnlyDoubtful(event.target.checked));
    byId("boxes").addEventListener("change", (event) => review.painter.showAllBoxes(event.target.checked));
    byId("copy").addEventListener("click", () => navigator.clipboard.writeText(review.run.command));
  }

  // A message until it is closed or something succeeds. `fading`: it goes when the server answers again.
  say(text, remedy, note = false, fading = false) {
    const button = byId("remedy");
    byId("message").textContent = text[0].toUpperCase() + text.slice(1);
    byId("banner").hidden = false;
    byId("banner").classList.toggle("note", note);
    byId("dismiss").hidden = false;
    button.hidden = remedy === undefined;
    button.textContent = remedy?.text ?? "";
    button.onclick = remedy?.do ?? null;
    this.fading = fading;
  }

  quiet() {
    byId("banner").hidden = true;
  }

  answered() {
    if (this.fading) this.quiet();
    this.fading = false;
  }

  wait(text) {
    byId("waiting").textContent = text;
  }

  showRun() {
    const { run } = this.review;
    byId("run").textContent = run.round > 0 ? `${run.run}, round ${run.round}` : run.run;
    byId("command").textContent = run.command;
    document.title = `${run.run} - boxgp review`;
    this.showScenes();
  }

  showScenes() {
    const { run, name } = this.review;
    const options = run.scenes.map((one) => {
      const note = one.problem
        ? "locked"
        : one.corrected
          ? `${whole(one.corrected)} of ${whole(one.contested)} corrected`
          : `${whole(one.contested)} contested`;
      const option = made("option", "", `${one.scene} (${note})`);
      option.value = one.scene;
      option.selected = one.scene === name;
      return option;
    });
    byId("scenes").replaceChildren(...options);
  }

  showAll() {
    this.showModes();
    this.showProgress();
    this.showRegion();
    this.showQueue();
    this.showHistory();
  }

  showProgress() {
    const { regions, corrected, facts } = this.review;
    const queue = [...(regions?.queue ?? [])];
    const total = queue.reduce((sum, region) => sum + this.review.gainOf(region), 0);
    const decided = queue.filter((region) => corrected.has(region));
    const share = total > 0 ? decided.reduce((sum, region) => sum + this.review.gainOf(region), 0) / total : 0;
    byId("meter").style.width = `${100 * share}%`;
    const text =
      queue.length > 0
        ? `${whole(decided.length)} of ${whole(queue.length)} doubtful regions decided: ${percent(share)} of the expected gain`
        : "no doubtful region in this scene";
    byId("progress").textContent = regions ? text : "";
    const all = facts?.thinned
      ? `${whole(facts.shown)} of ${whole(facts.points)} points are shown; all of them around the selection`
      : `all ${whole(facts?.shown ?? 0)} points`;
    byId("shown").textContent = facts ? all : "";
  }

  showModes() {
    const { painter, regions, run } = this.review;
    const present = painter.mode;
    const labels = {
      object: "object",
      photo: this.review.facts?.has_colors ? "photo" : "shape",
      uncertainty: "uncertainty",
      source: "source",
      corrected: "progress",
    };
    const buttons = MODES.map((mode) => {
      const button = made("button", "", labels[mode]);
      button.setAttribute("aria-pressed", String(mode === present));
      button.addEventListener("click", () => this.review.painter.paintBy(mode));
      return button;
    });
    byId("modes").replaceChildren(...buttons);
    const legend = legends[present]?.(regions?.source, run.sources) ?? [];
    byId("legend").replaceChildren(...legend.map(([color, text]) => made("span", "", swatch(color), ` ${text}`)));
  }

  showRegion() {
    const { review } = this;
    const [region] = review.selection ?? [];
    const chosen = region !== undefined && review.regions;
    byId("actions").hidden = !chosen;
    byId("hint").hidden = Boolean(chosen);
    byId("title").textContent = !chosen
      ? "No region selected"
      : review.selection.length > 1
        ? `${whole(review.selection.length)} regions`
        : `Region ${region}`;
    byId("facts").replaceChildren(...(chosen ? this.facts(region) : []));
    if (chosen) this.showOwners(region);
  }

  facts(region) {
    const { review } = this;
    const { uncertainty, points, source, owner } = review.regions;
    const total = review.selection.reduce((sum, one) => sum + points[one], 0);
    const rows = [
      [
        "now",
        made("span", "", swatch(css(objectColor(review.ownerOf(region)))), ` ${review.nameOf(review.ownerOf(region))}`),
      ],
      ["uncertainty", uncertainty[region].toFixed(2)],
      ["points", whole(total)],
      ["decided by", review.run.sources[source[region]].replaceAll("_", " ")],
    ];
    if (review.corrected.has(region)) rows.push(["corrected", `yes; the labels had ${review.nameOf(owner[region])}`]);
    return rows.flatMap(([name, value]) => [made("dt", "", name), made("dd", "", value)]);
  }

  showOwners(region) {
    const { review } = this;
    byId("question").textContent =
      review.selection.length > 1 ? `They belong to (shares: those of region ${region})` : "It belongs to";
    if (!review.owners) {
      for (const id of ["owners", "others"]) byId(id).replaceChildren();
      return;
    }
    const candidates = review.owners;
    const listed = new Map(candidates);
    if (!listed.has(review.ownerOf(region))) listed.set(review.ownerOf(region), 0);
    const others = this.nearest(region).filter((owner) => !listed.has(owner));
    this.choices = [...listed.keys()].filter((owner) => owner >= 0).concat(others);
    const first = [...listed]
      .filter(([owner]) => owner >= 0)
      .map(([owner, share]) => this.ownerButton(owner, share, region));
    byId("owners").replaceChildren(...first, this.ownerButton(-1, listed.get(-1) ?? 0, region));
    byId("others").replaceChildren(...others.map((owner) => this.ownerButton(owner, null, region)));
    byId("more").hidden = others.length === 0;
  }

  ownerButton(owner, share, region) {
    const { review } = this;
    const place = this.choices.indexOf(owner);
    const key = owner < 0 ? "0" : place < KEYS ? String(place + 1) : "";
    const present = owner === review.ownerOf(region);
    const button = made(
      "button",
      present ? "owner present" : "owner",
      key ? made("kbd", "", key) : "",
      swatch(css(objectColor(owner))),
    );
    button.append(
      made("span", "name", review.nameOf(owner)),
      made("span", "share", share === null ? "" : percent(share)),
    );
    if (present) button.append(made("kbd", "", "Enter"));
    button.dataset.owner = String(owner);
    button.addEventListener("click", () => review.assign(owner));
    return button;
  }

  // All boxes, those nearest to a region first.
  nearest(region) {
    const { boxes } = this.review.facts;
    const place = this.review.regions.centre.subarray(3 * region, 3 * region + 3);
    const away = (box) => Math.hypot(...[0, 1, 2].map((i) => Math.max(box[i] - place[i], 0, place[i] - box[i + 3])));
    const distances = boxes.map(away);
    return [...boxes.keys()].sort((a, b) => distances[a] - distances[b]);
  }

  // The object of a number key; undefined where there is none.
  choice(number) {
    return number === 0 ? -1 : this.choices?.[number - 1];
  }

  showQueue() {
    const { review } = this;
    const queue = review.regions?.queue ?? [];
    const start = Math.max(0, review.place - LISTED / 4);
    const rows = [];
    for (let place = start; place < Math.min(queue.length, start + LISTED); place++)
      rows.push(this.queueRow(place, queue[place]));
    byId("queue").replaceChildren(...rows);
    byId("queue").querySelector(".now")?.scrollIntoView({ block: "nearest" });
    const here =
      review.place >= 0 && review.selection[0] === queue[review.place] ? `${whole(review.place + 1)} of ` : "";
    byId("place").textContent =
      queue.length > 0
        ? `${here}${whole(queue.length)}, greatest expected gain first`
        : review.regions
          ? "empty: no region is in doubt. Click any that is wrong."
          : "";
    byId("next").disabled = byId("previous").disabled = queue.length === 0;
    byId("undo").disabled = !review.state?.steps.length;
  }

  queueRow(place, region) {
    const { review } = this;
    const row = made(
      "li",
      review.selection[0] === region ? "now" : "",
      made("span", "rank", whole(place + 1)),
      swatch(css(objectColor(review.ownerOf(region)))),
    );
    row.append(made("span", "name", review.nameOf(review.ownerOf(region))));
    row.append(
      made(
        "span",
        "size",
        `${whole(review.regions.points[region])} pts, ${review.regions.uncertainty[region].toFixed(2)}`,
      ),
    );
    row.classList.toggle("done", review.corrected.has(region));
    row.addEventListener("click", () => {
      review.fromQueue = true;
      review.select([region], true);
    });
    return row;
  }

  showHistory() {
    const { review } = this;
    const steps = [...(review.state?.steps ?? [])].reverse();
    byId("count").textContent = steps.length > 0 ? regionCount(review.corrected.size) : "none yet";
    byId("history").replaceChildren(...steps.slice(0, 200).map((step) => this.historyRow(step)));
    const { pending } = review.state ?? { pending: 0 };
    byId("pending").hidden = pending === 0;
    byId("heed").textContent =
      `${whole(pending)} ${pending === 1 ? "region is" : "regions are"} not yet in the labels as told here. This command makes the labels heed it:`;
  }

  historyRow(step) {
    const { review } = this;
    const text = step.regions.length > 1 ? `${whole(step.regions.length)} regions` : `region ${step.regions[0]}`;
    const name = made("span", "name", `${text} → ${review.nameOf(step.owner)}`);
    name.addEventListener("click", () => {
      review.fromQueue = false;
      review.select(step.regions, true);
    });
    const back = made("button", "", "Undo");
    back.addEventListener("click", () => review.undo(step.first));
    const row = made(
      "li",
      "",
      swatch(css(objectColor(step.owner))),
      name,
      made("small", "", step.reviewer ?? ""),
      back,
    );
    row.title = new Date(step.when).toLocaleString();
    return row;
  }
}
