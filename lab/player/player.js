// Plays clips side by side, synchronised by their frame times, with plots of their scores below.
//
// One ES module without a build step. JupyterLab loads it through anywidget; the report contains it
// inline. It reads the JSON that lab/player/session.py describes. An address in that JSON has one of
// three forms: "files/..." is a file that Jupyter serves; "#id" is an element of this page, either a
// picture or a script with a video in base64; anything else is used as it is.

const SPEEDS = [["¼", 0.25], ["½", 0.5], ["1", 1]];
const MAX_MOMENT_BUTTONS = 8;
const SNAP_PX = 8; // a click this close to a peak of a plot goes to the peak
const RESYNC_S = 0.2; // a video further off than this is moved at once; otherwise its speed is changed
const EPSILON_S = 1e-4;

function element(tag, attributes = {}, ...children) {
  const made = setAttributes(document.createElement(tag), attributes);
  made.append(...children);
  return made;
}

function svgElement(tag, attributes = {}) {
  return setAttributes(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes);
}

function setAttributes(target, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) target.addEventListener(name.slice(2), value);
    else if (value === true) target.setAttribute(name, "");
    else if (value !== false && value != null) target.setAttribute(name, value);
  }
  return target;
}

/** The URL of a video or picture. A new object URL is added to objectUrls, to be revoked later. */
function resolveUrl(address, objectUrls) {
  if (address.startsWith("files/")) {
    const config = document.getElementById("jupyter-config-data");
    const base = config ? JSON.parse(config.textContent).baseUrl : "/";
    return (base ?? "/") + address.split("/").map(encodeURIComponent).join("/");
  }
  if (address.startsWith("#")) {
    const source = document.getElementById(address.slice(1));
    if (source.src) return source.src;
    const binary = atob(source.textContent.trim());
    const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
    objectUrls.push(URL.createObjectURL(new Blob([bytes], { type: "video/mp4" })));
    return objectUrls.at(-1);
  }
  return address;
}

function secondsText(time) {
  return `${time.toFixed(2)} s`;
}

