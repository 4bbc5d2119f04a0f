# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of one machine, model and quantization: the sections that templates/page.md.j2 puts in order."""

from __future__ import annotations

import posixpath
import shlex
from collections.abc import Callable, Iterable, Sequence
from statistics import fmean
from typing import Any

from ansible_collections.cloudbench.llama.plugins.module_utils.models.quantizations import BY_NAME
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Payload, Record, Row, Run
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import figures, markdown, parts, sections
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import LEFT, RIGHT, Markdown

# Samples of one launch that a table cell shows.
SAMPLES = 10
# Enough of a log to see what happened, little enough that GitHub still renders the page.
LOG_CHARACTERS = 6000

# What is told of an instance, in this order.
_INSTANCE = ("type", "id", "zone", "image", "life_cycle")

Column = tuple[str, str]


def context(
    path: str, runs: Sequence[Run], compared: bool = False, slower: Sequence[str] = ()
) -> tuple[dict[str, Any], dict[str, figures.Figure]]:
    """Return the variables of templates/page.md.j2 for the page `path`, and its figures by name.

    `runs` concern it, the latest comes last.
    `compared`: there is a page that sets this one's figures beside others. `slower`: sentences of history.slower().
    """
    run = runs[-1]
    cells = summary.pages(run)[path]
    view = _View(path, run, summary.rows(run, cells))
    synthetic = parts.is_synthetic(run, cells[0])
    variables = {
        "title": f"{parts.short_name(cells[0]['model'])} {parts.short_name(cells[0]['quantization'])} on {run.machine}",
        "index": markdown.link("All results", view.relative(summary.INDEX)),
        "comparison": (
            markdown.link("Side by side", view.relative(summary.comparison_path(path))) if compared else None
        ),
        "run": run,
        "date": parts.date(run.time),
        "synthetic": parts.synthetic_words(cells[0]["model"]) if synthetic else None,
        "emulated": parts.EMULATED_WORDS if view.emulated else None,
        "session": parts.session_alert(run),
        "slower": parts.slower_alert(slower),
        "fallbacks": parts.fallback_alerts(view.rows, view.build_words),
        "remarks": parts.kernel_remarks(view.rows, view.build_words),
        "key_figures": _key_figures(view),
        "key_cells": _key_cells(view),
        "failures": _failures(view),
        "throughput": _throughput(view),
        "tie_rule": parts.TIE_RULE if view.ties else None,
        "states_rule": parts.STATES_RULE,
        "reasons": _reasons(view),
        "memory": _memory(view),
        "cpu": _cpu(view),
        **sections.context(run, path, view.rows, view.others),
        "launches": _launches(view),
        "builds": [_build(build) for build in parts.builds(run, cells, view.launches)],
        "models": [_model(model) for model in parts.models(run, cells, view.launches)],
        "machines": [machine_facts(machine) for machine in view.machines()],
        "method": _method(view),
        "reproduce": _reproduce(view),
        "earlier": _earlier(view, runs[:-1]),
        "records": markdown.link(f"{run.run}.jsonl", view.relative(parts.records_file(run))),
    }
    return variables, figures.of_page(path, runs, view.rows, view.others)


class _View:
    """One page's view of its latest run: its rows, and which columns they need."""

    def __init__(self, path: str, run: Run, rows: list[Row]) -> None:
        self.path = path
        self.run = run
        # Cells of other programs have sections of their own.
        self.others = [row for row in rows if not summary.benched(row.cell)]
        rows = self.rows = [row for row in rows if summary.benched(row.cell)]
        self.measured = [row for row in rows if row.launches]
        self.launches = [record for row in rows for record in row.launches]
        self.emulated = summary.emulated(run)
        self.prompt = summary.headline(rows, "pp_tps")
        self.generation = summary.headline(rows, "tg_tps")
        self.standings = [summary.standing(rows, row) for row in rows]
        self.ties = "~" in self.standings
        self.several_builds = len({row.cell["build"] for row in rows}) > 1

    def relative(self, target: str) -> str:
        """Return the way from this page to `target`, both relative to the results directory."""
        return posixpath.relpath(target, posixpath.dirname(self.path))

    def unit(self, words: str) -> str:
        """Return a column's title; on a page of emulated figures every table says so."""
        return f"{words}, emulated" if self.emulated else words

    def head(self) -> list[Column]:
        """Return the columns that name a cell."""
        build = [("Build", LEFT)] if self.several_builds else []
        return [("Test", LEFT), ("Threads", RIGHT), *build]

    def name(self, row: Row) -> list[Any]:
        """Return the cells for head()."""
        build = [row.cell["build"]] if self.several_builds else []
        return [parts.test_words(row.cell), metrics.number(row.cell["threads"]), *build]

    def table(self, columns: Iterable[Column], cells: Callable[[Row], list[Any]]) -> Markdown | None:
        """Return a table with a line for each row that was measured, None when none was."""
        if not self.measured:
            return None
        lines = [[*self.name(row), *cells(row)] for row in self.measured]
        return markdown.table([*self.head(), *columns], lines)

    def words(self, row: Row) -> str:
        return parts.cell_words(row.cell, self.several_builds)

    def build_words(self, cell: Payload) -> str:
        """Return what tells a cell of this page from one of another build."""
        return f"build {cell['build']}" if self.several_builds else ""

    def machines(self) -> list[Payload]:
        """Return the fingerprints that the launches refer to (two, when the machine changed during the run)."""
        used = {record["payload"]["machine"] for record in self.launches}
        return [machine for key, machine in sorted(self.run.machines.items()) if not used or key in used]


