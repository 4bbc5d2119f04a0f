# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two selections of what is on record, compared cell by cell: which cells, whether they may be, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry
from ansible_collections.cloudbench.llama.plugins.module_utils.record.envelope import NOT_COMPARED
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary, verdict
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.progress import cell_text
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Row, Run
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.verdict import Verdict
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.terminal.table import LEFT, table

KEYS = ("run", "machine", "model", "quantization", "build", "commit", "threads", "test")
LATEST, PREVIOUS = "latest", "previous"
MISSING = "missing"

# What selections let differ of the parts that launches are made of, by the key in which they differ themselves. Another
# commit may know other types and features; compiler, options and flags are to be the same, or have a hand in it.
_LETS_DIFFER = {
    "machine": ("machine",), "model": ("model",), "quantization": ("model",), "build": ("build",),
    "commit": (
        "build.source", "build.version", "build.file_types", "build.system_info", "build.cpu_features",
        "build.cpu_features_unused", "build.warnings",
    ),
}  # fmt: skip
# These say the commit once more.
_OF_COMMIT = ("-DLLAMA_BUILD_COMMIT=", "-DLLAMA_BUILD_NUMBER=")
_APART = "not interleaved: what the machine did differently in the two runs is in it"
_CELL_KEYS = ("model", "quantization", "build", "threads", "test")


class CompareError(ValueError):
    """Two selections that cannot be compared; the message says what does not fit and what there is."""


class Compared(NamedTuple):
    """One cell of each side and how B stands to A.

    `interleaved`: both were launched in the same blocks of one run; `q`: the p-value adjusted for the number of
    comparisons.
    """

    a: Row
    b: Row
    verdict: Verdict
    q: float | None
    interleaved: bool


def parse_selection(text: str) -> dict[str, str]:
    """Return the keys and values of a selection: `build=default quantization=Q4_0`, or a run. Raises CompareError."""
    selection: dict[str, str] = {}
    for word in text.replace(",", " ").split():
        key, equals, value = word.partition("=")
        if not equals:
            key, value = "run", word
        if key not in KEYS or not value:
            raise CompareError(
                f"{word!r:.60} selects nothing: write key=value with one of the keys {', '.join(KEYS)}, or the id of a "
                f"run, or {LATEST} or {PREVIOUS}"
            )
        if selection.setdefault(key, value) != value:
            raise CompareError(f"{key} is asked for twice: {selection[key]!r:.60} and {value!r:.60}")
    return selection


def _runs(runs: Sequence[Run], wanted: Mapping[str, str]) -> list[Run]:
    """Return the runs that a selection is of: all with the id it names, else the latest of each machine."""
    machine = wanted.get("machine")
    measured = [run for run in runs if machine in (None, run.machine) and summary.fruitful(run)]
    if "commit" in wanted:
        measured = [run for run in measured if wanted["commit"] in summary.commits(run, run.launches)]
    name = wanted.get("run", LATEST)
    if name not in (LATEST, PREVIOUS):
        return [run for run in measured if run.run == name]
    by_machine: dict[str, list[Run]] = {}
    for run in measured:
        by_machine.setdefault(run.machine, []).append(run)
    back = 1 if name == LATEST else 2
    return [of_machine[-back] for of_machine in by_machine.values() if len(of_machine) >= back]


def _value(run: Run, row: Row, key: str) -> set[str]:
    if key in _CELL_KEYS:
        return {str(row.cell[key])}
    if key != "commit":
        return {run.run if key == "run" else run.machine}
    return set(summary.commits(run, row.launches))


def select(runs: Sequence[Run], wanted: Mapping[str, str]) -> list[tuple[Run, Row]]:
    """Return the measured cells that a selection names. Raises CompareError when there are none."""
    every = [(run, row) for run in _runs(runs, wanted) for row in summary.rows(run, summary.cells(run)) if row.launches]
    keys = [key for key in wanted if key != "run"]
    selected = [(run, row) for run, row in every if all(wanted[key] in _value(run, row, key) for key in keys)]
    if selected:
        return selected
    asked = " ".join(f"{key}={value}" for key, value in wanted.items()) or "everything"
    if not every and "commit" in wanted:
        known = sorted({commit for run in runs for commit in summary.commits(run, run.launches)})
        raise CompareError(
            f"nothing is selected by {asked:.200}; there is commit: {', '.join(known) or 'none'}, not all in every run"
        )
    if not every:
        known = sorted({run.run for run in runs})
        raise CompareError(
            f"no run with launches is selected by {asked:.200}; the runs are {', '.join(known) or 'none'}"
        )
    there = "; ".join(
        f"{key}: {', '.join(sorted({value for run, row in every for value in _value(run, row, key)}))}" for key in keys
    )
    raise CompareError(f"nothing is selected by {asked:.200}; there is {there or 'no cell'}")


