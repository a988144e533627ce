// The page of a trace. What is shown is a function of `view`; the address after # names a view, so that it can be sent.

const LABELS = 170, HEAD = 24, ROW = 24, ROWS_MAX = 2000;
let trace, view, canvas, pen, finds = [];

function start(data) {
  trace = prepared(data);
  canvas = document.getElementById("canvas");
  pen = canvas.getContext("2d");
  view = { tab: "timeline", filter: "", search: "", arrows: true, from: trace.from, to: trace.to, picked: null, find: -1 };
  element("title").textContent = trace.program;
  document.title = trace.program + " - insula trace";
  named(location.hash);
  listen();
  show();
}

const element = (id) => document.getElementById(id);

// Indices for what is drawn often: slices by track in the order of time.
function prepared(data) {
  const tracks = data.tracks.map(([id, name]) => ({ id, name, slices: [], marks: [] }));
  const by = new Map(tracks.map((track) => [track.id, track]));
  const times = [];
  const slices = data.slices.map(([track, at, took, kind, name]) => ({ track, at, took, kind: data.kinds[kind], name: data.names[name] }));
  const marks = data.marks.map(([track, at, kind, name, text, parent]) => ({ track, at, kind, name, text, parent }));
  const messages = data.messages.map(([from, to, sent, received, bytes]) => ({ from, to, sent, received, bytes }));
  for (const slice of slices) { by.get(slice.track)?.slices.push(slice); times.push(slice.at, slice.at + slice.took); }
  for (const mark of marks) { by.get(mark.track)?.marks.push(mark); times.push(mark.at); }
  for (const message of messages) times.push(message.sent);
  const from = times.reduce((a, b) => Math.min(a, b), Infinity), to = times.reduce((a, b) => Math.max(a, b), 0);
  return { ...data, tracks, by, slices, marks, messages, from: times.length ? from : 0, to: Math.max(to, from + 1) };
}

// #tab=sequence&filter=a,b&search=x&from=1&to=2
function named(hash) {
  const said = new URLSearchParams(hash.slice(1));
  for (const key of ["tab", "filter", "search"]) if (said.has(key)) view[key] = said.get(key);
  for (const key of ["from", "to"]) if (said.has(key) && isFinite(said.get(key))) view[key] = Number(said.get(key));
  if (said.get("arrows") === "no") view.arrows = false;
  if (view.to <= view.from) [view.from, view.to] = [trace.from, trace.to];
  if (view.tab !== "sequence") view.tab = "timeline";
}

function name() {
  const said = new URLSearchParams();
  if (view.tab !== "timeline") said.set("tab", view.tab);
  for (const key of ["filter", "search"]) if (view[key]) said.set(key, view[key]);
  if (!view.arrows) said.set("arrows", "no");
  if (view.from !== trace.from || view.to !== trace.to) { said.set("from", view.from.toFixed(3)); said.set("to", view.to.toFixed(3)); }
  history.replaceState(null, "", "#" + said);
}

function shown() {
  const wanted = view.filter.toLowerCase().split(",").map((word) => word.trim()).filter(Boolean);
  if (!wanted.length) return trace.tracks;
  const fits = (track, word) => (word.startsWith("#") ? "#" + track.id === word : track.name.toLowerCase().includes(word));
  return trace.tracks.filter((track) => wanted.some((word) => fits(track, word)));
}

function show() {
  const sequence = view.tab === "sequence";
  element("tab-timeline").setAttribute("aria-selected", !sequence);
  element("tab-sequence").setAttribute("aria-selected", sequence);
  element("timeline").hidden = sequence;
  element("sequence").hidden = !sequence;
  for (const key of ["filter", "search"]) if (element(key).value !== view[key]) element(key).value = view[key];
  element("arrows").checked = view.arrows;
  const tracks = shown(), seen = new Set(tracks.map((track) => track.id));
  find(seen);
  const messages = trace.messages.filter((one) => seen.has(one.from) && seen.has(one.to));
  const isolates = (all) => all.filter((track) => track.id).length;
  const parts = [`${isolates(tracks)} of ${isolates(trace.tracks)} isolates`, `${messages.length} of ${trace.messages.length} messages`];
  if (view.search) parts.push(`${finds.length} found`);
  if (trace.missed) parts.push(`${trace.missed} events are missing: more than could be kept`);
  if (sequence) drawSequence(tracks, messages, parts); else drawTimeline(tracks, messages, parts);
  element("status").textContent = parts.join(" · ");
  name();
}

