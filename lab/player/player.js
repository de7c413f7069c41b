// Clips side by side, locked to each other by the times of their frames, with their measures below.
//
// One ES module without a build step: JupyterLab loads it through anywidget, the report carries it
// inline. What it reads is plain JSON, the session that lab/player/session.py describes. An address
// in it is one of three: "files/..." is a file that Jupyter serves, "#id" is an element of this page
// that shows a picture or holds a film in base64, anything else stands for itself.

const SPEEDS = [["¼", 0.25], ["½", 0.5], ["1", 1]];
const CHIPS = 8;
const SPIKE_PX = 8; // how far beside a spike a click still means it
const LOST_S = 0.2; // a film further off than this is set right by a jump, otherwise by its speed
const TINY_S = 1e-4;

function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  dress(made, attributes);
  made.append(...children);
  return made;
}

function draw(tag, attributes = {}) {
  return dress(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes);
}

function dress(made, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  return made;
}

/** Where a film or picture can be loaded from; blobs collects what must be given back later. */
function located(address, blobs) {
  if (address.startsWith("files/")) {
    const config = document.getElementById("jupyter-config-data");
    const base = config ? JSON.parse(config.textContent).baseUrl : "/";
    return (base ?? "/") + address.split("/").map(encodeURIComponent).join("/");
  }
  if (address.startsWith("#")) {
    const carrier = document.getElementById(address.slice(1));
    if (carrier.src) return carrier.src;
    const code = atob(carrier.textContent.trim());
    const bytes = Uint8Array.from(code, (letter) => letter.charCodeAt(0));
    blobs.push(URL.createObjectURL(new Blob([bytes], { type: "video/mp4" })));
    return blobs.at(-1);
  }
  return address;
}

function seconds(time) {
  return `${time.toFixed(2)} s`;
}

