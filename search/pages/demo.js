"use strict";
// Takes pictures of the camera, a video or dropped files, asks the server what they show, and counts.

const STEADY = 3; // Answers in a row that agree before something is counted.
const SURE = 0.6; // Probability below which nothing is said to be seen.
const NOTHING = /^(nothing|none|empty|background|other)$/i; // Classes that are not counted.
const LONGEST_SIDE = 640; // Pixels of a frame that is sent.
const MIN_MS = 80; // Between two frames.

const element = (id) => document.getElementById(id);
const video = element("video");
const canvas = document.createElement("canvas");
let labels = [];
let counts = [];
let rows = [];
let running = 0; // Number of the stream that is being looked at; 0 for none.
let streams = 0;
let times = [];

// What is counted: a class that answers agree on, once, until something else or nothing was there.
const counter = {
  candidate: null, agreed: 0, present: null,
  take(label) {
    this.agreed = label === this.candidate ? this.agreed + 1 : 1;
    this.candidate = label;
    if (this.agreed < STEADY || label === this.present) return null;
    this.present = label;
    return label;
  },
  forget() { this.candidate = null; this.agreed = 0; this.present = null; },
};

function chosenModel() {
  return document.querySelector("input[name=model]:checked").value;
}

function size(bytes) {
  return bytes < 1e6 ? `${(bytes / 1e3).toPrecision(3)} kB` : `${(bytes / 1e6).toPrecision(3)} MB`;
}

function say(text) { element("error").textContent = text; }

async function ask(blob) {
  const response = await fetch(`classify?model=${chosenModel()}`, { method: "POST", body: blob });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

function best(probabilities) {
  return probabilities.reduce((top, value, index) => (value > probabilities[top] ? index : top), 0);
}

function show(answer) {
  const top = best(answer.probabilities);
  const sure = answer.probabilities[top] >= SURE;
  element("label").textContent = sure ? labels[top] : "not sure";
  answer.probabilities.forEach((value, index) => {
    rows[index].meter.value = value;
    rows[index].percent.textContent = ` ${Math.round(100 * value)} %`;
  });
  times.push(answer.milliseconds);
  if (times.length > 50) times.shift();
  const median = [...times].sort((a, b) => a - b)[Math.floor(times.length / 2)];
  element("speed").textContent = `${median.toPrecision(3)} ms an image on this machine (median of ${times.length}).`;
  return sure ? top : null;
}

function count(index) {
  if (index === null || NOTHING.test(labels[index])) return;
  counts[index] += 1;
  rows[index].seen.textContent = counts[index];
}

function frame() {
  const scale = Math.min(1, LONGEST_SIDE / Math.max(video.videoWidth, video.videoHeight));
  canvas.width = Math.round(video.videoWidth * scale);
  canvas.height = Math.round(video.videoHeight * scale);
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
}

async function watch(stream) {
  while (running === stream && !video.ended) {
    const started = performance.now();
    if (video.readyState >= 2 && !video.paused) {
      try {
        const answer = await ask(await frame());
        if (running !== stream) return;
        count(counter.take(show(answer)));
        say("");
      } catch (error) { say(error.message); }
    }
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, MIN_MS - (performance.now() - started))));
  }
  if (running === stream) stop();
}

function stop() {
  running = 0;
  if (video.srcObject) video.srcObject.getTracks().forEach((track) => track.stop());
  video.srcObject = null;
  if (video.src) { URL.revokeObjectURL(video.src); video.removeAttribute("src"); video.load(); }
  element("camera").textContent = "Start the camera";
}

async function play(source) {
  stop();
  if (source instanceof MediaStream) {
    video.srcObject = source;
    element("camera").textContent = "Stop the camera";
  } else {
    video.src = URL.createObjectURL(source);
  }
  counter.forget();
  running = ++streams;
  try {
    await video.play();
  } catch (error) {
    say(`This video cannot be played here: ${error.message}`);
    stop();
    return;
  }
  watch(running);
}

async function camera() {
  if (video.srcObject) { stop(); return; }
  try {
    play(await navigator.mediaDevices.getUserMedia({ video: true }));
  } catch (error) {
    say(`The camera cannot be used: ${error.message}`);
  }
}

async function take(files) {
  for (const file of files) {
    if (file.type.startsWith("video/")) { await play(file); continue; }
    const line = document.createElement("li");
    const picture = document.createElement("img");
    picture.alt = "";
    picture.src = URL.createObjectURL(file);
    line.append(picture, `${file.name}: `);
    element("pictures").prepend(line);
    try {
      const index = show(await ask(file));
      line.append(index === null ? "not sure" : labels[index]);
      count(index);
      say("");
    } catch (error) { line.append(error.message); }
  }
}

async function begin() {
  const info = await (await fetch("info")).json();
  labels = info.labels;
  counts = labels.map(() => 0);
  const { height, width, channels } = info.input;
  const sizes = Object.entries(info.models).map(([name, model]) => `${name} ${size(model.bytes)}`);
  element("model").textContent = `${width} x ${height}, ${channels === 1 ? "gray" : "colour"}; ${sizes.join(", ")}`;
  element("switch").hidden = !("float" in info.models);
  const body = document.querySelector("#classes tbody");
  rows = labels.map((label) => {
    const row = body.insertRow();
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = label;
    const meter = document.createElement("meter");
    meter.setAttribute("aria-label", `Probability of ${label}`);
    const percent = document.createElement("span");
    const cell = document.createElement("td");
    cell.append(meter, percent);
    const seen = document.createElement("td");
    seen.textContent = 0;
    row.append(head, cell, seen);
    return { meter, percent, seen };
  });
  element("camera").addEventListener("click", camera);
  element("files").addEventListener("change", (event) => { take([...event.target.files]); event.target.value = ""; });
  document.querySelectorAll("input[name=model]").forEach((one) => one.addEventListener("change", () => { times = []; }));
  element("reset").addEventListener("click", () => {
    counts = counts.map(() => 0);
    rows.forEach((row) => { row.seen.textContent = 0; });
    counter.forget();
  });
  const body_ = document.body;
  body_.addEventListener("dragover", (event) => { event.preventDefault(); body_.classList.add("dragged"); });
  body_.addEventListener("dragleave", () => body_.classList.remove("dragged"));
  body_.addEventListener("drop", (event) => {
    event.preventDefault();
    body_.classList.remove("dragged");
    take([...event.dataTransfer.files]);
  });
  document.body.dataset.ready = "true";
}

begin().catch((error) => say(error.message));
