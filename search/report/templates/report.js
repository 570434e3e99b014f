// Everything that answers in the page: charts, table, sliders, and one selection that all share.
// Texts of a study go into the page as text nodes only.
const data = JSON.parse(document.getElementById("data").textContent);
const models = data.models;
const byTrial = new Map(models.map((model) => [model.trial, model]));
const front = models.filter((model) => model.front).sort((a, b) => a.size - b.size);
const views = new Map();
const element = (id) => document.getElementById(id);
const state = { selected: null, sort: "size", down: false, shown: 200, limits: {} };

// --- Numbers as people read them ---------------------------------------------------------
const digits = (value) => (value === 0 ? "0" : Number(value.toPrecision(3)).toString());
const percent = (value) => `${(100 * value).toFixed(1)} %`;
const bytes = (value) =>
  value >= 999500 ? `${digits(value / 1e6)} MB`
  : value >= 999.5 ? `${digits(value / 1e3)} kB` : `${Math.round(value)} B`;
const ms = (value) => `${digits(value)} ms`;
const or = (form) => (value) => (value === null || value === undefined ? "" : form(value));

// A parameter's value: six digits tell any two apart.
const plain = (value) => (typeof value === "number" ? String(Number(value.toPrecision(6))) : String(value));

function make(tag, text, parent) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (parent) parent.append(made);
  return made;
}

function pairs(list, rows) {
  list.replaceChildren();
  for (const [name, value] of rows) {
    const row = make("div", undefined, list);
    make("dt", name, row);
    make("dd", plain(value), row);
  }
}

// --- Charts ------------------------------------------------------------------------------
function themeConfig() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const isDark = style.colorScheme === "dark";
  const [text, soft, line, mark] = ["--text", "--soft", "--line", "--mark"].map(colour);
  const range = isDark ? [0.3, 1] : [0, 0.88];
  return {
    background: "transparent",
    font: "system-ui, sans-serif",
    view: { stroke: line },
    axis: {
      labelColor: soft, titleColor: text, gridColor: line, gridOpacity: 0.6, domainColor: soft,
      tickColor: soft, labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal",
    },
    legend: {
      labelColor: soft, titleColor: text, labelFontSize: 12, titleFontSize: 12,
      titleFontWeight: "normal", symbolFillColor: soft, symbolStrokeColor: soft, symbolOpacity: 1, gradientOpacity: 1,
      titleLimit: 220, gradientLength: 130,
    },
    text: { color: text, fontSize: 12 },
    line: { color: colour("--accent") },
    bar: { color: colour("--accent") },
    rule: { color: text },
    point: { stroke: colour("--bg") },
    style: { limit: { color: mark, stroke: mark } },
    range: {
      ramp: { scheme: "viridis", extent: range },
      heatmap: { scheme: "viridis", extent: range },
      category: isDark
        ? ["#7db4ff", "#fb9a5b", "#5fce8b", "#e58fd8", "#f0d264", "#6fd6e0", "#c0a5ff"]
        : ["#1d5fb8", "#c2410c", "#15713a", "#9b2c8f", "#8a6d00", "#0e7490", "#6d4bc2"],
    },
  };
}

async function draw(place) {
  const name = place.dataset.chart;
  const stretched = element("log-error")?.checked && data.specs[`${name}_log`];
  const found = data.specs[stretched ? `${name}_log` : name];
  if (!found) return;
  const spec = structuredClone(found);
  if (spec.data?.name === "models") spec.data.values = models;
  const isNarrow = place.clientWidth < 520;
  const config = themeConfig();
  if (isNarrow) config.legend = { ...config.legend, orient: "bottom", columns: 1, titleLimit: 150 };
  views.get(name)?.finalize();
  const { view, finalize } = await window.vegaEmbed(place, spec, {
    actions: false, ast: true, renderer: "svg", logLevel: 1, config, tooltip: showTip,
  });
  views.set(name, { view, finalize, width: place.clientWidth });
  view.addEventListener("click", (_, item) => {
    const trial = trialOf(item);
    if (byTrial.has(trial)) select(trial);
  });
  tell(view);
}

// A line's item is one of its points' data, or a group of them.
const trialOf = (item) => item?.datum?.trial ?? item?.datum?.items?.[0]?.datum?.trial;

function signal(view, name, value) {
  try {
    view.signal(name, value);
  } catch {
    // This chart has none of that name: it shows no models.
  }
}

function tell(view) {
  signal(view, "selected", state.selected);
  for (const name of ["max_size", "max_latency", "max_ram", "min_accuracy"])
    signal(view, name, state.limits[name] ?? null);
  view.runAsync();
}

const tellAll = () => views.forEach(({ view }) => tell(view));

async function drawAll() {
  for (const place of document.querySelectorAll(".chart")) await draw(place);
  document.documentElement.dataset.drawn = "yes";
}

