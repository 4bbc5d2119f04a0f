/* Copyright: (c) 2026, cloudbench.llama contributors
   GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
   SPDX-License-Identifier: GPL-3.0-or-later

   What the pages can do beyond being read: tables sort and filter; of the buyer's tables one asks for what is needed,
   compares two to six lines and draws them; what was asked stands in the address, to be shared. All of it is made from
   the tables as they stand; strings go in as text alone. */
"use strict";

(() => {
  const LONG = 10; // A table with fewer rows is read at a glance.
  const COMPARE = "Compare";
  const MANY = 100; // Lines of a buyer's table that are laid out before somebody asks for all.

  const make = (name, properties = {}, ...children) => {
    const node = Object.assign(document.createElement(name), properties);
    node.append(...children);
    return node;
  };

  // The words of a cell, its lines apart; the figure is in the first one.
  const lines = (cell) => {
    let text = "";
    const walk = (node) => {
      for (let child = node.firstChild; child; child = child.nextSibling) {
        if (child.nodeType === Node.TEXT_NODE) text += child.data;
        else if (child.nodeName === "BR") text += "\n";
        else walk(child);
      }
    };
    walk(cell);
    return text.split("\n").map((line) => line.trim()).filter(Boolean);
  };

  // The same as one text, in which no word touches that of another line.
  const wording = (cell) => lines(cell).join("\n");

  const UNITS = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };

  // The number at the beginning of a cell, bytes as bytes; null where there is none.
  const number = (cell) => {
    const found = /^-?([\d,]+(?:\.\d+)?)(?:\s*(\S+))?/.exec(lines(cell)[0] || "");
    if (!found || /^\d{4}-\d\d/.test(found[0])) return null;
    return Number(found[0].match(/^-?[\d,]+(?:\.\d+)?/)[0].replaceAll(",", "")) * (UNITS[found[2]] || 1);
  };

  const collator = new Intl.Collator("en", { numeric: true });
  const numbers = new WeakMap(); // Of cells: none of them changes.
  const known = (cell) => {
    if (!numbers.has(cell)) numbers.set(cell, number(cell));
    return numbers.get(cell);
  };

  // The rows in the order of a column; what is equal stays as it stood.
  const ordered = (rows, at, direction) => {
    const keyed = rows.map((row, place) => {
      const cell = row.cells[at];
      return { row, place, number: known(cell), text: cell.textContent };
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
      return direction * collator.compare(one.text, other.text) || one.place - other.place;
    });
    return keyed.map((one) => one.row);
  };

  const sort = (table, at, direction) => {
    const body = table.tBodies[0];
    body.append(...ordered([...body.rows], at, direction));
  };

  const sortable = (table, put = (at, direction) => sort(table, at, direction), told = () => {}) => {
    [...table.tHead.rows[0].cells].forEach((head) => {
      if (head.textContent === COMPARE) return; // Boxes have no order.
      const button = make("button", { type: "button" });
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const ascending = head.getAttribute("aria-sort") !== "ascending";
        table.tHead.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
        put(head.cellIndex, ascending ? 1 : -1);
        told(button.textContent, ascending);
      });
    });
  };

  // Whether the figure of a cell may be ranked, as the page says of it.
  const ranked = (cell) => !/\bINVALID\b|\bnot ranked\b/.test(wording(cell));

  // A state is a word of its own: VALID is no part of INVALID.
  const STATES = ["valid", "unstable", "invalid", "missing"];
  const says = (text, word) => (STATES.includes(word) ? new RegExp(`\\b${word}\\b`).test(text) : text.includes(word));

  // Rows that hold every word that was typed, in any column.
  const filterable = (table, tools, name) => {
    const rows = [...table.tBodies[0].rows].map((row) => ({ row, text: [...row.cells].map(wording).join("\n").toLowerCase() }));
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

  // ---- The buyer's tables: which lines are what somebody needs, and two to six of them side by side ----

  const MOST = 6;
  const MACHINE = "Machine", TOKEN = "ms per token", HOUR = "USD/h", MEMORY = "Memory GiB", VCPUS = "vCPUs";
  const column = (titles, word) => titles.findIndex((title) => title.startsWith(word));

  // What is asked for, by its name in the address: a column, whether its number is a least or a most, and words.
  const NEEDS = [
    { key: "ms", word: TOKEN, most: true, label: "ms per token, at most" },
    { key: "prompt", word: "Prompt", most: false, label: "Prompt token/s, at least" },
    { key: "usd", word: HOUR, most: true, label: "USD an hour, at most" },
    { key: "memory", word: MEMORY, most: false, label: "Memory GiB, at least" },
    { key: "cpus", word: VCPUS, most: false, label: "vCPUs, at least" },
  ];
  const SURE = { any: "all figures", ranked: "figures that may be ranked", valid: "VALID figures" };

  const state = new Map(location.hash.includes("=") ? new URLSearchParams(location.hash.slice(1)) : []);
  const remember = (...pairs) => {
    const before = new URLSearchParams([...state]).toString();
    for (const [key, value] of pairs) {
      if (value) state.set(key, value);
      else state.delete(key);
    }
    const words = new URLSearchParams([...state]).toString();
    // An anchor stays as long as nothing is asked.
    if (words === before) return;
    try {
      // A page from disk may change nothing of its address but this.
      history.replaceState(null, "", words ? `#${words}` : location.pathname + location.search);
    } catch {
      // Browsers refuse more than so many changes in half a minute: the next one says it all.
    }
  };

  // A line of a buyer's table, read once.
  const read = (row, titles, model, at) => {
    const cells = [...row.cells];
    const values = titles.map((_title, place) => known(cells[place]));
    const [name, processor = ""] = lines(cells[0]);
    const generation = cells[column(titles, "Generation")];
    const title = titles[column(titles, "Generation")];
    const test = /^(?:tg|pp)\S+$/.exec(title.split(" ")[1]) ? title.split(" ")[1] : lines(generation).find((text) => /^tg\d/.test(text)) || "";
    const prompt = cells[column(titles, "Prompt")];
    const prompts = prompt ? /^Prompt (pp\S+)/.exec(titles[column(titles, "Prompt")])?.[1] || lines(prompt).find((text) => /^pp\d/.test(text)) || "" : "";
    // Two machines may be of one type: the directory of its pages is a machine's own.
    const machine = cells[0].querySelector("a")?.getAttribute("href")?.split("/").at(-2) || name;
    const key = `${encodeURIComponent(model)} ${encodeURIComponent(machine)}`;
    return { row, at, cells, values, name, processor, model, test, generation, prompt, prompts, machine, key };
  };

  const bounds = (cell) => {
    const text = lines(cell).find((line) => / to /.test(line.replaceAll("\u00a0", " "))) || "";
    const ends = text.replaceAll("\u00a0", " ").replaceAll(",", "").split(" to ").map(Number);
    return ends.length === 2 && ends.every(Number.isFinite) ? ends : null;
  };

  // Whether a figure of a line may be ranked: by its own state where it has one, else by that of generation.
  const holds = (line, cell) => ranked(cell.querySelector("sub[class]") ? cell : line.generation);

  // What a line is called among others: two machines of one type by their own names too.
  const called = (line, others) => (
    others.some((other) => other !== line && other.name === line.name) && line.machine !== line.name
      ? `${line.name} (${line.machine})` : line.name
  );

  // Whether the intervals of two cells lie apart; null where one of them has none.
  const apart = (one, other) => {
    const [first, second] = [bounds(one), bounds(other)];
    return first && second ? first[1] < second[0] || second[1] < first[0] : null;
  };

  const unlike = (chosen) => {
    const models = new Set(chosen.map((line) => line.model));
    if (models.size > 1) return `Not compared: ${[...models].join(" and ")} are different models.`;
    const tests = new Set(chosen.map((line) => line.test));
    return tests.size > 1 ? `Not compared: ${[...tests].join(" and ")} are different tests.` : "";
  };

  const SVG = "http://www.w3.org/2000/svg";
  const draw = (name, attributes, text = "") => {
    const node = document.createElementNS(SVG, name);
    Object.entries(attributes).forEach(([key, value]) => node.setAttribute(key, value));
    node.textContent = text;
    return node;
  };

  // Points with their intervals, a line each; hollow where the figure may not be ranked.
  const chart = (chosen, title) => {
    const figures = chosen.map((line) => ({
      name: called(line, chosen), mean: number(line.generation), shown: lines(line.generation)[0], ends: bounds(line.generation), ranked: ranked(line.generation),
    }));
    const every = figures.flatMap((figure) => [figure.mean, ...(figure.ends || [])]);
    const [low, high] = [Math.min(...every), Math.max(...every)];
    const x = (value) => 300 + (high > low ? (value - low) / (high - low) : 0.5) * 560;
    const svg = draw("svg", { viewBox: `0 0 960 ${40 * figures.length + 20}`, role: "img" });
    svg.setAttribute("aria-label", `${title}: ${figures.map((figure) => `${figure.name} ${figure.shown}`).join("; ")}`);
    figures.forEach((figure, at) => {
      const y = 40 * at + 34;
      const short = figure.name.length > 36 ? `${figure.name.slice(0, 35)}…` : figure.name;
      svg.append(draw("text", { x: 0, y: y + 5 }, short));
      if (figure.ends) {
        svg.append(draw("line", { x1: x(figure.ends[0]), x2: x(figure.ends[1]), y1: y, y2: y, class: "rule" }));
      }
      svg.append(draw("circle", { cx: x(figure.mean), cy: y, r: 6, class: figure.ranked ? "" : "doubt" }));
      const words = `${figure.shown}${figure.ranked ? "" : " not ranked"}`;
      svg.append(draw("text", { x: x(figure.mean), y: y - 11, "text-anchor": "middle" }, words));
    });
    return svg;
  };

  const copyable = (label, text) => {
    const button = make("button", { type: "button", textContent: label });
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(text());
        button.textContent = `${label}: done`;
      } catch {
        // Where a page may not write there, the text stands to be copied by hand.
        button.after(make("pre", { textContent: text(), tabIndex: 0 }));
      }
    });
    return button;
  };

  const side = (chosen, titles) => {
    const head = ["", ...chosen.map((line) => called(line, chosen))];
    const [first] = chosen;
    const body = titles.slice(1).map((title, at) => {
      const texts = chosen.map((line) => {
        const [cell, other] = [line.cells[at + 1], first.cells[at + 1]];
        const shown = lines(cell).join("; ");
        const [value, base] = [line.values[at + 1], first.values[at + 1]];
        const measured = /token/.test(title);
        if (line === first || !measured || !value || !base) return shown;
        if (cell === line.prompt && line.prompts !== first.prompts) return `${shown} (another test)`;
        const lead = `${(value / base).toFixed(3)} times`;
        if (!(holds(line, cell) && holds(first, other))) return `${shown} (${lead}, not ranked)`;
        const differs = apart(cell, other);
        return `${shown} (${lead}${differs === null ? ", no interval" : differs ? "" : ", ~: intervals overlap"})`;
      });
      return [title, ...texts];
    });
    const hour = column(titles, HOUR);
    if (hour > 0) {
      const per = (line) => (line.values[hour] ? number(line.generation) / line.values[hour] : null);
      body.push(["token/s per USD an hour", ...chosen.map((line) => per(line)?.toFixed(1) ?? "")]);
    }
    return [head, ...body];
  };

  // The lines that are chosen of all buyer's tables, in the order in which they were.
  const comparing = (tables, place) => {
    const panel = make("div", { className: "comparison" });
    panel.setAttribute("aria-live", "polite");
    place.append(panel);
    const chosen = [];
    const show = () => {
      panel.replaceChildren();
      remember(["compare", chosen.map((line) => line.key).join("|")]);
      if (chosen.length < 2) return;
      const refused = unlike(chosen);
      if (refused) {
        panel.append(make("p", { className: "refused", textContent: refused }));
        return;
      }
      const titles = tables.find((table) => table.lines.includes(chosen[0])).titles;
      const [head, ...body] = side(chosen, titles);
      const th = (text, scope) => Object.assign(make("th", { textContent: text }), { scope });
      const made = make(
        "table", {},
        make("thead", {}, make("tr", {}, ...head.map((text) => (text ? th(text, "col") : make("td"))))),
        make("tbody", {}, ...body.map(([title, ...texts]) => make(
          "tr", {}, th(title, "row"), ...texts.map((text) => make("td", { textContent: text })),
        ))),
      );
      const scroll = make("div", { className: "scroll", tabIndex: 0 }, made);
      scroll.setAttribute("role", "region");
      scroll.setAttribute("aria-label", "Comparison");
      const bar = (text) => text.replace(/[\\|]/g, "\\$&");
      const pasted = () => [head, head.map(() => "---"), ...body].map((row) => `| ${row.map(bar).join(" | ")} |`).join("\n");
      const tools = make("div", { className: "tools" }, copyable("Copy as markdown", pasted), copyable("Copy the link", () => location.href));
      const words = "Ratios are to the first line. Where the intervals overlap (~) or one is missing, no difference is established.";
      panel.append(
        make("h3", { textContent: `${chosen.length} lines side by side` }),
        make("div", { className: "drawing", tabIndex: 0 }, chart(chosen, "Generation, token/s")), scroll,
        make("p", { textContent: words }), tools,
      );
    };
    const pick = (line, box) => {
      if (box.checked) chosen.push(Object.assign(line, { box }));
      else chosen.splice(chosen.indexOf(line), 1);
      if (chosen.length > MOST) chosen.shift().box.checked = false;
      show();
    };
    for (const table of tables) {
      const head = make("th", { textContent: COMPARE });
      head.scope = "col";
      table.node.tHead.rows[0].prepend(head);
      const names = Map.groupBy ? Map.groupBy(table.lines, (line) => line.name) : new Map();
      for (const line of table.lines) {
        const box = make("input", { type: "checkbox" });
        box.setAttribute("aria-label", `Compare ${called(line, names.get(line.name) || table.lines)} ${line.model}`);
        line.row.prepend(make("td", {}, box));
        box.addEventListener("change", () => pick(line, box));
        line.box = box;
      }
    }
    const every = tables.flatMap((table) => table.lines);
    // Compare what the address names.
    return () => {
      for (const line of chosen.splice(0)) line.box.checked = false;
      for (const key of (state.get("compare") || "").split("|").filter(Boolean)) {
        const line = every.find((each) => each.key === key);
        if (line && chosen.length < MOST && !chosen.includes(line)) { line.box.checked = true; chosen.push(line); }
      }
      show();
    };
  };

  const unasked = new WeakSet(); // Rows that are not what somebody needs.

  const buyer = (nodes) => {
    const tables = nodes.map((node) => {
      const titles = [...node.tHead.rows[0].cells].map((cell) => cell.textContent);
      // The heading above: the model, or the title of the model's page.
      const heading = node.parentElement.getAttribute("aria-label")?.replace(/^Table \d+: /, "") || "";
      const read_lines = [...node.tBodies[0].rows].map((row, at) => read(row, titles, heading, at));
      return { node, titles, model: heading, lines: read_lines, order: read_lines.map((line) => line.row) };
    });
    const every = tables.flatMap((table) => table.lines.map((line) => ({ line, titles: table.titles })));
    const place = make("section", { className: "needs" }, make("h2", { textContent: "What do you need?" }));
    place.setAttribute("aria-label", "What do you need?");
    const tools = make("div", { className: "tools" });
    place.append(tools);
    // Before the heading of the first of them: it is for all.
    const before = nodes[0].parentElement.previousElementSibling;
    (before?.tagName === "H2" ? before : nodes[0].parentElement).before(place);
    const count = make("output");
    const inputs = new Map();
    const labelled = (label, control, key) => {
      inputs.set(key, control);
      tools.append(make("label", {}, `${label} `, control));
      control.addEventListener("input", apply);
    };
    let whole = false;
    const all = make("button", { type: "button", hidden: true });
    all.addEventListener("click", () => { whole = true; apply(); });
    // Of thousands of lines the first ones of each table stand in the page: the others are behind a button.
    const lay = () => {
      let behind = 0;
      for (const table of tables) {
        const asked = table.order.filter((row) => !unasked.has(row));
        const shown = whole ? asked : asked.slice(0, MANY);
        behind += asked.length - shown.length;
        const { rows } = table.node.tBodies[0];
        const same = rows.length === shown.length && shown.every((row, at) => row === rows[at]);
        if (!same) table.node.tBodies[0].replaceChildren(...shown);
      }
      all.hidden = !behind;
      all.textContent = `Show ${behind} more lines`;
    };
    const apply = () => {
      let shown = 0;
      const wanted = NEEDS.map((need) => ({ ...need, value: Number.parseFloat(inputs.get(need.key)?.value) }));
      const [processor, sure] = ["processor", "sure"].map((key) => inputs.get(key).value);
      for (const { line, titles } of every) {
        const meets = wanted.every(({ word, most, value }) => {
          if (!Number.isFinite(value)) return true;
          const figure = line.values[column(titles, word)];
          // What is not known is not said to meet anything.
          return figure !== undefined && figure !== null && (most ? figure <= value : figure >= value);
        });
        const sound = sure === "any" || (
          sure === "valid" ? says(wording(line.generation).toLowerCase(), "valid") : ranked(line.generation)
        );
        const asked = meets && sound && (!processor || line.processor === processor);
        if (asked) unasked.delete(line.row);
        else unasked.add(line.row);
        shown += asked;
      }
      lay();
      remember(...[...inputs].map(([key, control]) => [key, control.value === "any" ? "" : control.value]));
      count.textContent = shown === every.length ? `${shown} lines` : `${shown} of ${every.length} lines`;
    };
    for (const need of NEEDS) {
      if (!every.some(({ line, titles }) => Number.isFinite(line.values[column(titles, need.word)]))) continue;
      labelled(need.label, make("input", { type: "number", min: "0", step: "any" }), need.key);
    }
    const names = [...new Set(every.map(({ line }) => line.processor).filter(Boolean))].sort();
    const options = ["", ...names].map((name) => make("option", { value: name, textContent: name || "any" }));
    labelled("Processor", make("select", {}, ...options), "processor");
    const states = Object.entries(SURE).map(([value, textContent]) => make("option", { value, textContent }));
    labelled("Show", make("select", {}, ...states), "sure");
    tools.append(count, all);
    const compare = comparing(tables, place);
    // Each table has an order of its own: model:title:way.
    const orders = () => new Map((state.get("sort") || "").split("|").map((words) => {
      const [, model, title, way] = /^([^:]*):([^:]*):(up|down)$/.exec(words) || [];
      return [model, { title, way }];
    }));
    const told = (table, title, ascending) => {
      const every_order = orders();
      every_order.set(encodeURIComponent(table.model), { title, way: ascending ? "up" : "down" });
      const named = [...every_order].filter(([model]) => model !== undefined);
      remember(["sort", named.map(([model, order]) => `${model}:${order.title}:${order.way}`).join("|")]);
      lay();
    };
    const put = (table, at, direction) => { table.order = ordered(table.order, at, direction); };
    const arrange = (table) => {
      const { title, way } = orders().get(encodeURIComponent(table.model)) || {};
      const heads = [...table.node.tHead.rows[0].cells];
      heads.forEach((head) => head.removeAttribute("aria-sort"));
      const head = heads.find((cell) => cell.textContent === title && title !== COMPARE);
      if (head) {
        head.setAttribute("aria-sort", way === "down" ? "descending" : "ascending");
        put(table, head.cellIndex, way === "down" ? -1 : 1);
      } else {
        table.order = table.lines.map((line) => line.row);
      }
    };
    const sorted = tables.filter((table) => table.lines.length > 1);
    sorted.forEach((table) => {
      sortable(
        table.node, (at, direction) => put(table, at, direction), (title, ascending) => told(table, title, ascending),
      );
      const own = make("div", { className: "tools" });
      table.node.parentElement.before(own);
      plottable(table.node, own, () => table.order.filter((row) => !unasked.has(row)));
    });
    // Show what the address asks for; what it names that is not there is not asked.
    const obey = (again) => {
      for (const [key, control] of inputs) {
        control.value = state.get(key) || "";
        if (control.tagName === "SELECT" && control.selectedIndex < 0) control.selectedIndex = 0;
      }
      if (again || state.get("sort")) sorted.forEach(arrange);
      if (again || state.get("compare")) compare();
      apply();
    };
    obey(false);
    // An anchor would take the place of what is asked for in the address.
    document.querySelectorAll(".contents a").forEach((link) => link.addEventListener("click", (event) => {
      if (!state.size) return;
      event.preventDefault();
      document.getElementById(decodeURIComponent(link.hash.slice(1)))?.scrollIntoView();
    }));
    // Back, or another address in the same tab; an anchor asks for nothing else.
    window.addEventListener("hashchange", () => {
      if (location.hash && !location.hash.includes("=")) return;
      state.clear();
      for (const [key, value] of new URLSearchParams(location.hash.slice(1))) state.set(key, value);
      obey(true);
    });
  };

  const vega = () => new Promise((done, failed) => {
    if (window.vegaEmbed) { done(); return; }
    const script = make("script", { src: `${document.body.dataset.root}assets/vega.js` });
    script.addEventListener("load", done);
    script.addEventListener("error", failed);
    document.head.append(script);
  });

  // Generation against prompts, a point per line; the library is loaded when somebody asks for it.
  const plottable = (table, tools, shown) => {
    const titles = [...table.tHead.rows[0].cells].map((cell) => cell.textContent);
    const [generation, prompt] = ["Generation", "Prompt"].map((word) => titles.findIndex((one) => one.includes(word)));
    const place = make("div", { className: "plot" });
    const button = make("button", { type: "button", textContent: "Plot generation against prompts" });
    tools.append(button);
    tools.after(place);
    button.addEventListener("click", async () => {
      button.disabled = true;
      await vega();
      const at = titles.findIndex((title) => title === MACHINE);
      const values = shown().map((row) => ({
        machine: lines(row.cells[at])[0],
        processor: lines(row.cells[at])[1] || "",
        configuration: lines(row.cells[at])[2] || "",
        generation: number(row.cells[generation]),
        prompt: number(row.cells[prompt]),
        validity: ranked(row.cells[generation]) && ranked(row.cells[prompt]) ? "ranked" : "not ranked",
        url: row.cells[at].querySelector("a")?.getAttribute("href"),
      })).filter((one) => one.generation !== null && one.prompt !== null);
      const dark = matchMedia("(prefers-color-scheme: dark)").matches;
      const spec = {
        width: 640, height: 360, data: { values }, background: "transparent",
        params: [{ name: "view", select: "interval", bind: "scales" }],
        mark: { type: "point", filled: true, size: 70 },
        encoding: {
          x: { field: "prompt", type: "quantitative", title: titles[prompt] },
          y: { field: "generation", type: "quantitative", title: titles[generation] },
          color: { field: "processor", type: "nominal", title: "Processor" },
          shape: { field: "processor", type: "nominal", title: "Processor" },
          opacity: {
            field: "validity", type: "ordinal", title: "Validity",
            scale: { domain: ["ranked", "not ranked"], range: [1, 0.3] },
          },
          href: { field: "url", type: "nominal" },
          tooltip: ["machine", "processor", "configuration", "prompt", "generation", "validity"].map((field) => ({ field })),
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

  const offered = [];
  document.querySelectorAll("main table").forEach((table, index) => {
    if (!table.tHead || !table.tBodies.length) return;
    const titles = [...table.tHead.rows[0].cells].map((cell) => cell.textContent);
    if (titles[0] === MACHINE && titles.includes(TOKEN)) { offered.push(table); return; }
    if (table.tBodies[0].rows.length < 2 || titles.length < 3) return; // Facts, a line each.
    const place = table.parentElement;
    const heading = place.getAttribute("aria-label")?.replace(/^Table \d+: /, "") || `table ${index + 1}`;
    const measured = heading.toLowerCase() === "measured";
    if (!measured && table.tBodies[0].rows.length < LONG) return;
    const tools = make("div", { className: "tools" });
    place.before(tools);
    sortable(table);
    filterable(table, tools, heading);
  });
  if (offered.length) buyer(offered);
})();
