/* Copyright: (c) 2026, cloudbench.llama contributors
   GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
   SPDX-License-Identifier: GPL-3.0-or-later

   What the pages can do beyond being read: tables sort and filter, two rows of the index are compared, and the figures
   of the index become a plot. All of it is made from the tables as they stand; strings go in as text alone. */
"use strict";

(() => {
  const LONG = 10; // A table with fewer rows is read at a glance.

  const make = (name, properties = {}, ...children) => {
    const node = Object.assign(document.createElement(name), properties);
    node.append(...children);
    return node;
  };

  // The words of a cell, its lines apart; the figure is in the first one.
  const lines = (cell) => {
    const copy = cell.cloneNode(true);
    copy.querySelectorAll("br").forEach((node) => node.replaceWith("\n"));
    return copy.textContent.split("\n").map((line) => line.trim()).filter(Boolean);
  };

  const UNITS = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };

  // The number at the beginning of a cell, bytes as bytes; null where there is none.
  const number = (cell) => {
    const found = /^-?([\d,]+(?:\.\d+)?)(?:\s*(\S+))?/.exec(lines(cell)[0] || "");
    if (!found || /^\d{4}-\d\d/.test(found[0])) return null;
    return Number(found[0].match(/^-?[\d,]+(?:\.\d+)?/)[0].replaceAll(",", "")) * (UNITS[found[2]] || 1);
  };

  const sort = (table, at, direction) => {
    const body = table.tBodies[0];
    const keyed = [...body.rows].map((row, place) => {
      const cell = row.cells[at];
      return { row, place, number: number(cell), text: cell.textContent };
    });
    const numeric = keyed.filter((one) => one.number !== null).length > keyed.length / 2;
    keyed.sort((one, other) => {
      if (numeric) {
        // What has no number stands last, whatever the direction.
        if (one.number === null || other.number === null) {
          return (one.number === null) - (other.number === null) || one.place - other.place;
        }
        return direction * (one.number - other.number) || one.place - other.place;
      }
      return direction * one.text.localeCompare(other.text, "en", { numeric: true }) || one.place - other.place;
    });
    body.append(...keyed.map((one) => one.row));
  };

  const sortable = (table) => {
    [...table.tHead.rows[0].cells].forEach((head) => {
      const button = make("button", { type: "button" });
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const ascending = head.getAttribute("aria-sort") !== "ascending";
        table.tHead.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
        sort(table, head.cellIndex, ascending ? 1 : -1);
      });
    });
  };

  // Whether the figure of a cell may be ranked, as the page says of it.
  const ranked = (cell) => !/\bINVALID\b|\bnot ranked\b/.test(cell.textContent);

  // A state is a word of its own: VALID is no part of INVALID.
  const STATES = ["valid", "unstable", "invalid", "missing"];
  const says = (text, word) => (STATES.includes(word) ? new RegExp(`\\b${word}\\b`).test(text) : text.includes(word));

  // Rows that hold every word that was typed, in any column.
  const filterable = (table, tools, name) => {
    const rows = [...table.tBodies[0].rows].map((row) => ({ row, text: row.textContent.toLowerCase() }));
    const input = make("input", { type: "search", autocomplete: "off", spellcheck: false });
    const count = make("output", { textContent: `${rows.length} rows` });
    tools.append(make("label", {}, `Filter ${name}: `, input), count);
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const { row, text } of rows) {
        row.hidden = !words.every((word) => says(text, word));
        shown += !row.hidden;
      }
      count.textContent = words.length ? `${shown} of ${rows.length} rows` : `${rows.length} rows`;
    });
  };

  // Two rows side by side, with the ratio of what are numbers in both.
  const comparable = (table, tools) => {
    const panel = make("div", { className: "comparison" });
    panel.setAttribute("aria-live", "polite");
    tools.after(panel);
    const titles = [...table.tHead.rows[0].cells].map((cell) => cell.textContent);
    const chosen = [];
    const show = () => {
      panel.replaceChildren();
      if (chosen.length !== 2) return;
      const [first, second] = chosen.map((row) => [...row.cells].slice(1));
      const head = make("tr", {}, ...["Figure", "A", "B", "B / A"].map((text) => {
        const cell = make("th", { textContent: text });
        cell.scope = "col";
        return cell;
      }));
      const body = titles.map((title, at) => {
        const [a, b] = [number(first[at]), number(second[at])];
        const known = ranked(first[at]) && ranked(second[at]);
        const ratio = a && b !== null ? `${(b / a).toFixed(3)}${known ? "" : " (not ranked)"}` : "";
        const title_cell = make("th", { textContent: title });
        title_cell.scope = "row";
        const texts = [first[at], second[at]].map((cell) => lines(cell).join("; "));
        return make("tr", {}, title_cell, ...[...texts, ratio].map((text) => make("td", { textContent: text })));
      });
      const made = make("table", {}, make("thead", {}, head), make("tbody", {}, ...body));
      const words = "B / A compares two separate figures: their intervals say whether they differ.";
      panel.append(make("h3", { textContent: "The two rows side by side" }), made, make("p", { textContent: words }));
    };
    const head = make("th", { textContent: "Compare" });
    head.scope = "col";
    table.tHead.rows[0].prepend(head);
    for (const row of table.tBodies[0].rows) {
      const box = make("input", { type: "checkbox" });
      box.setAttribute("aria-label", `Compare ${lines(row.cells[0]).concat(lines(row.cells[1]), lines(row.cells[2])).join(" ")}`);
      row.prepend(make("td", {}, box));
      box.addEventListener("change", () => {
        if (box.checked) chosen.push(row);
        else chosen.splice(chosen.indexOf(row), 1);
        if (chosen.length > 2) chosen.shift().querySelector("input").checked = false;
        show();
      });
    }
  };

  const vega = () => new Promise((done, failed) => {
    if (window.vegaEmbed) { done(); return; }
    const script = make("script", { src: `${document.body.dataset.root}assets/vega.js` });
    script.addEventListener("load", done);
    script.addEventListener("error", failed);
    document.head.append(script);
  });

  // Generation against prompts, a point per row of the index; the library is loaded when somebody asks for it.
  const plottable = (table, tools) => {
    const titles = [...table.tHead.rows[0].cells].map((cell) => cell.textContent);
    const [generation, prompt] = ["Generation", "Prompt"].map((word) => titles.findIndex((one) => one.includes(word)));
    const place = make("div", { className: "plot" });
    const button = make("button", { type: "button", textContent: "Plot generation against prompts" });
    tools.append(button);
    tools.after(place);
    button.addEventListener("click", async () => {
      button.disabled = true;
      await vega();
      const at = titles.findIndex((one) => one === "Machine");
      const rows = [...table.tBodies[0].rows].filter((row) => !row.hidden);
      const values = rows.map((row) => ({
        machine: lines(row.cells[at])[0],
        model: lines(row.cells[at + 1])[0],
        quantization: lines(row.cells[at + 2])[0],
        generation: number(row.cells[generation]),
        prompt: number(row.cells[prompt]),
        validity: ranked(row.cells[generation]) && ranked(row.cells[prompt]) ? "ranked" : "not ranked",
        url: row.cells[at + 2].querySelector("a")?.getAttribute("href"),
      })).filter((one) => one.generation !== null && one.prompt !== null);
      const dark = matchMedia("(prefers-color-scheme: dark)").matches;
      const spec = {
        width: 640, height: 360, data: { values }, background: "transparent",
        params: [{ name: "view", select: "interval", bind: "scales" }],
        mark: { type: "point", filled: true, size: 70 },
        encoding: {
          x: { field: "prompt", type: "quantitative", title: titles[prompt] },
          y: { field: "generation", type: "quantitative", title: titles[generation] },
          color: { field: "quantization", type: "nominal", title: "Quantization" },
          shape: { field: "quantization", type: "nominal", title: "Quantization" },
          opacity: {
            field: "validity", type: "ordinal", title: "Validity",
            scale: { domain: ["ranked", "not ranked"], range: [1, 0.3] },
          },
          href: { field: "url", type: "nominal" },
          tooltip: ["machine", "model", "quantization", "prompt", "generation", "validity"].map((field) => ({ field })),
        },
      };
      // Expressions are interpreted: the policy of the page lets nobody make code of strings.
      const options = { ast: true, actions: false, renderer: "svg", ...(dark ? { theme: "dark" } : {}) };
      place.replaceChildren();
      const target = place.appendChild(make("div"));
      await window.vegaEmbed(target, spec, options);
      target.querySelector("svg")?.setAttribute("aria-label", `${values.length} figures: generation against prompts`);
      place.dataset.points = values.length;
      button.disabled = false;
    });
  };

  document.querySelectorAll("main table").forEach((table, index) => {
    if (!table.tHead || !table.tBodies.length || table.tBodies[0].rows.length < 2) return;
    if (table.tHead.rows[0].cells.length < 3) return; // Facts, a line each.
    const place = table.parentElement;
    const heading = place.getAttribute("aria-label")?.replace(/^Table \d+: /, "") || `table ${index + 1}`;
    const isIndex = ["measured", "emulated"].includes(heading.toLowerCase()) && !document.body.dataset.root;
    const long = table.tBodies[0].rows.length >= LONG;
    if (!isIndex && !long) return;
    const tools = make("div", { className: "tools" });
    place.before(tools);
    sortable(table);
    if (isIndex) comparable(table, tools);
    if (isIndex || long) filterable(table, tools, heading);
    if (isIndex && heading.toLowerCase() === "measured") plottable(table, tools);
  });
})();
