// The review page: what is shown, what is selected, and what the person does about it.

import { Painter } from "./paint.js";
import { byId } from "./dom.js";
import { listen } from "./hands.js";
import { readArrays, readJson, send, sendForArrays } from "./net.js";
import { Panel } from "./panel.js";
import { View } from "./view.js";

const POLL_MILLISECONDS = 3000;

class Review {
  async start() {
    this.painter = new Painter(this);
    this.panel = new Panel(this);
    try {
      this.view = new View(byId("view"));
    } catch (error) {
      this.blind = error.message;
    }
    byId("view").addEventListener("webglcontextlost", () =>
      this.panel.say("The browser lost the view; all corrections are saved.", {
        text: "Load the page again",
        do: () => location.reload(),
      }),
    );
    listen(this);
    await this.guarded(async () => {
      this.run = await readJson("/api/run");
      this.panel.showRun();
      const wanted = decodeURIComponent(location.hash.slice(1));
      const names = this.run.scenes.map((one) => one.scene);
      if (names.length > 0) await this.openScene(names.includes(wanted) ? wanted : names[0]);
    });
    setInterval(() => document.hidden || this.poll(), POLL_MILLISECONDS);
    document.addEventListener("visibilitychange", () => document.hidden || this.poll());
  }

  // Does something with the server; what it refuses is shown, and what the page knows is brought up to date.
  async guarded(work) {
    try {
      return await work();
    } catch (error) {
      this.panel.say(error.message);
      if (error.kind === "conflict") await this.refresh();
      if (error.kind === "replaced") await this.openScene(this.name, error.message);
      if (error.kind === undefined) throw error;
      return undefined;
    }
  }

  path(rest = "") {
    return `/api/scenes/${encodeURIComponent(this.name)}${rest}`;
  }

  async openScene(name, message) {
    const turn = (this.turn = (this.turn ?? 0) + 1); // a later choice wins over one that is still loading
    Object.assign(this, {
      name,
      facts: null,
      regions: null,
      state: null,
      selection: [],
      owners: null,
      place: -1,
      corrected: new Map(),
      detail: 0,
    });
    history.replaceState(null, "", `#${encodeURIComponent(name)}`);
    this.panel.wait("Loading ...");
    this.view?.clear();
    const begin = performance.now();
    try {
      const facts = await readJson(this.path());
      const superpoints = facts.state.fingerprints.superpoints;
      const [points, regions] = await Promise.all([
        readArrays(this.path("/points"), superpoints),
        readArrays(this.path("/regions"), superpoints),
      ]);
      if (turn !== this.turn) return;
      Object.assign(this, {
        facts,
        regions,
        loaded: facts.state.fingerprints,
        corrected: new Map(facts.state.corrected),
      });
      this.count = regions.owner.length;
      this.inQueue = new Set(regions.queue);
      this.panel.quiet();
      if (message) this.panel.say(message);
      if (this.view && points.region.length > 0) this.view.setScene(points, this.count);
      this.take(facts.state);
      this.panel.wait(this.blind ?? (points.region.length > 0 ? "" : "This scene has no points to show."));
      this.painter.paint();
      this.selectNothing();
      this.readySeconds = (performance.now() - begin) / 1000;
    } catch (error) {
      if (turn !== this.turn) return;
      this.panel.wait("This scene cannot be reviewed now.");
      this.listed().problem = error.message;
      this.panel.say(
        error.message,
        error.kind === undefined ? undefined : { text: "Try again", do: () => this.openScene(name) },
      );
      this.panel.showScenes();
      this.panel.showAll();
      if (error.kind === undefined) throw error;
    }
  }

  // A state of the server: the corrections that stand.
  take(state) {
    const before = this.corrected;
    this.state = state;
    this.corrected = new Map(state.corrected);
    Object.assign(this.listed(), { corrected: this.corrected.size, problem: null });
    const changed = [...new Set([...before.keys(), ...this.corrected.keys()])].filter(
      (r) => before.get(r) !== this.corrected.get(r),
    );
    for (const region of changed) this.view?.setColor(region, this.painter.colorOf(region));
    this.panel.showScenes();
    this.panel.showAll();
    return changed;
  }

  listed() {
    return this.run.scenes.find((one) => one.scene === this.name);
  }

  async refresh() {
    this.take(await readJson(this.path("/state")));
  }

  async poll() {
    if (!this.state || this.busy) return;
    const { name, changes } = this;
    try {
      const state = await readJson(this.path("/state"));
      if (name !== this.name || this.busy || changes !== this.changes || !this.state) return; // older than what is shown
      this.panel.answered();
      if (state.fingerprints.superpoints !== this.loaded.superpoints) {
        await this.openScene(
          name,
          "The regions of this scene were computed anew, so it was loaded again. Corrections of the old regions no longer fit.",
        );
      } else if (state.fingerprints.labels !== this.loaded.labels) {
        this.panel.say(
          "The labels of this scene were made anew.",
          { text: "Show them", do: () => this.openScene(name) },
          true,
        );
        if (state.seen !== this.state.seen) this.take(state);
      } else if (state.seen !== this.state.seen) {
        this.take(state);
        this.panel.say("Another tab or person corrected this scene; their corrections are shown.", undefined, true);
      }
    } catch (error) {
      if (name === this.name) this.panel.say(error.message, undefined, false, true);
    }
  }