// ---- search

function find(seen) {
  const word = view.search.toLowerCase();
  finds = [];
  if (!word) return;
  const has = (text) => text.toLowerCase().includes(word);
  for (const slice of trace.slices) if (seen.has(slice.track) && has(slice.name)) finds.push(slice);
  for (const mark of trace.marks) if (seen.has(mark.track) && (has(mark.text) || has(mark.name))) finds.push(mark);
  finds.sort((a, b) => a.at - b.at);
}

function toFind(step) {
  if (!finds.length) return;
  view.find = (view.find + step + finds.length) % finds.length;
  const found = finds[view.find], width = view.to - view.from;
  pick(found);
  if (found.at < view.from || found.at > view.to) [view.from, view.to] = [found.at - width / 2, found.at + width / 2];
  const row = shown().findIndex((track) => track.id === found.track);
  const box = element("timeline");
  if (row * ROW < box.scrollTop || (row + 2) * ROW + HEAD > box.scrollTop + box.clientHeight) box.scrollTop = row * ROW - box.clientHeight / 2;
  show();
}

// ---- timeline

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
const x = (at) => LABELS + ((at - view.from) / (view.to - view.from)) * (canvas.clientWidth - LABELS);
const at = (px) => view.from + ((px - LABELS) / (canvas.clientWidth - LABELS)) * (view.to - view.from);

function drawTimeline(tracks, messages, parts) {
  const box = element("timeline"), width = box.clientWidth, height = box.clientHeight, ratio = devicePixelRatio || 1;
  element("rows").style.height = Math.max(0, tracks.length * ROW + HEAD - height) + "px";
  canvas.style.width = width + "px"; canvas.style.height = height + "px";
  canvas.width = width * ratio; canvas.height = height * ratio;
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.font = "12px system-ui, sans-serif";
  pen.textBaseline = "middle";
  const top = box.scrollTop, colors = Object.fromEntries(["run", "wait", "ready", "paused", "send", "front", "faint", "line", "arrow", "error", "found", "back"].map((key) => [key, color(key)]));
  const found = new Set(finds);
  const rows = new Map(tracks.map((track, row) => [track.id, HEAD + row * ROW - top]));
  let drawn = 0;
  pen.save();
  pen.beginPath(); pen.rect(0, HEAD, width, height - HEAD); pen.clip();
  for (const track of tracks) {
    const y = rows.get(track.id);
    if (y < -ROW || y > height) continue;
    drawn += drawTrack(track, y, width, colors, found);
  }
  if (view.arrows) drawArrows(messages, rows, height, colors);
  for (const track of tracks) drawLabel(track, rows.get(track.id), colors);
  pen.restore();
  drawScale(width, colors);
  parts.push(`${time(view.to - view.from)} shown`, `${drawn} slices drawn`);
}

function drawTrack(track, y, width, colors, found) {
  let drawn = 0, last = -1;
  pen.fillStyle = colors.line;
  pen.fillRect(0, y + ROW - 1, width, 1);
  for (let index = first(track.slices, view.from); index < track.slices.length; index++) {
    const slice = track.slices[index];
    if (slice.at > view.to) break;
    const left = Math.max(LABELS, x(slice.at)), right = Math.min(width, x(slice.at + slice.took));
    // What is thinner than a pixel is drawn once for each pixel.
    if (right - last < 0.5 && !found.has(slice)) continue;
    last = right;
    drawn++;
    const high = slice.kind === "wait" ? 6 : 14;
    pen.fillStyle = colors[slice.kind] || colors.faint;
    pen.fillRect(left, y + (ROW - high) / 2, Math.max(1, right - left), high);
    if (found.has(slice)) { pen.strokeStyle = colors.found; pen.lineWidth = 3; pen.strokeRect(left, y + 4, Math.max(2, right - left), ROW - 8); }
    if (view.picked === slice) { pen.strokeStyle = colors.front; pen.lineWidth = 2; pen.strokeRect(left, y + 3, Math.max(2, right - left), ROW - 6); }
    if (right - left > 60 && slice.kind !== "wait") { pen.fillStyle = "#fff"; pen.fillText(slice.name, left + 5, y + ROW / 2, right - left - 8); }
  }
  for (const mark of track.marks) {
    if (mark.at < view.from || mark.at > view.to) continue;
    const px = x(mark.at);
    pen.fillStyle = mark.kind === "error" ? colors.error : colors.front;
    pen.beginPath();
    if (mark.kind === "born") { pen.moveTo(px, y + 3); pen.lineTo(px + 7, y + ROW / 2); pen.lineTo(px, y + ROW - 3); }
    else if (mark.kind === "end") pen.rect(px - 1, y + 2, 3, ROW - 4);
    else pen.arc(px, y + 5, mark.kind === "error" ? 4 : 2, 0, 7);
    pen.fill();
    if (found.has(mark)) { pen.strokeStyle = colors.found; pen.lineWidth = 3; pen.stroke(); }
  }
  return drawn;
}

