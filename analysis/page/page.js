"use strict";
const dark = window.matchMedia("(prefers-color-scheme: dark)");

const options = {
  responsive: true,
  displaylogo: false,
  // Plotly's own default is a button that uploads the figure's data to its makers.
  showSendToCloud: false,
  plotlyServerURL: "",
  modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
};

let drawings = {};

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%.()*+-;[=]?@^_`{|}~";

// What was packed into the page: its length, and deflated in base 85.
async function unpacked(id) {
  const packed = document.getElementById(id).textContent;
  const start = packed.indexOf(",") + 1;
  const values = new Uint8Array(128);
  [...DIGITS].forEach((digit, value) => { values[digit.charCodeAt(0)] = value; });
  const words = new DataView(new ArrayBuffer(((packed.length - start) / 5) * 4));
  for (let at = start, place = 0; at < packed.length; at += 5, place += 4) {
    let word = 0;
    for (let k = at; k < at + 5; k++) word = word * 85 + values[packed.charCodeAt(k)];
    words.setUint32(place, word);
  }
  const bytes = new Uint8Array(words.buffer, 0, Number.parseInt(packed, 10));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).text();
}

async function drawFirst() {
  drawings = JSON.parse(await unpacked("drawings"));
  const library = document.createElement("script");
  library.textContent = await unpacked("library");
  document.head.append(library);
  drawForScreen();
  dark.addEventListener("change", drawForScreen);
  window.addEventListener("beforeprint", () => drawAll("light"));
  window.addEventListener("afterprint", drawForScreen);
}

function drawAll(theme) {
  for (const place of document.querySelectorAll("[data-figure]")) {
    const drawing = drawings[place.dataset.figure][theme];
    Plotly.react(place, drawing.data, drawing.layout, options);
  }
}

function drawForScreen() {
  drawAll(dark.matches ? "dark" : "light");
}

if (document.getElementById("drawings")) drawFirst();

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
