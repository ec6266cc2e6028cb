"use strict";

/* Training curves: the charts, the slider and the buttons show the same epoch and the same models. */
(() => {
  const { rows, specs, digits } = JSON.parse(document.getElementById("curves").textContent);
  const slider = document.getElementById("epoch");
  const readout = document.getElementById("readout");
  const buttons = [...document.querySelectorAll(".legend button")];
  const views = [];
  const values = new Map(rows.map((row) => [`${row.panel} ${row.epoch} ${row.model}`, row.mean]));

  function setSignal(name, value) {
    for (const view of views) view.signal(name, value).runAsync();
  }

  function showEpoch(epoch) {
    slider.value = epoch;
    document.getElementById("epoch-shown").textContent = epoch;
    document.getElementById("epoch-read").textContent = epoch;
    const spoken = [];
    for (const row of readout.tBodies[0].rows) {
      for (const cell of row.querySelectorAll("td")) {
        const value = values.get(`${cell.dataset.panel} ${epoch} ${row.dataset.model}`);
        cell.textContent = value === undefined ? "–" : value.toFixed(digits[cell.dataset.panel]);
        if (cell.dataset.panel === "validation_accuracy") {
          spoken.push(`${row.cells[0].textContent.trim()} ${cell.textContent} %`);
        }
      }
    }
    slider.setAttribute("aria-valuetext", `Epoch ${epoch}. Validation accuracy: ${spoken.join(", ")}`);
    setSignal("epoch", epoch);
  }

  function pointAt(view, event) {
    const left = view.container().querySelector("svg").getBoundingClientRect().left + view.origin()[0];
    const epoch = Math.round(view.scale("x").invert(event.clientX - left));
    const nearest = Math.min(Math.max(epoch, Number(slider.min)), Number(slider.max));
    if (nearest !== Number(slider.value)) showEpoch(nearest);
  }

  async function draw(element) {
    const spec = { ...specs[element.dataset.panel], datasets: { curves: rows } };
    const options = {
      renderer: "svg",
      actions: false,
      ast: true, // expressions are interpreted, so that the page needs no eval
      defaultStyle: false,
      tooltip: { theme: "custom", disableDefaultStyle: true },
    };
    const { view } = await window.vegaEmbed(element, spec, options);
    views.push(view);
    element.addEventListener("pointermove", (event) => pointAt(view, event));
    element.addEventListener("pointerdown", (event) => pointAt(view, event));
  }

  slider.addEventListener("input", () => showEpoch(Number(slider.value)));
  slider.closest(".slider").hidden = false;
  for (const button of buttons) {
    button.disabled = false;
    button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", button.getAttribute("aria-pressed") !== "true");
      const hidden = buttons.filter((other) => other.getAttribute("aria-pressed") !== "true");
      setSignal("hidden", hidden.map((other) => other.dataset.model));
    });
  }
  Promise.all([...document.querySelectorAll(".chart")].map(draw)).then(() => {
    showEpoch(Number(slider.value));
    document.documentElement.dataset.charts = "drawn";
  });
})();

/* Confusion matrices: one stop of the Tab key each, arrow keys within, and a line that says what a cell counts. */
for (const table of document.querySelectorAll(".matrix")) {
  const body = table.tBodies[0];
  const names = [...table.tHead.rows[0].cells].slice(1).map((cell) => cell.textContent);
  const detail = table.closest(".matrix-card").querySelector(".detail");
  const number = new Intl.NumberFormat("en");

  const describe = (cell) => {
    const counts = [...cell.parentElement.querySelectorAll("td")].map((other) => Number(other.textContent));
    const total = counts.reduce((sum, count) => sum + count, 0);
    const count = Number(cell.textContent);
    const share = total ? ` (${((100 * count) / total).toFixed(1)}%)` : "";
    const actual = cell.parentElement.cells[0].textContent;
    detail.textContent =
      `True class ${actual}, predicted ${names[cell.cellIndex - 1]}: ` +
      `${number.format(count)} of ${number.format(total)}${share}`;
    for (const marked of table.querySelectorAll(".marked")) marked.classList.remove("marked");
    cell.parentElement.cells[0].classList.add("marked");
    table.tHead.rows[0].cells[cell.cellIndex].classList.add("marked");
  };

  const reach = (cell) => {
    table.querySelector('td[tabindex="0"]').tabIndex = -1;
    cell.tabIndex = 0;
    cell.focus();
  };

  table.addEventListener("pointerover", (event) => event.target.matches("td") && describe(event.target));
  table.addEventListener("focusin", (event) => event.target.matches("td") && describe(event.target));
  table.addEventListener("click", (event) => event.target.matches("td") && reach(event.target));
  table.addEventListener("keydown", (event) => {
    const cell = event.target.closest("td");
    if (!cell || event.altKey || event.metaKey) return;
    const row = cell.parentElement.sectionRowIndex;
    const column = cell.cellIndex;
    const last = names.length;
    const target = {
      ArrowLeft: [row, column - 1],
      ArrowRight: [row, column + 1],
      ArrowUp: [row - 1, column],
      ArrowDown: [row + 1, column],
      Home: [event.ctrlKey ? 0 : row, 1],
      End: [event.ctrlKey ? body.rows.length - 1 : row, last],
    }[event.key];
    if (!target) return;
    event.preventDefault();
    const [nextRow, nextColumn] = target;
    if (nextRow >= 0 && nextRow < body.rows.length && nextColumn >= 1 && nextColumn <= last) {
      reach(body.rows[nextRow].cells[nextColumn]);
    }
  });
}
