# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""History: the runs of a page before the latest, and what has become slower since."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import history, summary, verdict
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Row, Run
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import specification as spec
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.figures import Drawing
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import LEFT, RIGHT, Markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.specification import Values
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects.subject import Subject
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.view import Entry, Section, View

HOLDS = "holds"
# Told apart without colour.
_SHAPES = {HOLDS: "circle", summary.UNSTABLE: "diamond", summary.INVALID: "cross"}

# ---- What has become slower ----


def slower(path: str, runs: Sequence[Run]) -> list[str]:
    """Return a sentence for each cell of a page that has become slower since the run before."""
    said = []
    for change in history.changes(path, runs) if len(runs) > 1 else []:
        ratio = change.verdict.ratio
        if change.verdict.word != verdict.SLOWER or not ratio:
            continue
        bounds = metrics.span(ratio.low, ratio.high, 3)
        build = ", another build" if change.build else ""
        said.append(
            f"{parts.cell_words(change.row.cell)}: {metrics.number(ratio.mean, 3)} times as fast ({bounds}) as in the "
            f"run of {parts.date(change.before.time)}{build}"
        )
    return said


def alert(view: View) -> Markdown | None:
    """Return a loud line where cells have become slower since the run before."""
    if not view.slower:
        return None
    lines = Markdown("<br>".join(markdown.text(sentence, None) for sentence in view.slower))
    words = "**Slower than before.** Two sessions lie apart, so what the machine did differently is in this:"
    return markdown.alert("WARNING", Markdown(f"{words}<br>{lines}"))


def _index_section(entries: Sequence[Entry]) -> Section | None:
    items = []
    for item in entries:
        page = markdown.link(f"{item.model} {item.quantization}", item.path)
        where = markdown.join([markdown.bold(item.run.machine), page])
        items += [Markdown(f"{where}: {markdown.text(sentence, None)}") for sentence in item.slower]
    if not items:
        return None
    words = (
        "Cells of the latest runs that are slower than in the run before them. Two sessions lie apart, so what the "
        "machine did differently is in this."
    )
    return Section("Slower than before", [markdown.text(words, None), markdown.bullets(items)])


# ---- Earlier runs ----


def _section(view: View) -> Section | None:
    newer = [run for run in view.attempts if summary.fruitful_on(run, view.path)]
    others = [*view.runs[:-1], *newer]
    if not others:
        return None
    lines = []
    for run in reversed(others):
        rows = summary.rows(run, summary.pages(run)[view.path])
        prompt, generation = summary.headline(rows, "pp_tps"), summary.headline(rows, "tg_tps")
        note = "emulated" if summary.emulated(run) else None
        lines.append(
            [
                markdown.lines(parts.date(run.time), markdown.small("newer") if run in newer else None),
                _figure(generation, note),
                _figure(prompt, note),
                _setup(view, prompt, generation),
                markdown.link(run.run, view.relative(parts.records_file(run))),
            ]
        )
    columns = [
        ("Date", LEFT), ("Generation, token/s", RIGHT), ("Prompt, token/s", RIGHT), ("Setup", LEFT), ("Records", LEFT),
    ]  # fmt: skip
    words = (
        f'Runs are never pooled. Setup "the same": the {"run that is shown" if newer else "latest run"} has cells of '
        "the same machine, build, model and settings."
    )
    title = "Earlier and newer runs" if newer else "Earlier runs"
    return Section(title, [markdown.text(words, None), markdown.table(columns, lines)], "history")


def _figure(row: Row | None, note: str | None) -> Markdown | None:
    if row is None:
        return None
    words = f"{row.cell['test']}, {parts.interval(row)}"
    if row.state == summary.INVALID:
        why = markdown.join([*parts.short_reasons(row), *([note] if note else [])])
        return markdown.lines(parts.mean(row), markdown.small(words), markdown.bold(row.state), markdown.small(why))
    return markdown.lines(parts.mean(row), markdown.small(", ".join(filter(None, (words, row.state, note)))))


def _keys(rows: Iterable[Row]) -> set[Any]:
    return {record["payload"].get("key") for row in rows for record in row.launches} - {None}