function showTip(_, event, item, value) {
  element("tip")?.remove();
  const model = byTrial.get(trialOf(item));
  if (!model && (value === null || value === undefined || value === "")) return;
  const tip = make("div");
  tip.id = "tip";
  const list = () => make("dl", undefined, tip);
  const add = (to, name, text) => {
    make("dt", name, to);
    make("dd", text, to);
  };
  if (model) {
    make("strong", model.says, tip);
    const to = list();
    if (model.low !== null) add(to, "95 %", `${percent(model.low)} to ${percent(model.high)}`);
    for (const [name, text] of Object.entries(model.params)) add(to, name, plain(text));
  } else if (typeof value === "object") {
    const to = list();
    for (const [name, text] of Object.entries(value)) add(to, name, plain(text));
  } else make("span", String(value), tip);
  document.body.append(tip);
  const box = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(event.clientX + 14, innerWidth - box.width - 4))}px`;
  tip.style.top = `${Math.max(4, Math.min(event.clientY + 14, innerHeight - box.height - 4))}px`;
}

// --- The selection -----------------------------------------------------------------------
function select(trial) {
  state.selected = trial;
  const model = byTrial.get(trial);
  const interval = model.low === null ? "" : ` (95 %: ${percent(model.low)} to ${percent(model.high)})`;
  const origin = model.from === null ? "" : `, ${model.origin} from trial ${model.from}`;
  element("selected-says").textContent =
    `${model.says[0].toUpperCase()}${model.says.slice(1)}${origin}${interval}` +
    `${model.front ? "" : "; not on the front"}${model.kept ? "" : "; breaks the limits"}`;
  pairs(element("selected-params"), [
    ...(model.ram === null ? [] : [["RAM", bytes(model.ram)]]),
    ...(model.sparsity === null ? [] : [["sparsity", percent(model.sparsity)]]),
    ...(model.n_params === null ? [] : [["weights", model.n_params.toLocaleString("en")]]),
    ...Object.entries(model.params),
  ]);
  element("export").hidden = false;
  element("export-line").textContent = `${data.export} ${trial}`;
  offer(trial);
  for (const row of document.querySelectorAll("[data-trial]"))
    row.setAttribute("aria-selected", String(Number(row.dataset.trial) === trial));
  tellAll();
}

let offered = null;
function offer(trial) {
  if (offered) URL.revokeObjectURL(offered);
  offered = null;
  const file = data.files[trial];
  element("download").hidden = !file;
  if (!file) return;
  const content = Uint8Array.from(atob(file), (letter) => letter.charCodeAt(0));
  offered = URL.createObjectURL(new Blob([content], { type: "application/octet-stream" }));
  const link = element("download-link");
  link.href = offered;
  link.download = `${data.study.replace(/[^\w.-]+/g, "_")}-${trial}.tflite`;
  link.textContent = `Download ${link.download} (${bytes(content.length)})`;
}

function step(event) {
  const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
  if (!by || !front.length) return;
  event.preventDefault();
  const key = event.currentTarget.dataset.chart === "latency" ? "latency" : "size";
  const order = [...front].sort((a, b) => a[key] - b[key]);
  const at = order.findIndex((model) => model.trial === state.selected);
  const next = at < 0 ? 0 : Math.min(Math.max(at + by, 0), order.length - 1);
  select(order[next].trial);
}

// --- The table ---------------------------------------------------------------------------
const columns = [
  ["trial", "trial", String], ["accuracy", "accuracy", percent], ["size", "size", bytes],
  ["latency", "latency", ms],
  ...(models.some((model) => model.ram !== null) ? [["RAM", "ram", or(bytes)]] : []),
  ["scheme", "scheme", String], ["sparsity", "sparsity", or((v) => `${Math.round(100 * v)} %`)],
  ["weights", "n_params", or((v) => v.toLocaleString("en"))], ["origin", "origin", String],
];
const texts = new Set(["scheme", "origin"]);

const stays = (model) => {
  const { max_size, max_latency, max_ram, min_accuracy } = state.limits;
  return (max_size == null || model.size <= max_size)
    && (max_latency == null || model.latency <= max_latency)
    && (max_ram == null || (model.ram !== null && model.ram <= max_ram))
    && (min_accuracy == null || model.accuracy >= min_accuracy);
};

function words(model) {
  const params = Object.entries(model.params).map(([name, value]) => `${name}=${value} ${value}`);
  return `trial ${model.trial} ${model.scheme} ${model.origin} ${params.join(" ")}`.toLowerCase();
}

function fill() {
  const wanted = element("filter").value.toLowerCase().split(/[\s,]+/).filter(Boolean);
  const rows = models
    .filter((model) => model.front || element("all").checked)
    .filter((model) => wanted.every((word) => words(model).includes(word)));
  const key = state.sort;
  rows.sort((a, b) => {
    const [x, y] = [a[key], b[key]];
    if (x === y) return a.trial - b.trial;
    if (x === null || y === null) return x === null ? 1 : -1;
    return (x < y ? -1 : 1) * (state.down ? -1 : 1);
  });
  const body = element("models").tBodies[0];
  body.replaceChildren();
  for (const model of rows.slice(0, state.shown)) {
    const row = make("tr", undefined, body);
    row.dataset.trial = model.trial;
    row.tabIndex = 0;
    row.setAttribute("aria-selected", String(model.trial === state.selected));
    if (!stays(model)) row.className = "left-out";
    for (const [, name, form] of columns) {
      const cell = make("td", form(model[name]), row);
      if (texts.has(name)) cell.className = "text";
    }
  }
  element("count").textContent = `${rows.length.toLocaleString("en")} models`;
  element("more").hidden = rows.length <= state.shown;
}

function makeHead() {
  const head = element("models").tHead.rows[0];
  for (const [title, key] of columns) {
    const cell = make("th", undefined, head);
    cell.scope = "col";
    if (texts.has(key)) cell.className = "text";
    const button = make("button", title, cell);
    button.type = "button";
    button.addEventListener("click", () => {
      state.down = state.sort === key ? !state.down : key === "accuracy";
      state.sort = key;
      for (const other of head.cells) other.removeAttribute("aria-sort");
      cell.setAttribute("aria-sort", state.down ? "descending" : "ascending");
      fill();
    });
    if (key === state.sort) cell.setAttribute("aria-sort", "ascending");
  }
}

function chooseRow(event) {
  const row = event.target.closest("tr[data-trial]");
  if (!row || (event.type === "keydown" && event.key !== "Enter" && event.key !== " ")) return;
  event.preventDefault();
  select(Number(row.dataset.trial));
}

// --- Sliders -----------------------------------------------------------------------------
const STEPS = 200;
const sliders = [
  ["max_size", "size up to", "size", bytes, true], ["max_latency", "latency up to", "latency", ms, true],
  ["max_ram", "RAM up to", "ram", bytes, true], ["min_accuracy", "accuracy from", "accuracy", percent, false],
];

function makeSliders() {
  for (const [name, title, key, form, isMax] of sliders) {
    const values = models.map((model) => model[key]).filter((value) => value !== null);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    if (!values.length || low === high) continue;
    const row = make("label", undefined, element("sliders"));
    row.className = "slider";
    make("span", title, row);
    const input = make("input", undefined, row);
    Object.assign(input, { type: "range", min: 0, max: STEPS, name, value: isMax ? STEPS : 0 });
    const output = make("output", undefined, row);
    const isLog = isMax && low > 0;
    const tellValue = () => {
      const share = input.value / STEPS;
      const isOpen = isMax ? share === 1 : share === 0;
      const value = isLog ? low * (high / low) ** share : low + share * (high - low);
      state.limits[name] = isOpen ? null : value;
      output.textContent = isOpen ? "any" : form(value);
      input.setAttribute("aria-valuetext", output.textContent);
    };
    input.addEventListener("input", () => {
      tellValue();
      remain();
    });
    tellValue();
  }
}

function remain() {
  const left = models.filter((model) => model.kept && stays(model));
  left.sort((a, b) => b.accuracy - a.accuracy || a.size - b.size || a.latency - b.latency);
  element("remains").textContent = left.length
    ? `${left.length.toLocaleString("en")} models remain; the most accurate is ${left[0].says}.`
    : "No model remains.";
  if (left.length) select(left[0].trial);
  else tellAll();
  fill();
}

// --- Start -------------------------------------------------------------------------------
if (models.length) {
  makeHead();
  makeSliders();
  fill();
  for (const id of ["models", "budgets"]) {
    element(id)?.addEventListener("click", chooseRow);
    element(id)?.addEventListener("keydown", chooseRow);
  }
  document.querySelectorAll("#budgets tr[data-trial]").forEach((row) => (row.tabIndex = 0));
  element("filter").addEventListener("input", fill);
  element("all").addEventListener("change", fill);
  element("more").addEventListener("click", () => { state.shown += 500; fill(); });
  element("log-error").addEventListener("change", drawAll);
  element("copy").addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(element("export-line").textContent);
      element("copy").textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(element("export-line"));  // To be copied by hand.
    }
    setTimeout(() => (element("copy").textContent = "Copy"), 1500);
  });
  element("reset").addEventListener("click", () => {
    for (const input of element("sliders").querySelectorAll("input")) {
      input.value = input.name === "min_accuracy" ? 0 : STEPS;
      input.dispatchEvent(new Event("input"));
    }
  });
  document.querySelectorAll(".chart[tabindex]").forEach((p) => p.addEventListener("keydown", step));
}
document.addEventListener("theme", drawAll);
let resized = null;
window.addEventListener("resize", () => {
  clearTimeout(resized);
  resized = setTimeout(drawAll, 150);
});
await drawAll();
if (data.knee !== null) select(data.knee);
