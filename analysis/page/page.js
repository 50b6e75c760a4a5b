"use strict";
const source = document.getElementById("drawings");
const drawings = source ? JSON.parse(source.textContent) : {};
const dark = window.matchMedia("(prefers-color-scheme: dark)");

const options = {
  responsive: true,
  displaylogo: false,
  // Plotly's own default is a button that uploads the figure's data to its makers.
  showSendToCloud: false,
  plotlyServerURL: "",
  modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
};

function drawAll(theme) {
  for (const place of document.querySelectorAll("[data-figure]")) {
    const drawing = drawings[place.dataset.figure][theme];
    Plotly.react(place, drawing.data, drawing.layout, options);
  }
}

function drawForScreen() {
  drawAll(dark.matches ? "dark" : "light");
}

if (source) {
  drawForScreen();
  dark.addEventListener("change", drawForScreen);
  window.addEventListener("beforeprint", () => drawAll("light"));
  window.addEventListener("afterprint", drawForScreen);
}

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