def _setup(view: View, prompt: Row | None, generation: Row | None) -> str | None:
    """Say whether an earlier run's figures may be compared: whether the latest run has cells with the same keys."""
    then = _keys([row for row in (prompt, generation) if row])
    now = _keys(view.rows)
    if not then or not now:
        return None
    return "the same" if then <= now else "differs"


def _drawing(view: View) -> Drawing | None:
    """Draw the two key figures of a page over all its runs; a line joins those of one setup only."""
    if len(view.runs) + len(view.attempts) < 2:
        return None
    panels: list[spec.Spec] = []
    words: list[str] = []
    counts: list[int] = []
    marked: set[str] = set()
    for speed, word in (("tg_tps", "Generation"), ("pp_tps", "Prompt")):
        rows = _alike(view, speed)
        values: Values = []
        for run, row in rows:
            if row.interval:
                counts.append(len(row.figures))
                keys = sorted({str(record["payload"].get("key")) for record in row.launches})
                when = {"t": run.time[:19] + "Z", "setup": " ".join(keys), **spec.bounds(row.interval)}
                values.append(when if row.ranked else {**when, "state": row.state})
        if len(values) < 2:
            continue
        setups = list(dict.fromkeys(value["setup"] for value in values))
        for value in values:
            value["setup"] = f"setup {len(setups) - setups.index(value['setup'])}"
        shown = [f"setup {at + 1}" for at in range(len(setups))]
        x = {"field": "t", "type": "temporal", "timeUnit": "utcyearmonthdatehoursminutes", "title": "Run (UTC)"}
        axis = f"{parts.test_words(rows[0][1].cell)}, token/s"
        layers = spec.line(x, axis, spec.colour("setup", "Comparable", shown))
        if any("state" in value for value in values):
            marked |= {value["state"] for value in values if "state" in value}
            _mark_states(values, layers)
        panels.append(spec.panel(values, layers, word))
        words.append(f"{word.lower()} {', '.join(map(_said, reversed(values)))} token/s")
    if not panels:
        return None
    notes = [
        spec.counted(counts),
        "one setup: same machine, build, model and settings",
        f"cross: {summary.INVALID}, joined to nothing" if summary.INVALID in marked else None,
    ]
    title = spec.title(f"History on {spec.plain(view.run.machine, 40)}", notes)
    return Drawing(spec.said("History, oldest first", words), spec.whole(title, *panels))


def _said(value: dict[str, Any]) -> str:
    state = value.get("state", HOLDS)
    return metrics.number(value["mean"]) + ("" if state == HOLDS else f" ({state})")


def _mark_states(values: Values, layers: list[spec.Spec]) -> None:
    """Give the points a shape by their state, named in the legend, and join by lines those that are undisturbed."""
    for value in values:
        value.setdefault("state", HOLDS)
    shown = {HOLDS, *(value["state"] for value in values)}
    shapes = {state: shape for state, shape in _SHAPES.items() if state in shown}
    line, _rule, point = layers
    line["transform"] = [{"filter": f"datum.state != '{summary.INVALID}'"}]
    point["mark"]["size"] = 90
    point["encoding"]["shape"] = {
        "field": "state",
        "type": "nominal",
        # Without a colour of its own the legend would be black, which is not seen on black.
        "legend": {"title": "Figure", "orient": "bottom", "symbolFillColor": spec.SKY, "symbolStrokeColor": spec.SKY},
        "scale": {"domain": list(shapes), "range": list(shapes.values())},
    }


def _alike(view: View, speed: str) -> list[tuple[Run, Row]]:
    """Return the row that stands for a speed in each run that measured the test of the one shown, the latest first."""
    alike: list[tuple[Run, Row]] = []
    # The shown one first: the others are looked at for its test.
    for run in (view.run, *reversed(view.runs[:-1]), *view.attempts):
        if summary.emulated(run):
            continue
        rows = summary.rows(run, summary.pages(run)[view.path])
        row = summary.headline(summary.same_test(rows, alike[0][1]) if alike else rows, speed)
        if row and row.interval:
            alike.append((run, row))
    return sorted(alike, key=lambda pair: pair[0].time, reverse=True)


SUBJECT = Subject(
    name="history",
    metrics=("pp_tps", "tg_tps"),
    section=_section,
    figures=(("history", _drawing),),
    index_section=_index_section,
)