def _identity(row: Row, free: Iterable[str]) -> tuple[Any, ...]:
    """Return what must be equal of two cells, short of the keys that the selections name."""
    named = set(free)
    ignored = named | {"threads_batch", "settings"}
    # Other weights have another size, and another build another compiler.
    of_free: tuple[str, ...] = summary.OF_WEIGHTS if named & {"model", "quantization"} else ()
    of_free += summary.OF_BUILD if named & {"build", "commit"} else ()
    settings = {name: value for name, value in (row.cell.get("settings") or {}).items() if name not in of_free}
    of_cell = sorted((key, str(value)) for key, value in row.cell.items() if key not in ignored)
    return (*of_cell, *sorted(settings.items()))


def _leaves(value: Any, path: str) -> dict[str, Any]:
    if isinstance(value, dict):
        return {name: leaf for key, part in value.items() for name, leaf in _leaves(part, f"{path}.{key}").items()}
    return {path: value}


def _parts(run: Run, row: Row) -> dict[str, Any]:
    """Return the leaves of machine, build, model and environment of a cell, by path, without what is not compared."""
    launch = row.launches[-1]["payload"]
    leaves: dict[str, Any] = _leaves(launch.get("environment") or {}, "environment")
    for kind, known in (("machine", run.machines), ("build", run.builds), ("model", run.models)):
        payload = known.get(launch[kind]) or {}
        for name, value in payload.items():
            if name == "cmake_arguments":
                value = [argument for argument in value or [] if not str(argument).startswith(_OF_COMMIT)]
            if name not in NOT_COMPARED[kind]:
                leaves.update(_leaves(value, f"{kind}.{name}"))
    return leaves


def differing(a: tuple[Run, Row], b: tuple[Run, Row], allowed: Iterable[str]) -> list[str]:
    """Return a line for each part in which two cells differ and should not, with both values.

    `allowed` are paths, or beginnings of paths, of what may differ: `build`, `machine.kernel`.
    """
    may = tuple(allowed)
    left, right = _parts(*a), _parts(*b)
    lines = []
    for path in sorted({*left, *right}):
        value, other = left.get(path), right.get(path)
        if path == "machine.memory_bytes" and isinstance(value, int) and isinstance(other, int):
            # From boot to boot the kernel leaves some pages more or less.
            value, other = value >> 26, other >> 26
        if value != other and not any(path == name or path.startswith(f"{name}.") for name in may):
            lines.append(f"{path}: {left.get(path)!r:.80} against {right.get(path)!r:.80}")
    return lines


def _same(a: tuple[Run, Row], b: tuple[Run, Row]) -> bool:
    """Say whether two selections found one and the same cell."""
    return (a[0].machine, a[0].run, a[1].cell) == (b[0].machine, b[0].run, b[1].cell)


def within_blocks(a: Row, b: Row, p_value: bool = True) -> Verdict:
    """Return how the cell B of a run stands to A of the same, by the blocks in which both were undisturbed.

    `p_value`: as verdict.paired() has it.
    """
    left, right = summary.by_block(a), summary.by_block(b)
    blocks = sorted(set(left) & set(right))
    lower = registry.lower_is_better(a.speed)
    return verdict.paired([left[block] for block in blocks], [right[block] for block in blocks], lower, p_value)


def combinations(
    rows: Sequence[Row], a: tuple[str, str], b: tuple[str, str]
) -> list[tuple[Row, Row, Verdict, float | None]]:
    """Return how each row of quantization and build B stands to that of A, as compare() says it of the two.

    `rows` are those of one model and run. Without SciPy there are no p-values: the word is that of the interval alone.
    """
    free = [name for name, left, right in zip(("quantization", "build"), a, b, strict=True) if left != right]
    partners: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        if row.launches and summary.combination(row.cell) == a:
            partners[_identity(row, free)] = row
    pairs = [
        (partners[identity], row)
        for row in rows
        if row.launches and summary.combination(row.cell) == b and (identity := _identity(row, free)) in partners
    ]
    try:
        judged = verdict.judged([within_blocks(left, right) for left, right in pairs])
    except verdict.StatisticsMissing:
        judged = [(within_blocks(left, right, p_value=False), None) for left, right in pairs]
    return [(left, right, said, q) for (left, right), (said, q) in zip(pairs, judged, strict=True)]


def pair(a: tuple[Run, Row], b: tuple[Run, Row]) -> tuple[Verdict, bool]:
    """Return how the cell B stands to A, and whether both were launched in the same blocks of one run."""
    lower = registry.lower_is_better(a[1].speed)
    same = (a[0].machine, a[0].run) == (b[0].machine, b[0].run)
    if same:
        return within_blocks(a[1], b[1]), True
    values = [[float(summary.value(record, row.speed) or 0) for record in row.figures] for _run, row in (a, b)]
    besides = (a[1].budget.besides if a[1].budget else 0.0, b[1].budget.besides if b[1].budget else 0.0)
    of_runs = verdict.unpaired(values[0], values[1], lower, besides)
    if a[0].machine != b[0].machine or summary.INVALID in (a[1].state, b[1].state):
        # One instance of each is two machines, whatever their types; and two sessions have nothing that cancels out.
        of_runs = of_runs._replace(word=verdict.INFORMATIONAL)
    return of_runs, False


