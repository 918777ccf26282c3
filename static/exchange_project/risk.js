// Keeps a page of the risk desk fresh while it is looked at, and draws its charts.
const REFRESH_MS = 5000;
const DASHES = { safe: [], call: [8, 4], liquidate: [2, 3], bankrupt: [12, 3, 2, 3] };
const SIGNS = { safe: "circle", call: "triangle", liquidate: "rect", bankrupt: "crossRot" };
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

const live = document.getElementById("live");
const state = document.getElementById("live-state");
const toggle = document.getElementById("live-toggle");
const charts = new Map();
let isPaused = false;
let isAsking = false;

function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function dataset(series, times) {
  const ink = color(series.color);
  const isBar = series.kind === "bar";
  return {
    type: isBar ? "bar" : "line",
    label: series.name,
    data: series.values.map((value, index) => (times ? { x: times[index], y: Number(value) } : Number(value))),
    yAxisID: series.axis ?? "y",
    borderColor: ink,
    backgroundColor: isBar ? `${ink}66` : ink,
    borderWidth: isBar ? 1 : 2,
    borderDash: isBar ? [] : DASHES[series.color],
    pointStyle: SIGNS[series.color],
    pointRadius: series.values.length > 40 ? 0 : 3,
    stepped: series.kind === "steps",
    maxBarThickness: 48,
    order: isBar ? 1 : 0,
  };
}

function axis(title, extra = {}) {
  const soft = color("soft");
  return {
    title: { display: Boolean(title), text: title, color: soft },
    ticks: { color: soft, callback: (value) => compact.format(value) },
    grid: { color: color("line") },
    ...extra,
  };
}

// Instants are told in UTC, as everywhere on the desk.
function instant(milliseconds) {
  return new Date(milliseconds).toISOString().slice(5, 16).replace("T", " ");
}

function horizontal(times) {
  const ticks = { color: color("soft"), maxRotation: 0, autoSkipPadding: 16 };
  if (!times) return { ticks, grid: { display: false } };
  const ends = { min: times[0], max: times.at(-1) };
  return { type: "linear", ...ends, ticks: { ...ticks, maxTicksLimit: innerWidth < 700 ? 3 : 9, callback: instant }, grid: { display: false } };
}

function options(data) {
  const scales = {
    x: horizontal(data.times),
    y: axis(data.axes?.y),
  };
  if (data.axes?.y1) {
    scales.y1 = axis(data.axes.y1, { position: "right", beginAtZero: true, grid: { display: false } });
    scales.y1.ticks.precision = 0;
  }
  if (data.series.some((one) => one.kind === "bar")) scales.y.beginAtZero = true;
  return {
    animation: false,
    maintainAspectRatio: false,
    interaction: { mode: "index", intersect: false },
    scales,
    plugins: {
      legend: { labels: { color: color("ink"), usePointStyle: true, boxHeight: 7 } },
      tooltip: data.times ? { callbacks: { title: ([first]) => instant(first.parsed.x) } } : {},
    },
  };
}

function draw() {
  for (const canvas of document.querySelectorAll("canvas[data-chart]")) {
    const source = document.getElementById(canvas.dataset.chart);
    if (!source || typeof Chart === "undefined") continue;
    const data = JSON.parse(source.textContent);
    const content = { labels: data.labels, datasets: data.series.map((one) => dataset(one, data.times)) };
    const drawn = charts.get(canvas);
    if (drawn) {
      drawn.data = content;
      drawn.options = options(data);
      drawn.update();
    } else {
      charts.set(canvas, new Chart(canvas, { data: content, options: options(data) }));
    }
  }
}

// Whoever stands on a link of the table stands on it after the refresh too.
function replace(fresh) {
  const link = live.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  live.innerHTML = fresh.innerHTML;
  if (link) live.querySelector(`a[href="${CSS.escape(link)}"]`)?.focus({ preventScroll: true });
  draw();
}

async function refresh() {
  if (isPaused || isAsking || document.hidden || !document.getSelection().isCollapsed) return;
  isAsking = true;
  try {
    const answer = await fetch(location.href);
    if (!answer.ok || answer.redirected) throw new Error(`status ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("live");
    if (!fresh) throw new Error("another page");
    if (!isPaused) {
      replace(fresh);
      state.textContent = "Live, every 5 seconds";
    }
  } catch (error) {
    state.textContent = "✕ Not live: the venue does not answer, or you are logged out";
    console.warn("No refresh:", error);
  } finally {
    isAsking = false;
  }
}

function pause() {
  isPaused = !isPaused;
  toggle.textContent = isPaused ? "Go on" : "Pause";
  state.textContent = isPaused ? "Paused" : "Live, every 5 seconds";
  refresh();
}

draw();
if (live && toggle) {
  toggle.addEventListener("click", pause);
  setInterval(refresh, REFRESH_MS);
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => location.reload());
