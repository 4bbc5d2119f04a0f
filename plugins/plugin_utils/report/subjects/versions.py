# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""llama.cpp's own history: its builds by number, each against the newest, and which of them became slower."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import duets, verdict, versions
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Row
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.versions import Change, Version
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import specification as spec
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.figures import Drawing
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import LEFT, RIGHT, Cell, Markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.specification import Values
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects import ratios
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects.subject import Subject
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.view import Section, SideBySide

_PLACES = 3
_FIGURE = "versions"


def _histories(view: SideBySide) -> Iterator[tuple[list[Version], list[Row]]]:
    """Return the versions of each test that has a history, with its rows."""
    if view.emulated or view.imported:
        return
    for rows in view.tests():
        alike: dict[tuple[str, int], list[Row]] = {}
        for row in rows:
            if not row.cell.get("variant") and not row.cell.get("purpose"):
                alike.setdefault((row.cell["quantization"], row.cell["threads"]), []).append(row)
        for group in alike.values():
            if told := versions.of(view.run, group):
                yield told, group


def _section(view: SideBySide) -> Section | None:
    blocks: list[Markdown] = []
    for told, rows in _histories(view):
        newest = _newest(told)
        cell = rows[0].cell
        heading = (
            f"{parts.SPEEDS[rows[0].speed]}, {parts.cell_words(cell, several_builds=False)}, {cell['quantization']}"
        )
        blocks += [markdown.heading(3, heading), markdown.text(_changed(told)), _table(view, told, newest)]
    if not blocks:
        return None
    words = (
        "llama.cpp by its build number, each against the newest here. From one to the next is the quotient of both "
        "ratios to the newest, with their intervals added as squares; `make bisect` finds the build between two."
    )
    return Section("Versions", [parts.prose(words, None), *blocks], _FIGURE)


def _newest(told: list[Version]) -> Version:
    return next(version for version in told if version.verdict is None)


def _changed(told: list[Version]) -> str:
    """Return a sentence that names the versions that became slower or faster than the one before."""
    said = [
        f"{change.after.row.cell['build']} is {change.verdict.word} than {change.before.row.cell['build']}, "
        f"{_times(change)}"
        for change in versions.changes(told)
        if change.verdict.word in (verdict.SLOWER, verdict.FASTER)
    ]
    return f"{'; '.join(said)}." if said else "None of these builds is slower or faster than the one before it."


def _times(change: Change) -> str:
    ratio = change.verdict.ratio
    if ratio is None:
        return metrics.NOT_AVAILABLE
    return f"{metrics.number(ratio.mean, _PLACES)} times ({metrics.span(ratio.low, ratio.high, _PLACES)})"


def _table(view: SideBySide, told: list[Version], newest: Version) -> Markdown:
    name = newest.row.cell["build"]
    columns = [
        ("Build", LEFT), ("Number", RIGHT), (view.unit("token/s"), RIGHT), (f"Ratio to {name}", RIGHT),
        ("Verdict", LEFT), ("To the one before", RIGHT),
    ]  # fmt: skip
    before = {change.after.row.cell["build"]: change for change in versions.changes(told)}
    lines: list[list[Cell]] = []
    for version in told:
        build = version.row.cell["build"]
        change = before.get(build)
        lines.append(
            [
                build,
                "" if version.number is None else str(version.number),
                parts.mean(version.row),
                "reference" if version.verdict is None else ratios.bare(version.verdict, _PLACES),
                _word(version),
                markdown.lines(_times(change), markdown.small(change.verdict.word)) if change else "",
            ]
        )
    return markdown.table(columns, lines)


def _word(version: Version) -> str:
    if version.verdict is None:
        return ""
    return f"{version.verdict.word} {duets.WORDS}" if version.in_duet else version.verdict.word


def _figure(view: SideBySide) -> Drawing | None:
    """Draw the ratio of each numbered version to the newest, a line for each test."""
    values: Values = []
    words: list[str] = []
    drawn: list[Row] = []
    for told, rows in _histories(view):
        name = f"{spec.plain(rows[0].cell['test'], 16)}, {rows[0].cell['quantization']}"
        for version in told:
            ratio = version.verdict.ratio if version.verdict else None
            if version.number is None or (version.verdict and (ratio is None or ratio.low is None)):
                continue
            of = spec.bounds(ratio) if ratio else {"mean": 1.0, "low": 1.0, "high": 1.0}
            values.append({"at": version.number, "series": name, **of})
            words.append(f"{name} of {version.row.cell['build']} {metrics.number(of['mean'], _PLACES)}")
        drawn += rows
    if not values:
        return None
    series = list(dict.fromkeys(str(value["series"]) for value in values))
    layers = spec.line(
        spec.steps("at", "Build of llama.cpp"), "Ratio to the newest", spec.colour("series", None, series), zero=False
    )
    of_model = f"{spec.plain(drawn[0].cell['model'], 40)} on {spec.plain(view.run.machine, 40)}"
    title = spec.title(f"Versions of llama.cpp: {of_model}", [spec.weights(view.run, drawn), "95 % interval"])
    return Drawing(
        spec.said("Versions of llama.cpp, ratio to the newest", words), spec.whole(title, spec.panel(values, layers))
    )


SUBJECT = Subject(name="versions", compared_section=_section, compared_figure=(_FIGURE, _figure))