def compare(runs: Sequence[Run], a: str, b: str, allow: Iterable[str] = ()) -> list[Compared]:
    """Compare all cells of selection B with those of A that differ from them only in what the selections name.

    Raises CompareError when nothing is selected, nothing belongs together, or more differs than was asked for.
    """
    wanted = [parse_selection(text) for text in (a, b)]
    sides = [select(runs, selection) for selection in wanted]
    # What both sides pin to one value is not what is compared.
    free = {key for selection in wanted for key in selection if wanted[0].get(key) != wanted[1].get(key)}
    partners: dict[tuple[Any, ...], list[tuple[Run, Row]]] = {}
    for left in sides[0]:
        partners.setdefault(_identity(left[1], free), []).append(left)
    pairs = [
        (left, right)
        for right in sides[1]
        for left in partners.get(_identity(right[1], free), [])
        if left[1].speed == right[1].speed and not _same(left, right)
    ]
    if not pairs:
        raise CompareError(
            f"no cell of B ({b:.80}) differs from one of A ({a:.80}) in just what the selections name: name the same "
            "test, threads, model and quantization on both sides, or none of them"
        )
    may = [*allow, *(part for key in free for part in _LETS_DIFFER.get(key, ()))]
    unlike: dict[str, None] = {}
    for left, right in pairs:
        unlike.update(dict.fromkeys(differing(left, right, may)))
    if unlike:
        raise CompareError(
            "A and B differ in more than was asked for, so a difference of speed would have more than one cause:\n  "
            + "\n  ".join(unlike)
            + "\nMeasure both alike, or let it differ by bench_report_allow (ALLOW=machine.kernel,build)."
        )
    try:
        standings = [pair(left, right) for left, right in pairs]
        judged = verdict.judged([alone for alone, _interleaved in standings])
    except verdict.StatisticsMissing as error:
        raise CompareError(str(error)) from error
    return [
        Compared(left[1], right[1], among_all, q, interleaved)
        for (left, right), (among_all, q), (_alone, interleaved) in zip(pairs, judged, standings, strict=True)
    ]


def lost(runs: Sequence[Run], b: str) -> list[dict[str, Any]]:
    """Return the cells that selection B planned or tried and has no figure of: no gate may pass for want of them."""
    wanted = parse_selection(b)
    keys = [key for key in wanted if key in _CELL_KEYS]
    return [
        row.cell
        for run in _runs(runs, wanted)
        for row in summary.rows(run, summary.cells(run))
        if not row.launches and all(wanted[key] == str(row.cell[key]) for key in keys)
    ]


def lines(compared: Sequence[Compared], lost: Sequence[Mapping[str, Any]] = ()) -> list[str]:
    """Return the comparison in lines for a terminal, each beginning with its word, the last one a summary."""
    settings = summary.differing_settings(cell.b.cell for cell in compared)
    rows = [_cells(cell, settings) for cell in compared]
    rows += [(MISSING, "", "", f"{cell_text(dict(cell))}: B has no figure of it") for cell in lost]
    words = (verdict.FASTER, verdict.SLOWER, verdict.EQUAL, verdict.UNDECIDED, verdict.INFORMATIONAL)
    counts = [(word, sum(cell.verdict.word == word for cell in compared)) for word in words]
    counts.append((MISSING, len(lost)))
    mark = "" if all(cell.interleaved for cell in compared) else f" ({_APART})"
    said = ", ".join(f"{count} {word}" for word, count in counts if count)
    return [*table((LEFT, LEFT, LEFT, LEFT), rows), f"B against A{mark}: {said}"]


def _cells(cell: Compared, settings: Sequence[str] = ()) -> tuple[str, str, str, str]:
    """Return a line of the table: the word, the ratio, the two means, and what all that is of.

    What is long and ragged stands last, so that the columns before it stand below each other in a narrow terminal.
    """
    ratio, unit = cell.verdict.ratio, metrics.metric(cell.a.speed).unit
    means = [metrics.number(row.interval.mean) if row.interval else metrics.NOT_AVAILABLE for row in (cell.a, cell.b)]
    if ratio is None or ratio.low is None or ratio.high is None:
        how = "no interval"
    else:
        how = f"{ratio.mean:.3f}x ({ratio.low:.3f} to {ratio.high:.3f}, n={ratio.n})"
    how += "" if cell.q is None else f", {verdict.q_words(cell.q)}"
    there = cell.b.cell.get("settings") or {}
    notes = [
        ", ".join([cell_text(cell.b.cell), *(f"{name} {there[name]}" for name in settings if name in there)]),
        f"some {cell.verdict.wanted} pairs may decide" if cell.verdict.wanted else "",
        "" if cell.interleaved else "not interleaved",
        "of INVALID figures" if not cell.interleaved and summary.INVALID in (cell.a.state, cell.b.state) else "",
    ]
    return cell.verdict.word, how, f"{means[0]} -> {means[1]} {unit}", "; ".join(filter(None, notes))
