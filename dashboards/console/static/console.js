/* Two things that HTML does not do: say when the fleet changed, and draw. Everything works without it, by reloading. */
"use strict";

(() => {
  // ---------------------------------------------------------------------------------------------------- live
  const LEAST_PAUSE_MS = 2000;
  let waiting = null;
  let toldAt = 0;

  function tell() {
    if (waiting !== null || document.hidden) return;
    const pause = Math.max(0, toldAt + LEAST_PAUSE_MS - Date.now());
    waiting = setTimeout(() => {
      waiting = null;
      toldAt = Date.now();
      htmx.trigger(document.body, "fleet-changed");
    }, pause);
  }

  function listen() {
    const shown = document.getElementById("live");
    if (!shown) return;
    const stream = new EventSource("/v1/stream");
    const say = (words, state) => { shown.textContent = words; shown.dataset.state = state; };
    stream.onopen = () => say("live", "on");
    stream.onerror = () => say("not live: reconnecting", "off");
    stream.addEventListener("changed", (event) => {
      if (Number(event.data) <= Number(document.body.dataset.version)) return;
      document.body.dataset.version = event.data;
      tell();
    });
    document.addEventListener("visibilitychange", tell);
    addEventListener("pagehide", () => stream.close());
  }

  // An answer to a request from before the last change may arrive after it: then the part is asked for again. A few times
  // only: behind one address there may be two consoles, whose versions differ.
  const CATCH_UPS = 5;
  let caughtUp = { version: 0, times: 0 };
  function catchUp(part) {
    const newest = Number(document.body.dataset.version);
    const parts = [part, ...part.querySelectorAll("[data-rendered]")];
    if (caughtUp.version !== newest) caughtUp = { version: newest, times: 0 };
    if (!parts.some((each) => Number(each.dataset.rendered) < newest)) return;
    caughtUp.times += 1;
    if (caughtUp.times <= CATCH_UPS) tell();
  }

  // Those who listen hear a change of the summary, not the whole list again.
  function announce() {
    const region = document.querySelector("[data-summary]");
    const summary = document.getElementById("summary");
    if (!region || !summary) return;
    if (summary.textContent !== region.dataset.summary) {
      summary.textContent = region.dataset.summary;
      document.title = document.title.replace(/^.*? · /, region.dataset.summary + " · ");
    }
  }

  // --------------------------------------------------------------------------------------------------- plots
  const drawn = new Map();
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const LOOKS = {
    first: { stroke: "--plot-first", width: 2 },
    second: { stroke: "--plot-second", width: 2, dash: [8, 4] },
    third: { stroke: "--plot-third", width: 2, dash: [2, 3] },
    edge: { stroke: "--plot-edge", width: 1 },
    limit: { stroke: "--plot-limit", width: 1, dash: [12, 4] },
    points: { stroke: "--plot-third", width: 0, points: true },
  };
  const MARKS = {
    alarm: { stroke: "--plot-second", dash: [6, 4] },
    ours: { stroke: "--plot-limit", dash: [] },
    now: { stroke: "--plot-third", dash: [1, 3] },
    event: { stroke: "--plot-third", dash: [3, 3] },
  };

  function marksOf(marks) {
    return (plot) => {
      const context = plot.ctx;
      const { left, top, width, height } = plot.bbox;
      const scale = devicePixelRatio || 1;
      context.save();
      context.textAlign = "left";
      context.textBaseline = "alphabetic";
      context.font = `${12 * scale}px system-ui, sans-serif`;
      marks.forEach((mark, number) => {
        const x = Math.round(plot.valToPos(mark.x, "x", true));
        if (x < left || x > left + width) return;
        const look = MARKS[mark.line] || MARKS.event;
        context.strokeStyle = context.fillStyle = colour(look.stroke);
        context.setLineDash(look.dash.map((part) => part * scale));
        context.lineWidth = 1.5 * scale;
        context.beginPath();
        context.moveTo(x, top);
        context.lineTo(x, top + height);
        context.stroke();
        const wide = context.measureText(mark.label).width;
        const at = x + wide + 6 * scale > left + width ? x - wide - 4 * scale : x + 4 * scale;
        context.fillText(mark.label, at, top + (12 + 15 * (number % 4)) * scale);
      });
      context.restore();
    };
  }

  function seriesOf(given) {
    const look = LOOKS[given.look] || LOOKS.first;
    return {
      label: given.label,
      stroke: () => colour(look.stroke),
      width: look.width,
      dash: look.dash,
      spanGaps: false,
      paths: given.step ? uPlot.paths.stepped({ align: -1 }) : undefined,
      points: { show: look.points || undefined, size: 4, fill: () => colour(look.stroke) },
      value: (_, number) => (number == null ? "–" : String(Number(number.toPrecision(4)))),
    };
  }

  function draw(place) {
    const shown = JSON.parse(place.dataset.plot);
    const tall = place.classList.contains("tall");
    const old = drawn.get(place);
    if (old) old.destroy();
    const axis = (extra) => ({
      stroke: () => colour("--quiet"), grid: { stroke: () => colour("--plot-grid"), width: 1 },
      ticks: { stroke: () => colour("--plot-grid"), width: 1 }, font: "12px system-ui, sans-serif", ...extra,
    });
    const range = (_, low, high) => {
      if (low == null) return [0, 1];
      const edge = Math.max((high - low) * 0.08, Math.abs(high) * 0.01, 1e-9);
      return [shown.zero ? Math.min(0, low) : low - edge, high + edge];
    };
    const options = {
      width: place.clientWidth, height: tall ? 300 : 170,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1e3), "Etc/UTC"),
      scales: { x: { time: true }, y: { range } },
      axes: [axis({ values: timesUtc }), axis({ size: 64, label: shown.unit || undefined, labelSize: 18, labelFont: "12px system-ui, sans-serif" })],
      series: [{ label: "UTC", value: (_, seconds) => (seconds == null ? "–" : new Date(seconds * 1e3).toISOString().slice(0, 16).replace("T", " ")) },
        ...shown.series.map(seriesOf)],
      bands: shown.bands.map((pair) => ({ series: pair, fill: () => colour("--plot-band") })),
      legend: { live: true, markers: { width: 2, dash: (_, index) => (index && (LOOKS[shown.series[index - 1].look] || {}).dash ? "dashed" : "solid") } },
      cursor: { drag: { x: true, y: false }, sync: { key: place.dataset.sync } },
      hooks: { draw: [marksOf(shown.marks)] },
    };
    drawn.set(place, new uPlot(options, [shown.x, ...shown.series.map((given) => given.y)], place));
    place.dataset.drawn = "yes";
  }

  const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  function timesUtc(plot, splits, _axis, _space, step) {
    return splits.map((seconds) => {
      const date = new Date(seconds * 1e3);
      const day = `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]}`;
      if (step >= 86400) return day;
      const hours = `${String(date.getUTCHours()).padStart(2, "0")}:${String(date.getUTCMinutes()).padStart(2, "0")}`;
      return hours === "00:00" ? day : hours;
    });
  }

  function drawAll(root) {
    for (const place of root.querySelectorAll("[data-plot]")) if (place.clientWidth > 0) draw(place);
    for (const place of [...drawn.keys()]) if (!place.isConnected) { drawn.get(place).destroy(); drawn.delete(place); }
  }

  let resizing = null;
  addEventListener("resize", () => { clearTimeout(resizing); resizing = setTimeout(() => drawAll(document), 150); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll(document));

  document.addEventListener("DOMContentLoaded", () => {
    listen();
    drawAll(document);
    for (const button of document.querySelectorAll("[data-print]")) button.addEventListener("click", () => print());
  });
  document.addEventListener("htmx:load", (event) => { drawAll(event.target); announce(); catchUp(event.target); });
})();