def _largest(row: Row, name: str) -> float | None:
    return max(summary.values(row, name), default=None)


def _average(row: Row, name: str) -> float | None:
    found = summary.values(row, name)
    return fmean(found) if found else None


def _key_figures(view: _View) -> Markdown:
    prompt, generation = view.prompt, view.generation
    rows: list[list[Any]] = []

    def speed(row: Row | None, name: str) -> None:
        label = metrics.metric(name).label
        if row:
            figure = markdown.bold(metrics.with_unit(name, row.interval.mean if row.interval else None))
            rows.append([f"{label}, {parts.test_words(row.cell)}", figure, parts.interval(row), parts.badge(row)])
        for missing in [other for other in view.rows if other.speed == name][:1] if row is None else []:
            rows.append([f"{label}, {parts.test_words(missing.cell)}", None, None, parts.badge(missing)])

    def derived(row: Row | None, label: str, name: str, of: Callable[[float], float | None]) -> None:
        if row is None or row.interval is None:
            return
        low, high = row.interval.low, row.interval.high
        centre = of(row.interval.mean)
        bounds = None
        if low is not None and high is not None and centre is not None:
            bounds = metrics.span(of(high), of(low), metrics.decimals(centre))
        rows.append([label, metrics.with_unit(name, centre), bounds, row.state])

    speed(generation, "tg_tps")
    derived(generation, "Time per token", "token_time_ms", metrics.token_time_ms)
    speed(prompt, "pp_tps")
    if prompt:
        tokens = prompt.cell["n_prompt"]
        label = f"Time for the {metrics.number(tokens)}-token prompt"
        derived(prompt, label, "prompt_time_s", lambda tps: metrics.prompt_time_s(tokens, tps))
    chosen = [row for row in (generation, prompt) if row is not None]
    for label, name, of in (
        ("Peak memory", "rss_peak_bytes", _largest),
        ("CPU use, of all cores", "cpu_percent", _average),
    ):
        found = [(row, of(row, name)) for row in chosen]
        shown = [f"{metrics.with_unit(name, value)} ({row.cell['test']})" for row, value in found if value is not None]
        if shown:
            rows.append([label, markdown.lines(*shown), "", ""])
    modes = sorted({mode for row in chosen for mode in summary.load_modes(row)})
    if modes:
        rows.append(["Load mode", markdown.join(modes), "", ""])
    paths = dict.fromkeys(path for row in chosen for path in summary.kernel_paths(row))
    if paths:
        states = dict.fromkeys(parts.kernel_state(row) for row in chosen)
        rows.append(["Kernel path", markdown.lines(*paths), "", markdown.lines(*states)])
    columns = [(view.unit("Figure"), LEFT), ("Value", RIGHT), ("95 % interval", RIGHT), ("Validity", LEFT)]
    return markdown.table(columns, rows)


def _key_cells(view: _View) -> Markdown | None:
    """Say which cells the key figures are of, and how far their lead over the other rows is established."""
    said = []
    for row, word in ((view.generation, "Generation"), (view.prompt, "Prompt")):
        if row is None:
            continue
        field = summary.contenders(summary.same_test(view.rows, row))
        others = f", the fastest of {len(field)} cells" if len(field) > 1 else ""
        ties = sum(summary.standing(view.rows, other) == "~" for other in field if other is not row)
        if len(field) > 1 and ties:
            others = f", the highest of {len(field)} cells, not established against {ties} of them (~)"
        said.append(markdown.text(f"{word}: {view.words(row)}{others}."))
    return markdown.join(said, " ") if said else None