function number(value) {
  if (value == null) return "–";
  return Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

/** When each frame of a clip begins, and when the last one ends, in seconds. */
class Frames {
  constructor(clip) {
    this.step = 1 / clip.fps;
    this.starts = clip.times_s ?? Array.from({ length: clip.frames }, (_, index) => index / clip.fps);
    this.end = this.starts.at(-1) + this.step;
  }

  at(time) {
    let [low, high] = [0, this.starts.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.starts[middle] <= time + TINY_S) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  middle(index) {
    return (this.starts[index] + (this.starts[index + 1] ?? this.end)) / 2;
  }
}

/** One video element that is kept at a moment. */
class Track {
  constructor(clip, address, frames, blobs, broken) {
    this.frames = frames;
    this.video = make("video", { playsinline: true, preload: "auto", "aria-hidden": "true", tabindex: -1 });
    this.video.muted = true;
    this.usable = new Promise((ready) => {
      this.video.addEventListener("loadeddata", () => ready(true), { once: true });
      this.video.addEventListener("error", () => { broken(); ready(false); }, { once: true });
    });
    this.video.src = located(address, blobs);
    this.at = null;
    this.settling = null;
  }

  /** Show the frame of a moment; resolves when it is there. Later calls overtake earlier ones. */
  show(time) {
    this.wanted = this.frames.middle(this.frames.at(time));
    this.settling ??= this.settle().finally(() => { this.settling = null; });
    return this.settling;
  }

  async settle() {
    if (!(await this.usable)) return;
    while (this.at !== this.wanted) {
      const target = this.wanted;
      const arrived = new Promise((done) => {
        for (const end of ["seeked", "error"]) this.video.addEventListener(end, done, { once: true });
      });
      this.video.currentTime = target;
      await arrived;
      this.at = target;
    }
  }

  async start(rate) {
    if (!(await this.usable)) return;
    this.at = null;
    this.video.playbackRate = rate;
    await this.video.play().catch((error) => {
      if (error.name !== "AbortError") throw error; // somebody pressed pause meanwhile
    });
  }

  /** Keep a playing film beside the leading one. */
  follow(time, rate) {
    if (time >= this.frames.end - this.frames.step / 2) {
      if (!this.video.paused) {
        this.video.pause();
        this.show(this.frames.end);
      }
      return;
    }
    const ahead = this.video.currentTime - time;
    if (Math.abs(ahead) > LOST_S) this.video.currentTime = time;
    const calm = Math.abs(ahead) < this.frames.step / 4;
    this.video.playbackRate = calm ? rate : rate * Math.min(1.25, Math.max(0.75, 1 - 3 * ahead));
  }
}

class Player {
  constructor(model, el) {
    this.model = model;
    this.root = make("div", {
      class: "i2v-player",
      role: "group",
      "aria-label": "Clip player. Space plays, arrow keys step one frame, Home and End jump.",
      tabindex: 0,
      "data-jp-suppress-context-menu": "true",
      // Or JupyterLab takes the keys for its cells: it looks at the element in focus first.
      onfocusin: ({ target }) => { target.dataset.lmSuppressShortcuts = "true"; },
      onkeydown: (event) => this.key(event),
    });
    el.append(this.root);
    this.settings = { loop: false, rate: 1, mode: "side", show: "" };
    this.time = model.get("time_s") ?? 0;
    this.blobs = [];
    this.build();
    this.listeners = [
      ["change:session", () => this.build()],
      ["change:time_s", () => { if (Math.abs(model.get("time_s") - this.time) > TINY_S) this.go(model.get("time_s")); }],
    ];
    for (const [name, heard] of this.listeners) model.on(name, heard);
  }

  close() {
    this.playing = false;
    for (const [name, heard] of this.listeners) this.model.off?.(name, heard);
    this.empty();
  }

  empty() {
    for (const track of this.tracks ?? []) {
      track.video.pause();
      track.video.removeAttribute("src");
      track.video.load();
    }
    this.blobs.splice(0).forEach((address) => URL.revokeObjectURL(address));
    this.root.replaceChildren();
  }

  build() {
    this.playing = false;
    this.empty();
    this.session = this.model.get("session") ?? { clips: [], metrics: [] };
    const { clips } = this.session;
    // Other clips begin where Python says, whether it told the moment before them or after.
    const ids = JSON.stringify(clips.map(({ id }) => id));
    if (ids !== this.ids) this.time = this.model.get("time_s") ?? 0;
    this.ids = ids;
    this.tracks = [];
    this.heats = [];
    this.heatMetric = "";
    this.timelines = [];
    const { lines } = this.session;
    this.films = clips.map((clip, place) => {
      const [colour, dash] = lines[place % lines.length];
      return { clip: { ...clip, colour, dash }, frames: new Frames(clip) };
    });
    if (!clips.length) {
      this.root.append(make("p", { class: "quiet" }, this.session.said || "Choose takes to play them here."));
      return;
    }
    // The finest of the longest clips leads: its frames are what a step steps over.
    this.end = Math.max(...this.films.map(({ frames }) => frames.end));
    const finest = this.films.reduce((one, other) => (other.frames.step < one.frames.step ? other : one));
    const playable = this.films.filter(({ clip }) => clip.video);
    this.leader = playable.reduce((one, other) => (one && one.frames.end >= other.frames.end ? one : other), null) ?? this.films[0];
    this.grid = finest.frames.end >= this.end - finest.frames.step ? finest.frames : this.leader.frames;
    this.time = Math.min(Math.max(this.time, 0), this.end);
    if (clips.length !== 2) this.settings.mode = "side";
    this.root.append(
      ...(this.session.said ? [make("p", { class: "said" }, this.session.said)] : []),
      this.buildStage(),
      this.buildControls(),
      this.buildScrub(),
      ...this.buildMoments(),
      ...this.session.metrics.map((metric) => this.buildTimeline(metric)),
    );
    this.apply();
    this.go(this.time);
  }

  buildStage() {
    this.stage = make("div", { class: "stage", onpointermove: (event) => this.drag(event) });
    const stills = new Map(this.films.filter(({ clip }) => clip.still).map(({ clip }) => [clip.still, clip.still_name]));
    for (const [address, name] of stills) {
      this.stage.append(make("figure", { class: "still" },
        make("div", { class: "frame" }, make("img", { src: located(address, this.blobs), alt: `The still: ${name}` })),
        make("figcaption", {}, `still: ${name}`)));
    }
    this.films.forEach((film, place) => {
      const { clip } = film;
      film.where = make("div", { class: "where", hidden: true });
      film.frame = make("div", { class: "frame" });
      if (clip.video) {
        const broken = () => film.frame.append(make("div", { class: "broken" }, "This film cannot be played here."));
        film.track = new Track(clip, clip.video, film.frames, this.blobs, broken);
        if (clip.poster) film.track.video.poster = located(clip.poster, this.blobs);
        this.tracks.push(film.track);
        film.frame.append(film.track.video);
      } else {
        const picture = clip.poster || clip.still;
        if (picture) film.frame.append(make("img", { src: located(picture, this.blobs), alt: clip.poster ? "First frame" : "The still" }));
        film.frame.append(make("div", { class: "broken" }, clip.missing || "Only the first frame is in this file."));
      }
      film.frame.append(film.where);
      this.stage.append(make("figure", { class: place === 1 ? "clip second" : "clip", "data-take": clip.id },
        film.frame, make("figcaption", {}, this.swatch(clip), make("bdi", {}, clip.title),
          clip.remark ? make("span", { class: "remark" }, ` (${clip.remark})`) : "")));
    });
    this.pair = make("p", { class: "quiet" });
    return make("div", {}, this.stage, this.pair);
  }

  swatch(clip) {
    const key = draw("svg", { class: "key", viewBox: "0 0 22 6", "aria-hidden": "true" });
    key.append(draw("line", { x1: 0, y1: 3, x2: 22, y2: 3, stroke: clip.colour, "stroke-width": 3, "stroke-dasharray": clip.dash }));
    return key;
  }

  buildControls() {
    const button = (label, title, act, more = {}) =>
      make("button", { type: "button", title, "aria-label": title, onclick: act, ...more }, label);
    const choice = (label, pairs, chosen, act) => {
      const select = make("select", { "aria-label": label, onchange: () => act(select.value) });
      for (const [value, text] of pairs) select.append(make("option", { value }, text));
      select.value = chosen;
      return select;
    };
    this.playButton = button("▶ play", "Play (space)", () => this.toggle(), { class: "play", "aria-label": null });
    this.loopButton = button("loop", "Begin again at the end (l)", () => this.set("loop", !this.settings.loop));
    const row = make("div", { class: "controls" },
      make("span", {},
        button("|◀", "To the first frame (Home)", () => this.go(0)),
        button("◀", "One frame back (left arrow)", () => this.step(-1)),
        this.playButton,
        button("▶|", "One frame on (right arrow)", () => this.step(1)),
        this.loopButton),
      make("span", {}, "speed ", choice("Speed", SPEEDS.map(([text, rate]) => [rate, `${text}×`]), this.settings.rate,
        (value) => this.set("rate", Number(value)))));
    if (this.films.length === 2) {
      this.wipe = make("input", { type: "range", min: 0, max: 100, value: 50, "aria-label": "Where the wipe stands", oninput: () => this.apply() });
      this.gain = make("input", { type: "range", min: 1, max: 16, value: 4, "aria-label": "How much differences are enlarged", oninput: () => this.apply() });
      const modes = [["side", "side by side"], ["wipe", "wipe"], ["difference", "difference"]];
      row.append(make("span", {}, "view ", choice("View", modes, this.settings.mode, (value) => this.set("mode", value)), this.wipe, this.gain));
    }
    const shown = this.showable();
    if (shown.length) {
      this.heat = make("input", { type: "range", min: 0, max: 100, value: 85, "aria-label": "How opaque the heatmap is", oninput: () => this.apply() });
      row.append(make("span", {}, "mark ", choice("What is marked on the clips", [["", "nothing"], ...shown], this.settings.show, (value) => this.set("show", value)), this.heat));
    }
    return row;
  }

  /** What can be laid over the clips: boxes that were kept, heatmaps that were filmed or can be. */
  showable() {
    const pairs = [];
    for (const { name } of this.session.metrics) {
      if (this.films.some(({ clip }) => clip.boxes?.[name])) pairs.push([`box:${name}`, `where ${name} is worst`]);
    }
    for (const { name } of this.session.metrics) {
      const filmed = this.films.every(({ clip }) => clip.heat?.[name]);
      if (filmed) pairs.push([`heat:${name}`, `heatmap of ${name}`]);
      else if (this.session.can_film) pairs.push([`film:${name}`, `heatmap of ${name} (measures again)`]);
    }
    return pairs;
  }

  buildScrub() {
    this.scrub = make("input", { type: "range", min: 0, max: this.end, step: "any", "aria-label": "Time in the clips", class: "scrub-time",
      oninput: () => this.go(Number(this.scrub.value)) });
    this.clock = make("span", { class: "clock" });
    return make("div", { class: "scrub" }, this.scrub, this.clock);
  }

  buildMoments() {
    const all = this.films.flatMap(({ clip }) => clip.worst.map((worst) => ({ ...worst, clip })));
    all.sort((one, other) => other.weight - one.weight);
    if (!all.length) return [];
    const chips = all.slice(0, CHIPS).map((worst) =>
      make("button", { type: "button", title: `${worst.clip.title}: ${worst.said}`, onclick: () => this.visit(worst) },
        this.swatch(worst.clip), `${worst.metric} ${number(worst.value)} at ${seconds(worst.time_s)}`));
    return [make("div", { class: "moments", role: "group", "aria-label": "Worst moments" }, make("span", { class: "quiet" }, "worst moments"), ...chips)];
  }

  /** Go to a moment and mark where in the picture it is. */
  visit(worst) {
    if (worst.clip.boxes?.[worst.metric] && this.settings.show !== `heat:${worst.metric}`) this.set("show", `box:${worst.metric}`);
    this.go(worst.time_s);
  }

  buildTimeline(metric) {
    const lines = this.films.map(({ clip }) => ({ clip, points: (clip.series[metric.name] ?? []).filter(([, value]) => value != null) }));
    const values = lines.flatMap(({ points }) => points.map(([, value]) => value));
    const top = Math.max(...values, metric.unnoticed ?? 0, 1e-9) * 1.05;
    const low = Math.min(0, ...values);
    const x = (time) => (time / this.end) * 1000;
    const y = (value) => 100 - ((value - low) / (top - low)) * 100;
    let peak = null;
    for (const { clip, points } of lines) for (const [time, value] of points) if (!peak || value > peak.value) peak = { clip, time, value };
    const said = peak
      ? `${metric.name} in ${metric.unit} over the time of the clips; highest ${number(peak.value)} at ${seconds(peak.time)} in ${peak.clip.title}`
      : `${metric.name}: no values over time`;
    const svg = draw("svg", { viewBox: "0 0 1000 100", preserveAspectRatio: "none", role: "img", "aria-label": said });
    if (metric.unnoticed != null && peak) svg.append(draw("line", { class: "unnoticed", x1: 0, x2: 1000, y1: y(metric.unnoticed), y2: y(metric.unnoticed) }));
    for (const { clip, points } of lines) {
      const path = points.map(([time, value]) => `${x(time).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
      svg.append(draw("polyline", { points: path, stroke: clip.colour, "stroke-dasharray": clip.dash, "data-take": clip.id }));
    }
    const now = make("div", { class: "now" });
    const readings = make("span", { class: "values" });
    const plot = make("div", { class: "plot", title: `${metric.says}. Click a spike to go there.`, "data-metric": metric.name,
      onclick: (event) => {
        const box = plot.getBoundingClientRect();
        const pointed = ((event.clientX - box.left) / box.width) * this.end;
        const reach = (SPIKE_PX / box.width) * this.end;
        const near = lines.flatMap(({ points }) => points).filter(([time]) => Math.abs(time - pointed) <= reach);
        const spike = near.reduce((best, point) => (best && best[1] >= point[1] ? best : point), null);
        this.go(spike ? spike[0] : pointed);
      } },
      svg, make("span", { class: "top" }, peak ? number(top / 1.05) : ""), now);
    this.timelines.push({ lines, now, readings });
    return make("div", { class: "timeline" },
      make("header", {}, make("b", {}, metric.name), make("span", { class: "unit" }, metric.unit), readings), plot);
  }

  set(name, value) {
    if (name === "show" && String(value).startsWith("film:")) {
      this.model.send({ film: value.slice(5) });
      this.settings.show = value.replace("film:", "heat:");
      return;
    }
    this.settings[name] = value;
    this.apply();
    if (name === "show") this.go(this.time);
  }

  /** Make the page look as the settings say. */
  apply() {
    const { mode, loop, rate, show } = this.settings;
    this.stage.dataset.mode = mode;
    this.pair.hidden = mode === "side";
    const names = this.films.map(({ clip }) => clip.title);
    this.pair.textContent = mode === "wipe" ? `left: ${names[0]} — right: ${names[1]}` : `difference of ${names[0]} and ${names[1]}`;
    this.loopButton.setAttribute("aria-pressed", loop);
    if (this.wipe) {
      this.wipe.hidden = mode !== "wipe";
      this.gain.hidden = mode !== "difference";
      this.stage.style.setProperty("--wipe", `${this.wipe.value}%`);
      this.stage.style.setProperty("--gain", this.gain.value);
    }
    const [kind, metric] = show.split(":");
    if (this.heat) {
      this.heat.hidden = kind !== "heat";
      this.stage.style.setProperty("--heat", this.heat.value / 100);
      const select = this.heat.previousElementSibling;
      if (select.value !== show && [...select.options].some((option) => option.value === show)) select.value = show;
    }
    this.filmHeat(kind === "heat" ? metric : "");
    for (const track of this.tracks) if (!track.video.paused) track.video.playbackRate = rate;
    this.paint();
  }

  filmHeat(metric) {
    if (metric === this.heatMetric) return;
    for (const track of this.heats) {
      track.video.remove();
      this.tracks.splice(this.tracks.indexOf(track), 1);
    }
    this.heats = [];
    this.heatMetric = metric;
    for (const film of metric ? this.films : []) {
      const address = film.clip.heat?.[metric];
      if (!address) continue;
      const track = new Track(film.clip, address, film.frames, this.blobs, () => {});
      track.video.classList.add("heat");
      film.frame.insertBefore(track.video, film.where);
      this.heats.push(track);
      this.tracks.push(track);
      track.show(this.time);
    }
  }

  /** Show one moment in every clip; where a clip is over, its last frame. */
  async go(time) {
    if (!this.films.length) return; // the moment waits in the model for clips
    if (this.playing) this.pause(false);
    this.time = Math.min(Math.max(time, 0), this.end);
    this.root.dataset.settled = "false";
    this.paint();
    const [asked, session] = [this.time, this.session];
    await Promise.all(this.tracks.map((track) => track.show(asked)));
    if (asked !== this.time || session !== this.session || this.playing) return;
    this.root.dataset.settled = "true";
    this.tell();
  }

  step(by) {
    const frame = this.grid.at(Math.min(this.time, this.grid.end - TINY_S)) + by;
    this.go(this.grid.starts[Math.min(Math.max(frame, 0), this.grid.starts.length - 1)]);
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  async play() {
    if (!this.leader.track) return;
    if (this.time >= this.grid.starts.at(-1) - TINY_S) this.time = 0;
    this.playing = true;
    const turn = (this.turn = (this.turn ?? 0) + 1); // a later play ends what this one began
    this.root.dataset.settled = "false";
    this.playButton.textContent = "❚❚ pause";
    const from = this.time;
    await Promise.all(this.tracks.map((track) => track.show(from)));
    if (!this.playing || turn !== this.turn) return;
    const { rate } = this.settings;
    await Promise.all(this.tracks.filter(({ frames }) => from < frames.end).map((track) => track.start(rate)));
    this.tick(turn);
  }

  tick(turn) {
    if (!this.playing || turn !== this.turn) return;
    const leading = this.leader.track;
    this.time = Math.min(leading.video.currentTime, this.end);
    for (const track of this.tracks) if (track !== leading) track.follow(this.time, this.settings.rate);
    this.paint();
    if (leading.video.ended || this.time >= this.end - TINY_S) {
      if (!this.settings.loop) {
        this.pause(false);
        this.go(this.grid.starts.at(-1));
        return;
      }
      this.time = 0;
      this.play();
      return;
    }
    requestAnimationFrame(() => this.tick(turn));
  }

  pause(settle = true) {
    this.playing = false;
    this.playButton.textContent = "▶ play";
    for (const track of this.tracks) track.video.pause();
    for (const track of this.tracks) track.at = null;
    if (settle) this.go(this.grid.starts[this.grid.at(this.time)]);
  }

  paint() {
    const frame = this.grid.at(this.time);
    this.scrub.value = this.time;
    this.scrub.setAttribute("aria-valuetext", `${seconds(this.time)}, frame ${frame} of ${this.grid.starts.length}`);
    this.clock.textContent = `${seconds(this.time)} of ${seconds(this.end)} · frame ${frame}`;
    const [kind, metric] = this.settings.show.split(":");
    for (const { clip, frames, where } of this.films) {
      const box = kind === "box" ? clip.boxes?.[metric]?.[frames.at(this.time)] : null;
      where.hidden = !box;
      if (!box) continue;
      const [left, top, right, bottom] = box.map((share) => `${100 * share}%`);
      Object.assign(where.style, { left, top, width: `calc(${right} - ${left})`, height: `calc(${bottom} - ${top})` });
    }
    for (const { lines, now, readings } of this.timelines) {
      now.style.left = `${(100 * this.time) / this.end}%`;
      readings.replaceChildren(...lines.map(({ clip, points }) => {
        const reading = make("span", {}, this.swatch(clip), number(valueAt(points, this.time)));
        reading.title = clip.title;
        return reading;
      }));
    }
  }

  /** Let Python know the moment. */
  tell() {
    if (this.model.get("time_s") === this.time) return;
    this.model.set("time_s", this.time);
    this.model.save_changes();
  }

  drag(event) {
    if (this.settings.mode !== "wipe" || !event.buttons) return;
    const box = this.stage.getBoundingClientRect();
    this.wipe.value = (100 * (event.clientX - box.left)) / box.width;
    this.apply();
  }

  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || !this.films.length) return;
    const typed = event.target.closest("select, input");
    const own = { ArrowLeft: () => this.step(event.shiftKey ? -10 : -1), ArrowRight: () => this.step(event.shiftKey ? 10 : 1),
      Home: () => this.go(0), End: () => this.go(this.end), l: () => this.set("loop", !this.settings.loop) };
    if (!event.target.closest("button, select")) own[" "] = () => this.toggle();
    const act = own[event.key];
    // A choice or another slider keeps its own keys; the time slider steps frames like the rest.
    if (!act || (typed && typed !== this.scrub)) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }
}

/** The latest value of a line at or before a moment. */
function valueAt(points, time) {
  let found = null;
  for (const [start, value] of points) {
    if (start > time + TINY_S) break;
    found = value;
  }
  return found;
}

function render({ model, el }) {
  const player = new Player(model, el);
  return () => player.close();
}

export default { render };