// The first slice that is not over at that time; they do not overlap.
function first(slices, time) {
  let low = 0, high = slices.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (slices[middle].at + slices[middle].took < time) low = middle + 1; else high = middle;
  }
  return low;
}

function drawArrows(messages, rows, height, colors) {
  pen.strokeStyle = colors.arrow; pen.fillStyle = colors.arrow; pen.lineWidth = 1; pen.globalAlpha = 0.75;
  const cells = new Set();
  for (const one of messages) {
    const arrives = one.received ?? one.sent;
    if (arrives < view.from || one.sent > view.to) continue;
    const [x1, x2, y1, y2] = [x(one.sent), x(arrives), rows.get(one.from) + ROW / 2, rows.get(one.to) + ROW / 2];
    if (Math.max(y1, y2) < HEAD || Math.min(y1, y2) > height) continue;
    // As many arrows as there are places for.
    const cell = Math.round(x1 / 2) + "," + Math.round(x2 / 2) + "," + y1 + "," + y2;
    if (cells.has(cell)) continue;
    cells.add(cell);
    pen.beginPath(); pen.moveTo(x1, y1); pen.lineTo(x2, y2); pen.stroke();
    const turn = Math.atan2(y2 - y1, x2 - x1);
    pen.beginPath(); pen.moveTo(x2, y2);
    for (const side of [0.4, -0.4]) pen.lineTo(x2 - 7 * Math.cos(turn + side), y2 - 7 * Math.sin(turn + side));
    pen.fill();
  }
  pen.globalAlpha = 1;
}

function drawLabel(track, y, colors) {
  pen.fillStyle = colors.back; pen.fillRect(0, y, LABELS - 2, ROW - 1);
  pen.fillStyle = colors.front; pen.fillText(cut(track.name, LABELS - 16), 8, y + ROW / 2);
}

function cut(text, width) {
  if (pen.measureText(text).width <= width) return text;
  let end = text.length;
  while (end > 1 && pen.measureText(text.slice(0, end) + "…").width > width) end--;
  return text.slice(0, end) + "…";
}

function drawScale(width, colors) {
  const goal = ((view.to - view.from) / Math.max(1, width - LABELS)) * 110;
  const base = 10 ** Math.floor(Math.log10(goal)), step = [1, 2, 5, 10].map((times) => times * base).find((size) => size >= goal);
  pen.fillStyle = colors.back; pen.fillRect(0, 0, width, HEAD);
  pen.fillStyle = colors.faint; pen.strokeStyle = colors.line; pen.lineWidth = 1;
  for (let tick = Math.ceil((view.from - trace.from) / step); tick * step <= view.to - trace.from; tick++) {
    const px = x(trace.from + tick * step);
    pen.fillText(time(tick * step), px + 3, HEAD / 2);
    pen.beginPath(); pen.moveTo(px, 4); pen.lineTo(px, HEAD); pen.stroke();
  }
  pen.fillStyle = colors.line; pen.fillRect(0, HEAD - 1, width, 1);
}

function time(micros) {
  const size = Math.abs(micros);
  if (size < 1) return (micros * 1000).toFixed(0) + " ns";
  if (size < 1000) return Number(micros.toPrecision(4)) + " µs";
  if (size < 1e6) return Number((micros / 1e3).toPrecision(4)) + " ms";
  return Number((micros / 1e6).toPrecision(4)) + " s";
}

// ---- sequence