def _failures(view: _View) -> dict[str, Any] | None:
    found = summary.failures_of(view.run, view.path)
    if not found:
        return None
    return {
        "count": parts.plural(len(found), "failure"),
        "items": markdown.bullets(parts.failure_item([], record) for record in found),
        "details": [detail for detail in map(_failure_detail, found) if detail],
    }


def _failure_detail(record: Record) -> Markdown | None:
    """Return everything else that a failure record holds, its long strings as blocks."""
    detail = dict(record["payload"].get("detail") or {})
    for name in ("cause", "advice"):
        if len(record["payload"][name]) > markdown.LONG:
            detail[name] = record["payload"][name]
    blocks = []
    rows = []
    for name, value in sorted(detail.items()):
        if value is None or value == "":
            continue
        if name == "argv" and isinstance(value, list):
            value = shlex.join(map(str, value))
        if isinstance(value, str) and (len(value) > 80 or "\n" in value):
            kept = value if len(value) <= LOG_CHARACTERS else "…" + value[-LOG_CHARACTERS:]
            blocks.append(Markdown(f"{markdown.code(name)}:\n\n{markdown.fenced(kept)}"))
        else:
            rows.append([markdown.code(name), markdown.code(str(value))])
    if rows:
        blocks.insert(0, markdown.table([("Detail", LEFT), ("Value", LEFT)], rows))
    summary_words = f"Details of the failure in phase {record['payload']['phase']}"
    return markdown.details(summary_words, Markdown("\n\n".join(blocks))) if blocks else None


def _throughput(view: _View) -> Markdown | None:
    compared = any(view.standings)
    planned = view.run.plan["launches"] if view.run.plan else None
    columns = [
        *view.head(),
        ("Launches", RIGHT),
        (view.unit("token/s"), RIGHT),
        ("95 % interval", RIGHT),
        ("Min to max", RIGHT),
        ("Validity", LEFT),
        *([("Fastest", LEFT)] if compared else []),
    ]
    lines = []
    for row, standing in zip(view.rows, view.standings, strict=True):
        n = len(row.launches)
        figure = markdown.bold(parts.mean(row)) if standing == "fastest" else parts.mean(row)
        lines.append(
            [
                *view.name(row),
                f"{n} of {planned}" if planned is not None and n < planned else metrics.number(n),
                figure,
                _interval(row),
                _range(row),
                parts.badge(row),
                *([standing] if compared else []),
            ]
        )
    return markdown.table(columns, lines) if lines else None


def _interval(row: Row) -> Markdown | None:
    width = row.interval.half_width_percent if row.interval else None
    if width is None:
        return None
    return markdown.lines(parts.interval(row), markdown.small(f"±{metrics.with_unit('half_width_percent', width)}"))


def _range(row: Row) -> str | None:
    if row.lowest is None or row.highest is None:
        return None
    return metrics.span(row.lowest, row.highest, metrics.decimals(row.highest))


def _reasons(view: _View) -> Markdown | None:
    """Return every reason of the rows whose table cell could not hold them."""
    long = [
        row
        for row in view.rows
        if parts.inline_reasons(row) != row.reasons
        or len(row.reasons) > parts.INLINE_REASONS
        or any(len(reason) > parts.INLINE_CHARACTERS for reason in row.reasons)
    ]
    if not long:
        return None
    items = [
        Markdown(f"{markdown.text(view.words(row))}: {markdown.text(reason, None)}")
        for row in long
        for reason in row.reasons
    ]
    return markdown.details(f"All reasons ({len(items)})", markdown.bullets(items))


def _memory(view: _View) -> Markdown | None:
    names = ("model_buffer_bytes", "repack_buffer_bytes", "kv_buffer_bytes", "compute_buffer_bytes")
    columns = [
        (view.unit("Peak RSS"), RIGHT),
        *((metrics.metric(name).label.replace(" buffer", ""), RIGHT) for name in names),
        ("Load mode", LEFT),
        ("Repacked to", LEFT),
    ]
    return view.table(
        columns,
        lambda row: [
            *(metrics.show(name, _largest(row, name)) for name in ("rss_peak_bytes", *names)),
            markdown.join(summary.load_modes(row)) or None,
            parts.kernel_cell(row),
        ],
    )