function numberText(value) {
  if (value == null) return "–";
  return Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

/** The start time of each frame of a clip and the end of the last one, in seconds. */
class FrameTimes {
  constructor(clip) {
    this.interval = 1 / clip.fps;
    this.starts = clip.times_s ?? Array.from({ length: clip.frames }, (_, index) => index / clip.fps);
    this.end = this.starts.at(-1) + this.interval;
  }

  /** The index of the frame shown at a time. */
  indexAt(time) {
    let [low, high] = [0, this.starts.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.starts[middle] <= time + EPSILON_S) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** The time in the middle of a frame. */
  middleOf(index) {
    return (this.starts[index] + (this.starts[index + 1] ?? this.end)) / 2;
  }
}

/** One video element and the code that seeks it and keeps it in sync. */
class VideoTrack {
  constructor(address, frames, objectUrls, onError) {
    this.frames = frames;
    this.video = element("video", { playsinline: true, preload: "auto", "aria-hidden": "true", tabindex: -1 });
    this.video.muted = true;
    this.loaded = new Promise((resolve) => {
      this.video.addEventListener("loadeddata", () => resolve(true), { once: true });
      this.video.addEventListener("error", () => { onError(); resolve(false); }, { once: true });
    });
    this.video.src = resolveUrl(address, objectUrls);
    this.shownTime = null; // null: unknown, because the video has played
    this.seeking = null;
  }

  /** Show the frame of a time; resolves when it is shown. A later call replaces an earlier one. */
  seek(time) {
    this.targetTime = this.frames.middleOf(this.frames.indexAt(time));
    this.seeking ??= this.seekToTarget().finally(() => { this.seeking = null; });
    return this.seeking;
  }

  async seekToTarget() {
    if (!(await this.loaded)) return;
    while (this.shownTime !== this.targetTime) {
      const target = this.targetTime;
      const done = new Promise((resolve) => {
        for (const name of ["seeked", "error"]) this.video.addEventListener(name, resolve, { once: true });
      });
      this.video.currentTime = target;
      await done;
      this.shownTime = target;
    }
  }

  async start(rate) {
    if (!(await this.loaded)) return;
    this.shownTime = null;
    this.video.playbackRate = rate;
    await this.video.play().catch((error) => {
      if (error.name !== "AbortError") throw error; // the user pressed pause in the meantime
    });
  }

  /** Keep a playing video in sync with the reference video, which is at `time`. */
  sync(time, rate) {
    if (time >= this.frames.end - this.frames.interval / 2) {
      if (!this.video.paused) {
        this.video.pause();
        this.seek(this.frames.end);
      }
      return;
    }
    const drift = this.video.currentTime - time;
    if (Math.abs(drift) > RESYNC_S) this.video.currentTime = time;
    const inSync = Math.abs(drift) < this.frames.interval / 4;
    this.video.playbackRate = inSync ? rate : rate * Math.min(1.25, Math.max(0.75, 1 - 3 * drift));
  }
}

class Player {
  constructor(model, el) {
    this.model = model;
    this.root = element("div", {
      class: "i2v-player",
      role: "group",
      "aria-label": "Clip player. Space plays, arrow keys step one frame, Home and End jump.",
      tabindex: 0,
      "data-jp-suppress-context-menu": "true",
      // JupyterLab looks for data-lm-suppress-shortcuts only on the focused element, not on its
      // ancestors, so every element gets it when it receives the focus.
      onfocusin: ({ target }) => { target.dataset.lmSuppressShortcuts = "true"; },
      onkeydown: (event) => this.onKeyDown(event),
    });
    el.append(this.root);
    this.settings = { loop: false, rate: 1, mode: "side", overlay: "" };
    this.time = model.get("time_s") ?? 0;
    this.objectUrls = [];
    this.build();
    this.listeners = [
      ["change:session", () => this.build()],
      ["change:time_s", () => { if (Math.abs(model.get("time_s") - this.time) > EPSILON_S) this.seek(model.get("time_s")); }],
    ];
    for (const [name, listener] of this.listeners) model.on(name, listener);
  }

  destroy() {
    this.playing = false;
    for (const [name, listener] of this.listeners) this.model.off?.(name, listener);
    this.clear();
  }

  clear() {
    for (const track of this.tracks ?? []) {
      track.video.pause();
      track.video.removeAttribute("src");
      track.video.load();
    }
    this.objectUrls.splice(0).forEach((url) => URL.revokeObjectURL(url));
    this.root.replaceChildren();
  }

  build() {
    this.playing = false;
    this.clear();
    this.session = this.model.get("session") ?? { clips: [], metrics: [] };
    const { clips } = this.session;
    // New clips start at the model's time, whether `time_s` arrived before or after them.
    const ids = JSON.stringify(clips.map(({ id }) => id));
    if (ids !== this.ids) this.time = this.model.get("time_s") ?? 0;
    this.ids = ids;
    this.tracks = [];
    this.heatmapTracks = [];
    this.heatmapMetric = "";
    this.timelines = [];
    const { line_styles: lineStyles } = this.session;
    this.views = clips.map((clip, index) => {
      const [colour, dash] = lineStyles[index % lineStyles.length];
      return { clip: { ...clip, colour, dash }, frames: new FrameTimes(clip) };
    });
    if (!clips.length) {
      this.root.append(element("p", { class: "quiet" }, this.session.message || "Choose takes to play them here."));
      return;
    }
    this.end = Math.max(...this.views.map(({ frames }) => frames.end));
    // The longest video is the reference: while playing, the others are kept in sync with it.
    const playable = this.views.filter(({ clip }) => clip.video);
    this.reference = playable.reduce((one, other) => (one && one.frames.end >= other.frames.end ? one : other), null) ?? this.views[0];
    // Steps use the frame times of the clip with the highest frame rate. If it ends before the longest
    // clip, they use those of the reference.
    const finest = this.views.reduce((one, other) => (other.frames.interval < one.frames.interval ? other : one));
    this.stepTimes = finest.frames.end >= this.end - finest.frames.interval ? finest.frames : this.reference.frames;
    this.time = Math.min(Math.max(this.time, 0), this.end);
    if (clips.length !== 2) this.settings.mode = "side";
    this.root.append(
      ...(this.session.message ? [element("p", { class: "message" }, this.session.message)] : []),
      this.buildStage(),
      this.buildControls(),
      this.buildTimeSlider(),
      ...this.buildMoments(),
      ...this.session.metrics.map((metric) => this.buildTimeline(metric)),
    );
    this.applySettings();
    this.seek(this.time);
  }

  buildStage() {
    this.stage = element("div", { class: "stage", onpointermove: (event) => this.dragWipe(event) });
    const stills = new Map(this.views.filter(({ clip }) => clip.still).map(({ clip }) => [clip.still, clip.still_name]));
    for (const [address, name] of stills) {
      this.stage.append(element("figure", { class: "still" },
        element("div", { class: "frame" }, element("img", { src: resolveUrl(address, this.objectUrls), alt: `The still: ${name}` })),
        element("figcaption", {}, `still: ${name}`)));
    }
    this.views.forEach((view, index) => {
      const { clip } = view;
      view.box = element("div", { class: "box", hidden: true });
      view.frame = element("div", { class: "frame" });
      if (clip.video) {
        const onError = () => view.frame.append(element("div", { class: "broken" }, "This video cannot be played here."));
        view.track = new VideoTrack(clip.video, view.frames, this.objectUrls, onError);
        if (clip.poster) view.track.video.poster = resolveUrl(clip.poster, this.objectUrls);
        this.tracks.push(view.track);
        view.frame.append(view.track.video);
      } else {
        const picture = clip.poster || clip.still;
        if (picture) view.frame.append(element("img", { src: resolveUrl(picture, this.objectUrls), alt: clip.poster ? "First frame" : "The still" }));
        view.frame.append(element("div", { class: "broken" }, clip.no_video || "Only the first frame is in this file."));
      }
      view.frame.append(view.box);
      this.stage.append(element("figure", { class: index === 1 ? "clip second" : "clip", "data-take": clip.id },
        view.frame, element("figcaption", {}, this.lineSample(clip), element("bdi", {}, clip.title),
          clip.remark ? element("span", { class: "remark" }, ` (${clip.remark})`) : "")));
    });
    this.pairLabel = element("p", { class: "quiet" });
    return element("div", {}, this.stage, this.pairLabel);
  }

  /** A short sample of the clip's line in the plots. */
  lineSample(clip) {
    const sample = svgElement("svg", { class: "line-sample", viewBox: "0 0 22 6", "aria-hidden": "true" });
    sample.append(svgElement("line", { x1: 0, y1: 3, x2: 22, y2: 3, stroke: clip.colour, "stroke-width": 3, "stroke-dasharray": clip.dash }));
    return sample;
  }

  buildControls() {
    const button = (label, title, onclick, more = {}) =>
      element("button", { type: "button", title, "aria-label": title, onclick, ...more }, label);
    const choice = (label, options, value, onChange) => {
      const select = element("select", { "aria-label": label, onchange: () => onChange(select.value) });
      for (const [optionValue, text] of options) select.append(element("option", { value: optionValue }, text));
      select.value = value;
      return select;
    };
    const slider = (label, attributes) =>
      element("input", { type: "range", "aria-label": label, ...attributes, oninput: () => this.applySettings() });
    this.playButton = button("▶ play", "Play (space)", () => this.togglePlay(), { class: "play", "aria-label": null });
    this.loopButton = button("loop", "Start again at the end (l)", () => this.setSetting("loop", !this.settings.loop));
    const row = element("div", { class: "controls" },
      element("span", {},
        button("|◀", "To the first frame (Home)", () => this.seek(0)),
        button("◀", "One frame back (left arrow)", () => this.step(-1)),
        this.playButton,
        button("▶|", "One frame forward (right arrow)", () => this.step(1)),
        this.loopButton),
      element("span", {}, "speed ", choice("Speed", SPEEDS.map(([text, rate]) => [rate, `${text}×`]), this.settings.rate,
        (value) => this.setSetting("rate", Number(value)))));
    if (this.views.length === 2) {
      this.wipeSlider = slider("Position of the wipe", { min: 0, max: 100, value: 50 });
      this.gainSlider = slider("Amplification of differences", { min: 1, max: 16, value: 4 });
      const modes = [["side", "side by side"], ["wipe", "wipe"], ["difference", "difference"]];
      row.append(element("span", {}, "view ", choice("View", modes, this.settings.mode, (value) => this.setSetting("mode", value)), this.wipeSlider, this.gainSlider));
    }
    const overlays = this.overlayOptions();
    if (overlays.length) {
      this.overlaySelect = choice("Overlay on the clips", [["", "nothing"], ...overlays], this.settings.overlay, (value) => this.setSetting("overlay", value));
      this.opacitySlider = slider("Opacity of the heatmap", { min: 0, max: 100, value: 85 });
      row.append(element("span", {}, "overlay ", this.overlaySelect, this.opacitySlider));
    }
    return row;
  }

  /** Value and label of each possible overlay: stored boxes, heatmaps that exist or can be made. */
  overlayOptions() {
    const options = [];
    for (const { name } of this.session.metrics) {
      if (this.views.some(({ clip }) => clip.boxes?.[name])) options.push([`box:${name}`, `where ${name} is worst`]);
    }
    for (const { name } of this.session.metrics) {
      const complete = this.views.every(({ clip }) => clip.heatmaps?.[name]);
      if (complete) options.push([`heatmap:${name}`, `heatmap of ${name}`]);
      else if (this.session.can_make_heatmaps) options.push([`make:${name}`, `heatmap of ${name} (measures again)`]);
    }
    return options;
  }

  buildTimeSlider() {
    this.timeSlider = element("input", { type: "range", min: 0, max: this.end, step: "any", "aria-label": "Time in the clips", class: "time-slider",
      oninput: () => this.seek(Number(this.timeSlider.value)) });
    this.clock = element("span", { class: "clock" });
    return element("div", { class: "time" }, this.timeSlider, this.clock);
  }

  buildMoments() {
    const moments = this.views.flatMap(({ clip }) => clip.worst.map((moment) => ({ ...moment, clip })));
    moments.sort((one, other) => other.weight - one.weight);
    if (!moments.length) return [];
    const buttons = moments.slice(0, MAX_MOMENT_BUTTONS).map((moment) =>
      element("button", { type: "button", title: `${moment.clip.title}: ${moment.text}`, onclick: () => this.showMoment(moment) },
        this.lineSample(moment.clip), `${moment.metric} ${numberText(moment.value)} at ${secondsText(moment.time_s)}`));
    return [element("div", { class: "moments", role: "group", "aria-label": "Worst moments" }, element("span", { class: "quiet" }, "worst moments"), ...buttons)];
  }

  /** Go to a moment and mark its region in the picture. */
  showMoment(moment) {
    if (moment.clip.boxes?.[moment.metric] && this.settings.overlay !== `heatmap:${moment.metric}`) this.setSetting("overlay", `box:${moment.metric}`);
    this.seek(moment.time_s);
  }

  buildTimeline(metric) {
    const lines = this.views.map(({ clip }) => ({ clip, points: (clip.series[metric.name] ?? []).filter(([, value]) => value != null) }));
    const values = lines.flatMap(({ points }) => points.map(([, value]) => value));
    const top = Math.max(...values, metric.threshold ?? 0, 1e-9) * 1.05;
    const bottom = Math.min(0, ...values);
    const x = (time) => (time / this.end) * 1000;
    const y = (value) => 100 - ((value - bottom) / (top - bottom)) * 100;
    let peak = null;
    for (const { clip, points } of lines) for (const [time, value] of points) if (!peak || value > peak.value) peak = { clip, time, value };
    const description = peak
      ? `${metric.name} in ${metric.unit} over the time of the clips; highest ${numberText(peak.value)} at ${secondsText(peak.time)} in ${peak.clip.title}`
      : `${metric.name}: no values over time`;
    const svg = svgElement("svg", { viewBox: "0 0 1000 100", preserveAspectRatio: "none", role: "img", "aria-label": description });
    if (metric.threshold != null && peak) svg.append(svgElement("line", { class: "threshold", x1: 0, x2: 1000, y1: y(metric.threshold), y2: y(metric.threshold) }));
    for (const { clip, points } of lines) {
      const path = points.map(([time, value]) => `${x(time).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
      svg.append(svgElement("polyline", { points: path, stroke: clip.colour, "stroke-dasharray": clip.dash, "data-take": clip.id }));
    }
    const cursor = element("div", { class: "cursor" });
    const readout = element("span", { class: "values" });
    const plot = element("div", { class: "plot", title: `${metric.description}. Click a peak to go there.`, "data-metric": metric.name,
      onclick: (event) => {
        const bounds = plot.getBoundingClientRect();
        const clicked = ((event.clientX - bounds.left) / bounds.width) * this.end;
        const reach = (SNAP_PX / bounds.width) * this.end;
        const near = lines.flatMap(({ points }) => points).filter(([time]) => Math.abs(time - clicked) <= reach);
        const highest = near.reduce((best, point) => (best && best[1] >= point[1] ? best : point), null);
        this.seek(highest ? highest[0] : clicked);
      } },
      svg, element("span", { class: "top" }, peak ? numberText(top / 1.05) : ""), cursor);
    this.timelines.push({ lines, cursor, readout });
    return element("div", { class: "timeline" },
      element("header", {}, element("b", {}, metric.name), element("span", { class: "unit" }, metric.unit), readout), plot);
  }

  setSetting(name, value) {
    if (name === "overlay" && String(value).startsWith("make:")) {
      this.model.send({ make_heatmaps: true });
      this.settings.overlay = value.replace("make:", "heatmap:");
      return;
    }
    this.settings[name] = value;
    this.applySettings();
    if (name === "overlay") this.seek(this.time);
  }

  /** Update the page after a setting or a slider changed. */
  applySettings() {
    const { mode, loop, rate, overlay } = this.settings;
    this.stage.dataset.mode = mode;
    this.pairLabel.hidden = mode === "side";
    const names = this.views.map(({ clip }) => clip.title);
    this.pairLabel.textContent = mode === "wipe" ? `left: ${names[0]} — right: ${names[1]}` : `difference of ${names[0]} and ${names[1]}`;
    this.loopButton.setAttribute("aria-pressed", loop);
    if (this.wipeSlider) {
      this.wipeSlider.hidden = mode !== "wipe";
      this.gainSlider.hidden = mode !== "difference";
      this.stage.style.setProperty("--wipe", `${this.wipeSlider.value}%`);
      this.stage.style.setProperty("--gain", this.gainSlider.value);
    }
    const [kind, metric] = overlay.split(":");
    if (this.overlaySelect) {
      this.opacitySlider.hidden = kind !== "heatmap";
      this.stage.style.setProperty("--heatmap-opacity", this.opacitySlider.value / 100);
      const select = this.overlaySelect;
      if (select.value !== overlay && [...select.options].some((option) => option.value === overlay)) select.value = overlay;
    }
    this.showHeatmaps(kind === "heatmap" ? metric : "");
    for (const track of this.tracks) if (!track.video.paused) track.video.playbackRate = rate;
    this.updateDisplay();
  }

  /** Put the heatmap videos of a metric over the clips; "" removes them. */
  showHeatmaps(metric) {
    if (metric === this.heatmapMetric) return;
    for (const track of this.heatmapTracks) {
      track.video.remove();
      this.tracks.splice(this.tracks.indexOf(track), 1);
    }
    this.heatmapTracks = [];
    this.heatmapMetric = metric;
    for (const view of metric ? this.views : []) {
      const address = view.clip.heatmaps?.[metric];
      if (!address) continue;
      const track = new VideoTrack(address, view.frames, this.objectUrls, () => {});
      track.video.classList.add("heatmap");
      view.frame.insertBefore(track.video, view.box);
      this.heatmapTracks.push(track);
      this.tracks.push(track);
      track.seek(this.time);
    }
  }

  /** Show one time in every clip. After its end, a clip shows its last frame. */
  async seek(time) {
    if (!this.views.length) return; // the model keeps the time until there are clips
    if (this.playing) this.pause(false);
    this.time = Math.min(Math.max(time, 0), this.end);
    this.root.dataset.settled = "false";
    this.updateDisplay();
    const [requested, session] = [this.time, this.session];
    await Promise.all(this.tracks.map((track) => track.seek(requested)));
    if (requested !== this.time || session !== this.session || this.playing) return;
    this.root.dataset.settled = "true";
    this.sendTime();
  }

  /** Go forward by this many frames; a negative number goes back. */
  step(count) {
    const frame = this.stepTimes.indexAt(Math.min(this.time, this.stepTimes.end - EPSILON_S)) + count;
    this.seek(this.stepTimes.starts[Math.min(Math.max(frame, 0), this.stepTimes.starts.length - 1)]);
  }

  togglePlay() {
    if (this.playing) this.pause();
    else this.play();
  }

  async play() {
    if (!this.reference.track) return;
    if (this.time >= this.stepTimes.starts.at(-1) - EPSILON_S) this.time = 0;
    this.playing = true;
    const playback = (this.playback = (this.playback ?? 0) + 1); // a later call of play ends this one
    this.root.dataset.settled = "false";
    this.playButton.textContent = "❚❚ pause";
    const from = this.time;
    await Promise.all(this.tracks.map((track) => track.seek(from)));
    if (!this.playing || playback !== this.playback) return;
    const { rate } = this.settings;
    await Promise.all(this.tracks.filter(({ frames }) => from < frames.end).map((track) => track.start(rate)));
    this.tick(playback);
  }

  tick(playback) {
    if (!this.playing || playback !== this.playback) return;
    const reference = this.reference.track;
    this.time = Math.min(reference.video.currentTime, this.end);
    for (const track of this.tracks) if (track !== reference) track.sync(this.time, this.settings.rate);
    this.updateDisplay();
    if (reference.video.ended || this.time >= this.end - EPSILON_S) {
      if (!this.settings.loop) {
        this.pause(false);
        this.seek(this.stepTimes.starts.at(-1));
        return;
      }
      this.time = 0;
      this.play();
      return;
    }
    requestAnimationFrame(() => this.tick(playback));
  }

  pause(seekToFrame = true) {
    this.playing = false;
    this.playButton.textContent = "▶ play";
    for (const track of this.tracks) track.video.pause();
    for (const track of this.tracks) track.shownTime = null;
    if (seekToFrame) this.seek(this.stepTimes.starts[this.stepTimes.indexAt(this.time)]);
  }

  /** Update the slider, the clock, the boxes and the plots to the current time. */
  updateDisplay() {
    const frame = this.stepTimes.indexAt(this.time);
    this.timeSlider.value = this.time;
    this.timeSlider.setAttribute("aria-valuetext", `${secondsText(this.time)}, frame ${frame} of ${this.stepTimes.starts.length}`);
    this.clock.textContent = `${secondsText(this.time)} of ${secondsText(this.end)} · frame ${frame}`;
    const [kind, metric] = this.settings.overlay.split(":");
    for (const { clip, frames, box } of this.views) {
      const region = kind === "box" ? clip.boxes?.[metric]?.[frames.indexAt(this.time)] : null;
      box.hidden = !region;
      if (!region) continue;
      const [left, top, right, bottom] = region.map((share) => `${100 * share}%`);
      Object.assign(box.style, { left, top, width: `calc(${right} - ${left})`, height: `calc(${bottom} - ${top})` });
    }
    for (const { lines, cursor, readout } of this.timelines) {
      cursor.style.left = `${(100 * this.time) / this.end}%`;
      readout.replaceChildren(...lines.map(({ clip, points }) => {
        const item = element("span", {}, this.lineSample(clip), numberText(valueAt(points, this.time)));
        item.title = clip.title;
        return item;
      }));
    }
  }

  /** Send the current time to Python. */
  sendTime() {
    if (this.model.get("time_s") === this.time) return;
    this.model.set("time_s", this.time);
    this.model.save_changes();
  }

  dragWipe(event) {
    if (this.settings.mode !== "wipe" || !event.buttons) return;
    const bounds = this.stage.getBoundingClientRect();
    this.wipeSlider.value = (100 * (event.clientX - bounds.left)) / bounds.width;
    this.applySettings();
  }

  onKeyDown(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || !this.views.length) return;
    const field = event.target.closest("select, input");
    const actions = { ArrowLeft: () => this.step(event.shiftKey ? -10 : -1), ArrowRight: () => this.step(event.shiftKey ? 10 : 1),
      Home: () => this.seek(0), End: () => this.seek(this.end), l: () => this.setSetting("loop", !this.settings.loop) };
    if (!event.target.closest("button, select")) actions[" "] = () => this.togglePlay();
    const action = actions[event.key];
    // A select or another slider uses its keys itself; the time slider steps by frames.
    if (!action || (field && field !== this.timeSlider)) return;
    event.preventDefault();
    event.stopPropagation();
    action();
  }
}

/** The latest value of a line at or before a time. */
function valueAt(points, time) {
  let latest = null;
  for (const [start, value] of points) {
    if (start > time + EPSILON_S) break;
    latest = value;
  }
  return latest;
}

function render({ model, el }) {
  const player = new Player(model, el);
  return () => player.destroy();
}

export default { render };
