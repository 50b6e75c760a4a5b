"use strict";
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const narrow = window.matchMedia("(max-width: 560px)");

const options = {
  responsive: true,
  displaylogo: false,
  // Plotly's own default is a button that uploads the figure's data to its makers.
  showSendToCloud: false,
  plotlyServerURL: "",
  modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
  // Fingers zoom without buttons, which would lie over the figure.
  displayModeBar: window.matchMedia("(pointer: coarse)").matches ? false : "hover",
};

let drawings = {};

// What was packed into the page: its length, and deflated in base 91, two digits for 13 bits.
async function unpacked(id) {
  const packed = document.getElementById(id).textContent;
  const values = new Uint8Array(128);
  let value = 0;
  for (let sign = 33; sign < 127; sign++) {
    if (!"<>&".includes(String.fromCharCode(sign))) values[sign] = value++;
  }
  const bytes = new Uint8Array(Number.parseInt(packed, 10));
  let [word, numBits, place] = [0, 0, 0];
  for (let at = packed.indexOf(",") + 1; at < packed.length; at += 2) {
    const digits = values[packed.charCodeAt(at)] * 91 + values[packed.charCodeAt(at + 1)];
    word = (word << 13) | digits;
    for (numBits += 13; numBits >= 8; numBits -= 8) bytes[place++] = word >> (numBits - 8);
    word &= 255;
  }
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).text();
}

async function drawFirst() {
  drawings = JSON.parse(await unpacked("drawings"));
  const pages = JSON.parse(document.getElementById("pages").textContent);
  const library = document.createElement("script");
  library.textContent = await unpacked("library");
  document.head.append(library);
  drawForScreen();
  for (const place of document.querySelectorAll("[data-figure]")) {
    place.on("plotly_click", ({ points: [point] }) => {
      const page = pages[point.customdata];
      if (page) window.open(page, "_blank", "noreferrer");
    });
  }
  dark.addEventListener("change", drawForScreen);
  narrow.addEventListener("change", drawForScreen);
  window.addEventListener("beforeprint", () => drawAll("light"));
  window.addEventListener("afterprint", drawForScreen);
}

// Long names beside an axis and below it take several lines, or they would take its place.
function narrowed(layout) {
  const made = structuredClone(layout);
  for (const [name, axis] of Object.entries(made)) {
    if (!/^[xy]axis/.test(name)) continue;
    axis.title.text = wrapped(axis.title.text, 18);
    if (name.startsWith("y")) axis.ticktext = axis.ticktext?.map((text) => wrapped(text, 14));
  }
  return made;
}

function wrapped(text, width) {
  let length = 0;
  return text
    .split(/(?<=[ .])/)
    .map((word) => {
      const breaks = length > 0 && length + word.trim().length > width;
      length = breaks ? word.length : length + word.length;
      return (breaks ? "<br>" : "") + word;
    })
    .join("");
}

function drawAll(theme) {
  for (const place of document.querySelectorAll("[data-figure]")) {
    const drawing = drawings[place.dataset.figure][theme];
    const layout = narrow.matches ? narrowed(drawing.layout) : drawing.layout;
    Plotly.react(place, drawing.data, layout, options);
  }
}

function drawForScreen() {
  drawAll(dark.matches ? "dark" : "light");
}

if (document.getElementById("drawings")) drawFirst();

// What can be saved becomes files when the page is opened: the browser holds them, nobody is asked.
async function giveFiles() {
  const files = JSON.parse(await unpacked("files"));
  for (const link of document.querySelectorAll("a[download]")) {
    const file = new Blob([files[link.download]], { type: "text/csv" });
    link.href = URL.createObjectURL(file);
    link.hidden = false;
  }
}

if (document.getElementById("files")) giveFiles();

function sortBy(heading) {
  const table = heading.closest("table");
  const place = heading.cellIndex;
  const rising = heading.getAttribute("aria-sort") !== "ascending";
  const key = (row) => row.cells[place].dataset.value ?? row.cells[place].textContent;
  const numeric = heading.classList.contains("number");
  const rows = [...table.tBodies[0].rows];
  rows.sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    if (x === "" || y === "") return (x === "") - (y === ""); // what is missing stays last
    const order = numeric ? Number(x) - Number(y) : x.localeCompare(y);
    return rising ? order : -order;
  });
  for (const other of table.querySelectorAll("th")) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", rising ? "ascending" : "descending");
  table.tBodies[0].append(...rows);
}

for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => sortBy(button.closest("th")));
}

// A row stays that has all of the words.
function filterBy(field, table, said) {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = [...table.tBodies[0].rows];
  for (const row of rows) {
    const text = row.textContent.toLowerCase();
    row.hidden = !words.every((word) => text.includes(word));
  }
  const left = rows.filter((row) => !row.hidden).length;
  said.textContent = words.length ? `${left} of ${rows.length}` : "";
}

for (const filter of document.querySelectorAll(".filter")) {
  const field = filter.querySelector("input");
  const table = filter.nextElementSibling.querySelector("table");
  const said = filter.querySelector("output");
  filter.hidden = false;
  field.addEventListener("input", () => filterBy(field, table, said));
  if (field.value) filterBy(field, table, said); // a browser may have kept it
}

// While the study runs: whether it is still written, and a reload unless somebody works with it.
const live = document.querySelector(".live");
if (live) {
  const every = Number(live.dataset.every);
  const choice = live.querySelector("label");
  const reloads = choice.querySelector("input");
  reloads.checked = sessionStorage.getItem("reloads") !== "no";
  reloads.addEventListener("change", () => {
    sessionStorage.setItem("reloads", reloads.checked ? "yes" : "no");
  });
  choice.hidden = false;
  const opened = Date.now();
  const isInUse = () =>
    document.hidden ||
    document.querySelector("details[open]") !== null ||
    [...document.querySelectorAll(".filter input")].some((field) => field.value);
  const look = () => {
    const age = Math.round(Date.now() / 1000 - Number(live.dataset.written));
    const isStale = age > 5 * every + 60;
    live.querySelector("output").textContent = isStale
      ? `It is ${Math.round(age / 60)} min old: either it is written no more, or to be reloaded.`
      : "";
    if (reloads.checked && !isInUse() && Date.now() - opened > 1000 * every) location.reload();
  };
  look();
  setInterval(look, 5000);
}