def _cpu(view: _View) -> Markdown | None:
    columns = [
        (view.unit("User s"), RIGHT),
        ("System s", RIGHT),
        ("% of all cores", RIGHT),
        ("Major / minor faults", RIGHT),
        ("Switches vol. / invol.", RIGHT),
    ]

    def pair(row: Row, one: str, other: str) -> str | None:
        first, second = _average(row, one), _average(row, other)
        return (
            None if first is None and second is None else f"{metrics.show(one, first)} / {metrics.show(other, second)}"
        )

    return view.table(
        columns,
        lambda row: [
            *(metrics.show(name, _average(row, name)) for name in ("cpu_user_s", "cpu_system_s", "cpu_percent")),
            pair(row, "major_faults", "minor_faults"),
            pair(row, "context_switches_voluntary", "context_switches_involuntary"),
        ],
    )


def _launches(view: _View) -> Markdown | None:
    if not view.launches:
        return None
    columns = [
        ("Launch", RIGHT),
        ("Block", RIGHT),
        ("Started, UTC", LEFT),
        (view.unit("token/s"), RIGHT),
        ("Samples", LEFT),
        ("Wall s", RIGHT),
        ("Peak RSS", RIGHT),
        ("Steal %", RIGHT),
        ("Other CPU %", RIGHT),
        ("Validity", LEFT),
    ]
    blocks = []
    for row in view.measured:
        blocks.append(markdown.heading(4, view.words(row)))
        blocks.append(markdown.table(columns, [_launch(record, row.speed) for record in row.launches]))
    return markdown.details(f"Every launch ({len(view.launches)})", Markdown("\n\n".join(blocks)))


def _launch(record: Record, speed: str) -> list[Any]:
    launch = record["payload"]
    samples = launch["metrics"][speed].get("samples") or []
    shown = ", ".join(map(metrics.metric(speed).formatter, samples[:SAMPLES]))
    if len(samples) > SAMPLES:
        shown += f", and {len(samples) - SAMPLES} more"
    figures_shown = (
        metrics.number(launch["number"]),
        metrics.number(launch.get("block")),
        # Checked to be a time.
        record["time"][11:19],
        metrics.show(speed, summary.value(record, speed)),
        shown or metrics.NOT_AVAILABLE,
        *(
            metrics.show(name, summary.value(record, name))
            for name in ("wall_s", "rss_peak_bytes", "steal_percent", "other_cpu_percent")
        ),
    )
    # Numbers of ours act as nothing; that each of them is looked at for it was a fifth of the time that a page takes.
    return [*map(Markdown, figures_shown), launch["validity"]["state"]]


def _facts(kind: str, name: str, pairs: Iterable[tuple[str, object]]) -> Markdown:
    """Return a table about one thing, without the facts that are not known."""
    return markdown.table(
        [(kind, LEFT), (name, LEFT)], [[name, _fact(value)] for name, value in pairs if value not in (None, "", [])]
    )


