"use strict";
(() => {
  const charts = JSON.parse(document.getElementById("charts").textContent);
  const font = getComputedStyle(document.body).fontFamily;
  const axis = {
    domainColor: "var(--line)", tickColor: "var(--line)", gridColor: "var(--grid)",
    labelColor: "var(--muted)", titleColor: "var(--muted)",
    labelFontSize: 12, titleFontSize: 12, titleFontWeight: 500, titlePadding: 10, labelPadding: 6,
    labelFont: font, titleFont: font, ticks: false,
  };
  // Colours are variables of the page, so that a change of theme needs no new drawing.
  const config = {
    background: "transparent", font, axis, axisX: { grid: false }, axisY: { domain: false },
    view: { stroke: null }, bar: { cornerRadiusEnd: 1 },
  };

  function draw(figure, index) {
    const view = charts[figure.id][index];
    const spec = {
      ...view.spec, config, width: "container", autosize: { type: "fit-x", contains: "padding" },
      data: { values: view.points },
    };
    figure.dataset.shown = index;
    // `ast`: expressions are interpreted, since the policy of the page forbids to compile text.
    return vegaEmbed(figure.querySelector(".canvas"), spec, {
      mode: "vega-lite", renderer: "svg", actions: false, ast: true, tooltip: { theme: "custom" },
    }).catch((error) => { figure.querySelector(".canvas").textContent = `This chart cannot be drawn: ${error.message}`; console.error(error); });
  }

  function save(name, type, text) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  function field(value) {
    let text = value === null || value === undefined ? "" : String(value);
    // A spreadsheet would take a text that begins so for a formula.
    if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = `'${text}`;
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }
  const csv = (rows) => rows.map((row) => row.map(field).join(",")).join("\n") + "\n";

  for (const figure of document.querySelectorAll("figure.chart")) {
    for (const button of figure.querySelectorAll("[data-view]")) {
      button.addEventListener("click", () => {
        for (const each of figure.querySelectorAll("[data-view]")) each.setAttribute("aria-pressed", String(each === button));
        draw(figure, Number(button.dataset.view));
      });
    }
    for (const button of figure.querySelectorAll("[data-get]")) {
      button.addEventListener("click", () => {
        const { points } = charts[figure.id][Number(figure.dataset.shown ?? 0)];
        if (button.dataset.get === "json") return save(`${figure.id}.json`, "application/json", JSON.stringify(points, null, 1));
        const names = [...new Set(points.flatMap((point) => Object.keys(point)))];
        save(`${figure.id}.csv`, "text/csv", csv([names, ...points.map((point) => names.map((name) => point[name]))]));
      });
    }
  }

  const valueOf = (cell) => ("value" in cell.dataset ? Number(cell.dataset.value) : cell.textContent);
  const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true }));
  for (const table of document.querySelectorAll("table")) {
    const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
    heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const each of heads) each.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows].sort((a, b) => {
        const [left, right] = [valueOf(a.cells[column]), valueOf(b.cells[column])];
        // Empty cells are last in both directions.
        if (left === "" || right === "") return (left === "") - (right === "");
        return down ? compare(right, left) : compare(left, right);
      });
      body.append(...rows);
    }));
    const get = table.closest("figure").querySelector("[data-get]");
    get.addEventListener("click", () => {
      const rows = [...body.rows].map((row) => [...row.cells].map(valueOf));
      const name = table.closest("figure").querySelector("h3").textContent.toLowerCase().replace(/[^a-z0-9]+/g, "-");
      save(`${name}.csv`, "text/csv", csv([heads.map((head) => head.textContent), ...rows]));
    });
  }

  for (const button of document.querySelectorAll("[data-copy]")) {
    button.addEventListener("click", async () => {
      const code = button.parentElement.querySelector("code");
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "copied";
      } catch {
        // Without the right to write to the clipboard, the text is at least marked.
        getSelection().selectAllChildren(code);
      }
    });
  }

  const root = document.documentElement;
  document.getElementById("theme").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
  addEventListener("beforeprint", () => { for (const each of document.querySelectorAll("details")) each.open = true; });

  Promise.all([...document.querySelectorAll("figure.chart")].map((figure) => draw(figure, 0))).then(() => { root.dataset.drawn = "yes"; });
})();