  ownerOf(region) {
    return this.corrected.has(region) ? this.corrected.get(region) : this.regions.owner[region];
  }

  gainOf(region) {
    return this.regions.gain[region];
  }

  nameOf(owner) {
    if (owner < 0) return "background";
    const name = this.facts.classes[this.facts.box_class[owner]] ?? "object";
    return `${name} · ${owner}`;
  }

  selectNothing() {
    this.owners = null;
    this.selection = [];
    this.view?.setSelection([]);
    this.view?.setDetail(null);
    this.painter.drawBoxes();
    this.panel.showAll();
  }

  // Selects regions; the first one is what the facts and owners are of. `look`: turn the camera there.
  async select(regions, look = false) {
    if (regions.length === 0 || !this.regions) return;
    const fresh = this.selection[0] !== regions[0];
    this.selection = [...regions];
    if (fresh) this.owners = null;
    if (this.inQueue.has(regions[0])) this.place = this.regions.queue.indexOf(regions[0]);
    if (look) this.look(regions[0]);
    this.view?.setSelection(this.selection);
    this.panel.showAll();
    if (fresh) this.asked = this.guarded(() => this.askOwners(regions[0], this.turn));
    await this.asked;
    if (this.facts?.thinned && this.view) await this.guarded(() => this.addDetail(this.turn));
  }

  async askOwners(region, turn) {
    const { owners } = await readJson(this.path(`/regions/${region}`), this.loaded.superpoints);
    if (turn !== this.turn || this.selection[0] !== region) return;
    this.owners = owners;
    this.painter.drawBoxes();
    this.panel.showRegion();
  }

  async addDetail(turn) {
    const asked = (this.detail += 1);
    const points = await sendForArrays(this.path("/around"), { regions: this.selection });
    if (turn !== this.turn || asked !== this.detail || this.selection.length === 0) return;
    this.view.setDetail(points);
    this.view.setSelection(this.selection);
  }

  look(region) {
    if (!this.view) return;
    const { centre, normal, points } = this.regions;
    const place = centre.subarray(3 * region, 3 * region + 3);
    this.view.camera.lookAt(place, normal.subarray(3 * region, 3 * region + 3), Math.sqrt(points[region]) * 0.01);
    this.view.moved();
  }

  lookAtAll() {
    if (!this.view || this.view.clouds.length === 0) return;
    this.view.camera.fit(this.view.low, this.view.side);
    this.view.moved();
  }

  // The next region of the queue that nobody has decided, or the one before.
  step(direction) {
    if (!this.regions || this.regions.queue.length === 0) return;
    const { queue } = this.regions;
    for (let place = this.place + direction; place >= 0 && place < queue.length; place += direction) {
      if (this.corrected.has(queue[place]) && direction > 0) continue;
      this.fromQueue = true;
      this.select([queue[place]], true);
      return;
    }
    if (direction > 0) this.panel.say("This is the end of the queue.", undefined, true);
  }

  async grow() {
    if (this.selection.length === 0) return;
    const { regions } = (await this.guarded(() => send(this.path("/grow"), { regions: this.selection }))) ?? {
      regions: [],
    };
    if (regions.length > 0) await this.select([...this.selection, ...regions]);
  }

  add(region) {
    if (this.selection.includes(region)) return;
    this.select([...this.selection, region]);
  }

  async assign(owner) {
    if (this.selection.length === 0 || this.busy) return;
    const regions = this.selection;
    const state = await this.change("/assign", { regions, owner });
    if (!state) return; // the selection stays: nothing is lost, the person may try again
    if (this.fromQueue && this.selection === regions) this.step(1);
  }

  // Number keys mean what the list of owners shows, so they wait for it.
  async assignNumbered(number) {
    const { selection } = this;
    await this.asked;
    const owner = this.panel.choice(number);
    if (selection === this.selection && this.owners && owner !== undefined) await this.assign(owner);
  }

  async undo(first) {
    const last = this.state?.steps.at(-1);
    if (this.busy || (first === undefined && !last)) return;
    const step = this.state.steps.find((one) => one.first === (first ?? last.first));
    const state = await this.change("/undo", { first: step.first });
    if (!state) return;
    this.fromQueue = true;
    if (state.decided_later > 0)
      this.panel.say(
        `${state.decided_later} of its regions were decided anew later and stay as they are.`,
        undefined,
        true,
      );
    await this.select(step.regions, true);
  }

  async change(rest, values) {
    this.busy = true;
    this.changes = (this.changes ?? 0) + 1;
    const name = this.name;
    const began = performance.now();
    try {
      return await this.guarded(async () => {
        const state = await send(this.path(rest), {
          ...values,
          seen: this.state.seen,
          superpoints: this.loaded.superpoints,
        });
        if (name !== this.name) return undefined;
        this.panel.quiet();
        this.take(state);
        this.changeMilliseconds = performance.now() - began;
        return state;
      });
    } finally {
      this.busy = false;
    }
  }
}

const review = new Review();
window.review = review; // for the browser's console, and for tests
review.start();