def _fact(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return metrics.number(value) if isinstance(value, int) else markdown.text(value)


def _blocks(pairs: Iterable[tuple[str, object]]) -> Markdown:
    """Return labelled code blocks of the values that are known."""
    return Markdown(
        "\n\n".join(f"{markdown.text(name)}:\n\n{markdown.fenced(value)}" for name, value in pairs if value)
    )


def _build(build: Payload) -> dict[str, Any]:
    source = build.get("source") or {}
    unused = build.get("cpu_features_unused") or []
    digests = "\n".join(f"{digest}  {name}" for name, digest in sorted((build.get("binaries") or {}).items()))
    detail = _blocks(
        (
            ("CMake arguments", "\n".join(build.get("cmake_arguments") or [])),
            (
                "system_info",
                "\n".join(part.strip() for part in (build.get("system_info") or "").split("|") if part.strip()),
            ),
            ("SHA-256 of the source and the binaries", "\n".join(filter(None, (_digest(source), digests)))),
        )
    )
    return {
        "facts": _facts(
            "Build",
            build["name"],
            (
                ("Source", source.get("name")),
                ("Kind", source.get("type")),
                ("Version", source.get("version")),
                ("Commit", markdown.code(source["commit"]) if source.get("commit") else None),
                ("URL", markdown.code(source["url"]) if source.get("url") else None),
                ("Compiler", build.get("compiler")),
                ("CMake", build.get("cmake")),
                ("Compiled", parts.compiled(build)),
                ("Flags of the kernels", _flags(build)),
                ("Core", markdown.code(build["core"]) if build.get("core") else None),
                ("-march", markdown.code(build["march"]) if build.get("march") else None),
                ("Uses of the processor", ", ".join(build.get("cpu_features") or [])),
                ("Reads of the removed types", ", ".join(_removed_types(build))),
                ("Fingerprint", markdown.code(build["id"])),
            ),
        ),
        "warnings": [markdown.alert("WARNING", parts.sentence(said)) for said in build.get("warnings") or [] if said],
        "unused": markdown.join(markdown.code(name) for name in unused) if unused else None,
        "detail": markdown.details("Flags, system_info and digests", detail) if detail else None,
    }


def _flags(build: Payload) -> Markdown | None:
    """Return the flags with which the kernels were compiled, of a build that says where it was compiled."""
    flags = build.get("compile_flags")
    return markdown.code(" ".join(flags)) if flags and build.get("way") else None


def _removed_types(build: Payload) -> list[str]:
    """Return the file types that llama.cpp has removed since and this build still reads."""
    return [name for name in build.get("file_types") or [] if name in BY_NAME and BY_NAME[name].legacy]


def _digest(source: Payload) -> str | None:
    return f"{source['sha256']}  {source.get('name') or 'source'}" if source.get("sha256") else None


def _model(model: Payload) -> Markdown:
    parameters = model.get("parameters")
    return _facts(
        "Model",
        f"{model['name']} {model['quantization']}",
        (
            ("File", model.get("file")),
            ("Size", metrics.binary(model["bytes"]) if model.get("bytes") else None),
            ("Parameters", parameters),
            ("Architecture", model.get("architecture")),
            ("Weights", _weights(model)),
            ("Source", model.get("source")),
            ("SHA-256", markdown.code(model["sha256"]) if model.get("sha256") else None),
        ),
    )


def _weights(model: Payload) -> str | None:
    return None if model["synthetic"] is None else "synthetic (random values)" if model["synthetic"] else "real"


def _cgroup(machine: Payload) -> str | None:
    found = machine.get("cgroup") or {}
    cpus, memory = found.get("cpus"), found.get("memory_bytes")
    told = [
        f"processor time of {cpus:g} CPUs" if isinstance(cpus, (int, float)) else "",
        f"{metrics.binary(memory)} of memory" if isinstance(memory, int) else "",
    ]
    return ", ".join(filter(None, told)) or None


def machine_facts(machine: Payload) -> dict[str, Any]:
    """Return the fingerprint of a machine as a table (facts), and its long lists in a closed block (detail)."""
    instance = machine.get("instance") or {}
    counts = [
        parts.plural(machine[name], noun)
        for name, noun in (
            ("cpu_count", "CPU"),
            ("physical_cores", "core"),
            ("sockets", "socket"),
            ("numa_nodes", "NUMA node"),
        )
        if machine.get(name)
    ]
    caches = [f"{name} {metrics.binary(size)}" for name, size in sorted((machine.get("caches") or {}).items()) if size]
    detail = _blocks(
        (
            ("CPU features", " ".join(machine.get("cpu_features") or [])),
            ("Kernel parameters that change what is measured", machine.get("kernel_parameters")),
        )
    )
    return {
        "facts": _facts(
            "Machine",
            machine["name"],
            (
                ("Processor", machine.get("cpu_model")),
                ("Recognised as", _recognised(machine)),
                ("CPU implementer", machine.get("cpu_implementer")),
                ("CPU part", machine.get("cpu_part")),
                ("Architecture", machine.get("architecture")),
                ("Processors", ", ".join(counts)),
                ("Vectors", _vectors(machine)),
                ("Caches", ", ".join(caches)),
                ("Memory", metrics.binary(machine["memory_bytes"]) if machine.get("memory_bytes") else None),
                ("Limits of its control group", _cgroup(machine)),
                ("Memory bandwidth", _bandwidth(machine)),
                ("Instance", ", ".join(str(instance[k]) for k in _INSTANCE if instance.get(k))),
                ("Virtualization", machine.get("virtualization")),
                ("Emulated", "yes" if machine.get("emulated") else None),
                ("Operating system", machine.get("os")),
                ("Kernel", machine.get("kernel")),
                ("Transparent huge pages", machine.get("transparent_hugepages")),
                ("ASLR", machine.get("aslr")),
                ("Governor", machine.get("governor")),
                ("Booted", machine.get("boot_time")),
                ("Fingerprint", markdown.code(machine["id"])),
            ),
        ),
        "detail": markdown.details("CPU features and kernel parameters", detail) if detail else None,
    }


def _processor(machine: Payload) -> Payload:
    """Return what the catalog says of a machine's processor, nothing where it does not know it."""
    known = machine.get("processor")
    return known if isinstance(known, dict) else {}


def _recognised(machine: Payload) -> str | None:
    known = _processor(machine)
    if known:
        names = ", ".join(str(known[key]) for key in ("name", "title") if known.get(key)) or str(known.get("core"))
        return f"{names}, by {known['recognised_by']}" if known.get("recognised_by") else names
    return "not in the catalog: built native" if "processor" in machine else None


def _vectors(machine: Payload) -> str | None:
    """Return the width of the vectors: what the catalog says, and what the kernel gives of SVE."""
    known, sve = _processor(machine).get("vector"), machine.get("sve_bytes")
    words = [str(known)] if known else []
    if sve:
        words.append(f"SVE vectors of {parts.plural(sve, 'byte')} here")
    return "; ".join(words) or None


def _bandwidth(machine: Payload) -> str | None:
    """Return the bandwidth that the catalog gives: nobody has measured it."""
    found = _processor(machine).get("bandwidth_gb_s")
    if not isinstance(found, (int, float)):
        return None
    return f"{metrics.number(found)}{metrics.NO_BREAK}GB/s, theoretical (catalog), not measured"


def _method(view: _View) -> Markdown:
    plan = view.run.plan
    modes = sorted({mode for row in view.measured for mode in summary.load_modes(row)})
    order = (
        f"{parts.plural(plan['launches'], 'launch')} of each cell, a fresh process each, with "
        f"{parts.plural(plan['repetitions'], 'repetition')} inside; the order is randomised in complete blocks, seed "
        f"{plan['seed']}."
        if plan
        else "The plan of this run is not on record."
    )
    loaded = f" Weights are loaded in load mode {', '.join(modes)}." if modes else ""
    return markdown.bullets(
        [
            order,
            parts.RECORDS_RULE,
            f"Memory and CPU use are of the whole process: load, warm-up and test.{loaded}",
        ]
    )


def _reproduce(view: _View) -> Markdown:
    blocks = []
    plan = view.run.plan
    if plan:
        versions = ", ".join(f"{name} {version}" for name, version in sorted(plan["versions"].items()) if version)
        blocks.append(markdown.fenced(plan["command"], "sh"))
        blocks.append(markdown.text(f"Versions: {versions}."))
    commands = []
    for row in view.measured:
        argv = row.launches[0]["payload"].get("argv")
        if argv:
            # A line break in a host's word would end the comment and begin a command.
            commands.append(f"# {markdown.visible(view.words(row))}\n{shlex.join(argv)}")
    if commands:
        blocks.append(Markdown("One launch of each cell, as it was run, from the home directory of the host:"))
        blocks.append(markdown.fenced("\n".join(commands), "sh"))
    return Markdown("\n\n".join(blocks))


def _keys(rows: Iterable[Row]) -> set[Any]:
    return {record["payload"].get("key") for row in rows for record in row.launches} - {None}


def _earlier(view: _View, runs: Sequence[Run]) -> Markdown | None:
    if not runs:
        return None
    lines = []
    for run in reversed(runs):
        rows = summary.rows(run, summary.pages(run)[view.path])
        prompt, generation = summary.headline(rows, "pp_tps"), summary.headline(rows, "tg_tps")
        note = "emulated" if summary.emulated(run) else None
        lines.append(
            [
                parts.date(run.time),
                _earlier_figure(generation, note),
                _earlier_figure(prompt, note),
                _setup(view, prompt, generation),
                markdown.link(run.run, view.relative(parts.records_file(run))),
            ]
        )
    columns = [
        ("Date", LEFT),
        ("Generation, token/s", RIGHT),
        ("Prompt, token/s", RIGHT),
        ("Setup", LEFT),
        ("Records", LEFT),
    ]
    return markdown.table(columns, lines)


def _earlier_figure(row: Row | None, note: str | None) -> Markdown | None:
    if row is None:
        return None
    words = f"{row.cell['test']}, {parts.interval(row)}, {row.state}" + (f", {note}" if note else "")
    return markdown.lines(parts.mean(row), markdown.small(words))


def _setup(view: _View, prompt: Row | None, generation: Row | None) -> str | None:
    """Say whether an earlier run's figures may be compared: whether the latest run has cells with the same keys."""
    then = _keys([row for row in (prompt, generation) if row])
    now = _keys(view.rows)
    if not then or not now:
        return None
    return "the same" if then <= now else "differs"