function drawSequence(tracks, messages, parts) {
  const column = new Map(tracks.map((track, index) => [track.id, 70 + index * 150]));
  const lines = messages.map((one) => ({ at: one.sent, one }));
  for (const mark of trace.marks) if (column.has(mark.track) && ["born", "error", "end"].includes(mark.kind)) lines.push({ at: mark.at, mark });
  lines.sort((a, b) => a.at - b.at);
  const rows = lines.filter((line) => line.at >= view.from && line.at <= view.to);
  const cutRows = rows.slice(0, ROWS_MAX);
  if (rows.length > cutRows.length) parts.push(`the first ${ROWS_MAX} of ${rows.length} lines: zoom in the timeline, or filter`);
  const width = 140 + tracks.length * 150, height = 40 + cutRows.length * 26 + 20;
  const svg = node("svg", { width, height, role: "img", "aria-label": "sequence diagram" });
  for (const track of tracks) {
    const px = column.get(track.id);
    svg.append(node("line", { class: "life", x1: px, x2: px, y1: 30, y2: height }), text(px, 18, track.name, "", "middle"));
  }
  cutRows.forEach((line, index) => svg.append(...sequenceLine(line, 50 + index * 26, column)));
  element("sequence").replaceChildren(svg);
}

function sequenceLine({ one, mark }, y, column) {
  if (one) {
    const [x1, x2] = [column.get(one.from), column.get(one.to)];
    const took = one.received == null ? "" : " · " + time(one.received - one.sent);
    const parts = x1 === x2 ? [text(x1 + 10, y - 3, "to itself, " + one.bytes + " bytes" + took, "faint")] : arrow(x1, x2, y, "message", one.bytes + " bytes" + took);
    return picked(parts, one);
  }
  const px = column.get(mark.track);
  if (mark.kind === "born" && mark.parent && column.has(mark.parent)) return picked(arrow(column.get(mark.parent), px, y, "birth", "spawns"), mark);
  if (mark.kind === "born") return picked([text(px + 8, y + 4, "born", "faint")], mark);
  const shape = node("rect", { class: mark.kind, x: px - 5, y: y - 5, width: 10, height: 10 });
  return picked([shape, text(px + 9, y + 4, mark.text.length > 48 ? mark.text.slice(0, 47) + "…" : mark.text, "faint")], mark);
}

function arrow(x1, x2, y, kind, label) {
  const side = x2 > x1 ? -1 : 1;
  const head = node("path", { d: `M${x2},${y} l${side * 8},-4 v8 z`, style: `fill: var(--${kind === "birth" ? "faint" : "arrow"})` });
  return [node("line", { class: kind, x1, x2, y1: y, y2: y }), head, text((x1 + x2) / 2, y - 4, label, "faint", "middle")];
}

function picked(nodes, thing) {
  for (const one of nodes) { one.style.cursor = "pointer"; one.addEventListener("click", () => pick(thing)); }
  return nodes;
}

function node(tag, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function text(px, y, content, kind, anchor = "start") {
  const made = node("text", { x: px, y, class: kind, "text-anchor": anchor });
  made.textContent = content;
  return made;
}

// ---- details

function pick(thing) {
  view.picked = thing;
  const who = (id) => trace.by.get(id)?.name ?? "#" + id;
  const lines = [];
  if (thing == null) lines.push("");
  else if ("sent" in thing) {
    lines.push(`message from ${who(thing.from)} to ${who(thing.to)}, ${thing.bytes} bytes`, `sent at ${time(thing.sent - trace.from)}`);
    lines.push(thing.received == null ? (thing.to ? "never received" : "to the host") : `received ${time(thing.received - thing.sent)} later`);
  } else if ("took" in thing) lines.push(`${who(thing.track)}: ${thing.name}`, `from ${time(thing.at - trace.from)}, for ${time(thing.took)}`);
  else {
    lines.push(`${who(thing.track)}: ${thing.name} at ${time(thing.at - trace.from)}`);
    if (thing.text) lines.push(thing.text);
    if (thing.kind === "born") lines.push(thing.parent ? `spawned by ${who(thing.parent)}` : "spawned by the host");
  }
  element("details").textContent = lines.join("\n");
}

// What is under the pointer: a mark before a slice before an arrow.
function under(px, py) {
  const tracks = shown(), row = Math.floor((py - HEAD + element("timeline").scrollTop) / ROW), track = tracks[row];
  if (py < HEAD || px < LABELS) return null;
  const now = at(px), slack = (4 / (canvas.clientWidth - LABELS)) * (view.to - view.from);
  const mark = track?.marks.find((one) => Math.abs(one.at - now) < slack);
  if (mark) return mark;
  const slice = track?.slices[first(track.slices, now)];
  if (slice && slice.at <= now && Math.abs(((py - HEAD + element("timeline").scrollTop) % ROW) - ROW / 2) < 8) return slice;
  return view.arrows ? arrowAt(px, py, tracks) : null;
}

function arrowAt(px, py, tracks) {
  const top = element("timeline").scrollTop, y = new Map(tracks.map((track, row) => [track.id, HEAD + row * ROW - top + ROW / 2]));
  return trace.messages.find((one) => {
    if (!y.has(one.from) || !y.has(one.to)) return false;
    const [x1, y1, x2, y2] = [x(one.sent), y.get(one.from), x(one.received ?? one.sent), y.get(one.to)];
    const long = (x2 - x1) ** 2 + (y2 - y1) ** 2 || 1, part = ((px - x1) * (x2 - x1) + (py - y1) * (y2 - y1)) / long;
    return part >= 0 && part <= 1 && Math.hypot(px - x1 - part * (x2 - x1), py - y1 - part * (y2 - y1)) < 4;
  }) ?? null;
}

// ---- what the user does

function zoom(factor, around = (view.from + view.to) / 2) {
  const whole = trace.to - trace.from, width = Math.min(whole * 1.1, Math.max(0.05, (view.to - view.from) * factor));
  const part = (around - view.from) / (view.to - view.from);
  view.from = around - part * width;
  view.to = view.from + width;
  show();
}

function move(micros) { view.from += micros; view.to += micros; show(); }
function fit() { [view.from, view.to] = [trace.from, trace.to]; show(); }

function listen() {
  for (const tab of ["timeline", "sequence"]) element("tab-" + tab).onclick = () => { view.tab = tab; show(); };
  element("filter").oninput = (event) => { view.filter = event.target.value; show(); };
  element("search").oninput = (event) => { view.search = event.target.value; view.find = -1; show(); };
  element("search").onkeydown = (event) => { if (event.key === "Enter") toFind(event.shiftKey ? -1 : 1); };
  element("arrows").onchange = (event) => { view.arrows = event.target.checked; show(); };
  element("zoom-in").onclick = () => zoom(0.5);
  element("zoom-out").onclick = () => zoom(2);
  element("fit").onclick = fit;
  element("next").onclick = () => toFind(1);
  element("previous").onclick = () => toFind(-1);
  element("timeline").onscroll = show;
  addEventListener("resize", show);
  addEventListener("hashchange", () => { named(location.hash); show(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
  canvas.addEventListener("wheel", (event) => {
    const sideways = event.shiftKey ? event.deltaY : event.deltaX;
    if (event.ctrlKey || event.metaKey) { event.preventDefault(); zoom(1.0015 ** event.deltaY, at(event.offsetX)); }
    else if (sideways) { event.preventDefault(); move((sideways / canvas.clientWidth) * (view.to - view.from)); }
  }, { passive: false });
  drag();
  addEventListener("keydown", (event) => {
    if (event.target.tagName === "INPUT" || event.ctrlKey || event.metaKey) return;
    const width = view.to - view.from;
    const keys = { "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), 0: fit, ArrowLeft: () => move(-width / 8), ArrowRight: () => move(width / 8), n: () => toFind(1), N: () => toFind(-1) };
    if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
  });
}

function drag() {
  let from = null, moved = false;
  canvas.addEventListener("pointerdown", (event) => { from = event; moved = false; canvas.setPointerCapture(event.pointerId); });
  canvas.addEventListener("pointermove", (event) => {
    if (!from || Math.abs(event.clientX - from.clientX) + Math.abs(event.clientY - from.clientY) < 3 && !moved) return;
    moved = true;
    canvas.classList.add("dragging");
    element("timeline").scrollTop -= event.clientY - from.clientY;
    move(((from.clientX - event.clientX) / (canvas.clientWidth - LABELS)) * (view.to - view.from));
    from = event;
  });
  canvas.addEventListener("pointerup", (event) => {
    canvas.classList.remove("dragging");
    if (from && !moved) { pick(under(event.offsetX, event.offsetY)); show(); }
    from = null;
  });
}
