# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two selections of what is on record, compared cell by cell: which cells, whether they may be, and what came of it."""

from __future__ import annotations

import itertools
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry, variant
from ansible_collections.cloudbench.llama.plugins.module_utils.record.envelope import NOT_COMPARED
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import duets, summary, verdict
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.duets import Duet
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.progress import thread_count
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Row, Run
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.verdict import Verdict
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.terminal.table import LEFT, table

KEYS = ("run", "machine", "model", "quantization", "build", "variant", "commit", "threads", "test")
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
_NO_FIGURE = "B has no figure of it"
_APART = "not interleaved: what the machine did differently in the two runs is in it"
_CELL_KEYS = ("model", "quantization", "build", "variant", "threads", "test")

# The columns of a terminal that a comparison fits into, and the lines that say what can be compared.
WIDTH, OFFERED = 100, 10
# What a shell and make take as it is, within quotes.
_PLAIN = re.compile(r"[\w.@+:/=-]+", re.ASCII)
# So many comparisons are tried for each kind of offer: one that is refused is none.
_TRIES = 12


class CompareError(ValueError):
    """Two selections that cannot be compared; the message says what does not fit and what there is."""


class Compared(NamedTuple):
    """One cell of each side and how B stands to A.

    `interleaved`: both were launched in the same blocks of one run; `q`: the p-value adjusted for the number of
    comparisons; `runs`: those that A and B are of; `duet`: what the verdict is from, where both were measured at the
    same moment, None where it is from launches.
    """

    a: Row
    b: Row
    verdict: Verdict
    q: float | None
    interleaved: bool
    runs: tuple[Run, Run]
    duet: Duet | None = None


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
        if key == "variant":
            value = _variant(value)
        if selection.setdefault(key, value) != value:
            raise CompareError(f"{key} is asked for twice: {selection[key]!r:.60} and {value!r:.60}")
    return selection


def _variant(text: str) -> str:
    """Return a variant as cells have it, whatever the order in which its settings are named. Raises CompareError."""
    try:
        return variant.parse(text) or variant.PLAIN
    except variant.VariantError as error:
        raise CompareError(str(error)) from error


class Measured:
    """The runs that have a figure, the oldest first within each machine, and their rows that do, made once."""

    def __init__(self, runs: Iterable[Run]) -> None:
        self.runs = [run for run in runs if summary.fruitful(run)]
        self._rows: dict[tuple[str, str], list[Row]] = {}

    def rows(self, run: Run) -> list[Row]:
        """Return the rows of a run that have a figure."""
        key = (run.machine, run.run)
        if key not in self._rows:
            self._rows[key] = [row for row in summary.rows(run, summary.cells(run)) if row.launches]
        return self._rows[key]

    def named(self, wanted: Mapping[str, str]) -> list[Run]:
        """Return the runs that a selection may be of: all, those of the id it names, or one of each machine by age."""
        machine, commit, name = wanted.get("machine"), wanted.get("commit"), wanted.get("run")
        runs = [run for run in self.runs if machine in (None, run.machine)]
        if commit is not None:
            runs = [run for run in runs if commit in summary.commits(run, run.launches)]
        if name not in (LATEST, PREVIOUS):
            return [run for run in runs if name in (None, run.run)]
        back = 1 if name == LATEST else 2
        return [of_machine[-back] for of_machine in _by_machine(runs).values() if len(of_machine) >= back]


def _by_machine(runs: Iterable[Run]) -> dict[str, list[Run]]:
    by_machine: dict[str, list[Run]] = {}
    for run in runs:
        by_machine.setdefault(run.machine, []).append(run)
    return by_machine


def _names(wanted: Mapping[str, str], cell: Mapping[str, Any]) -> bool:
    """Say whether a selection names a cell, as far as the cell alone can tell."""
    return all(wanted[key] == _of_cell(cell, key) for key in _CELL_KEYS if key in wanted)


def _of_cell(cell: Mapping[str, Any], key: str) -> str:
    """Return what a cell has for one of _CELL_KEYS; one without a variant has `default`."""
    return str(cell.get(key, variant.PLAIN) if key == "variant" else cell[key])


def _value(run: Run, row: Row, key: str) -> set[str]:
    if key in _CELL_KEYS:
        return {_of_cell(row.cell, key)}
    if key != "commit":
        return {run.run if key == "run" else run.machine}
    return set(summary.commits(run, row.launches))


def select(measured: Measured, wanted: Mapping[str, str]) -> list[tuple[Run, Row]]:
    """Return the measured cells that a selection names. Raises CompareError when there are none."""
    every = [(run, row) for run in measured.named(wanted) for row in measured.rows(run)]
    keys = [key for key in wanted if key != "run"]
    selected = [(run, row) for run, row in every if all(wanted[key] in _value(run, row, key) for key in keys)]
    if selected:
        return selected
    runs = measured.runs
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
            lines.append(f"{path}: {_apart(left.get(path), right.get(path))}")
    return lines


def _apart(value: Any, other: Any) -> str:
    """Return two values that differ; of two lists what only one of them has, which long lists would not show."""
    if isinstance(value, list) and isinstance(other, list):
        sides = [
            (side, [item for item in items if item not in others])
            for side, items, others in (("A", value, other), ("B", other, value))
        ]
        only = [f"only {side} has {', '.join(map(str, items)):.80}" for side, items in sides if items]
        return "; ".join(only) or "the same in another order"
    return " against ".join("nothing on record" if item is None else f"{item!r:.80}" for item in (value, other))


def within_blocks(a: Row, b: Row, p_value: bool = True, metric: str = "") -> Verdict:
    """Return how the cell B of a run stands to A of the same, by the blocks in which both were undisturbed.

    `p_value`: as verdict.paired() has it. `metric`: another one than stands for the cells.
    """
    left, right = summary.by_block(a, metric), summary.by_block(b, metric)
    blocks = sorted(set(left) & set(right))
    lower = registry.lower_is_better(metric or a.speed)
    return verdict.paired([left[block] for block in blocks], [right[block] for block in blocks], lower, p_value)


def combinations(
    rows: Sequence[Row], a: tuple[str, str], b: tuple[str, str]
) -> list[tuple[Row, Row, Verdict, float | None]]:
    """Return how each row of quantization and way B stands to that of A, as compare() says it of the two.

    `rows` are those of one model and run. Without SciPy there are no p-values: the word is that of the interval alone.
    """
    free = ["quantization"] * (a[0] != b[0]) + ["build", "variant"] * (a[1] != b[1])
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


# One cell that a selection names, as each run has it, the newest first.
_OfRuns = list[tuple[Run, Row]]
_Pair = tuple[tuple[Run, Row], tuple[Run, Row]]


def _by_cell(side: Iterable[tuple[Run, Row]], free: Iterable[str]) -> dict[tuple[Any, ...], dict[Any, _OfRuns]]:
    """Return the cells of a selection by what must be equal of two that are compared."""
    of_machine = "machine" not in free
    by_identity: dict[tuple[Any, ...], dict[Any, _OfRuns]] = {}
    for run, row in sorted(side, key=lambda measured: (measured[0].time, measured[0].run), reverse=True):
        identity = (run.machine if of_machine else "", row.speed, *_identity(row, free))
        cells = by_identity.setdefault(identity, {})
        cells.setdefault((run.machine, summary.cell_key(row.cell)), []).append((run, row))
    return by_identity


def _partners(a: _OfRuns, b: _OfRuns) -> _Pair | None:
    """Return one cell of each side: of the newest run that has both, else of the newest run of each.

    What one run has of both is interleaved. None where both sides are one and the same cell of one run.
    """
    of_run = {(run.machine, run.run): (run, row) for run, row in b}
    for left in a:
        right = of_run.get((left[0].machine, left[0].run))
        if right and right[1].cell != left[1].cell:
            return left, right
    left, right = a[0], b[0]
    same = (left[0].machine, left[0].run, left[1].cell) == (right[0].machine, right[0].run, right[1].cell)
    return None if same else (left, right)


def _free(wanted: Sequence[Mapping[str, str]]) -> set[str]:
    """Return the keys in which two selections are to differ.

    What both pin to one value is not what is compared. A machine that one of them names is that of both.
    """
    free = {key for selection in wanted for key in selection if wanted[0].get(key) != wanted[1].get(key)}
    return free if all("machine" in selection for selection in wanted) else free - {"machine"}


def compare(runs: Sequence[Run], a: str, b: str, allow: Iterable[str] = ()) -> list[Compared]:
    """Compare all cells of selection B with those of A that differ from them only in what the selections name.

    Where several runs have a cell, the newest that has those of both sides is compared within itself, and only where
    there is none the newest run of each side with the other. What a run measured in a duet is judged by that: nothing
    else of it tells less apart. Raises CompareError when nothing is selected, nothing
    belongs together, or more differs than was asked for.
    """
    pairs = _paired(Measured(runs), a, b, allow)
    try:
        of_pairs = _duets(pairs)
        standings = [
            (duet.verdict, True) if duet else pair(left, right)
            for (left, right), duet in zip(pairs, of_pairs, strict=True)
        ]
        judged = verdict.judged([alone for alone, _interleaved in standings])
    except verdict.StatisticsMissing as error:
        raise CompareError(str(error)) from error
    return [
        Compared(left[1], right[1], among_all, q, interleaved, (left[0], right[0]), duet)
        for (left, right), (among_all, q), (_alone, interleaved), duet in zip(
            pairs, judged, standings, of_pairs, strict=True
        )
    ]


def _duets(pairs: Sequence[_Pair]) -> list[Duet | None]:
    """Return the duet of each pair of cells of one run that was measured in one and has enough pairs there."""
    of_run: dict[tuple[str, str], list[Duet]] = {}
    told: list[Duet | None] = []
    for (run_a, row_a), (run_b, row_b) in pairs:
        key = (run_b.machine, run_b.run)
        if (run_a.machine, run_a.run) != key:
            told.append(None)
            continue
        if key not in of_run:
            of_run[key] = duets.of_run(run_b)
        told.append(duets.between(of_run[key], row_a.cell, row_b.cell))
    return told


def _paired(measured: Measured, a: str, b: str, allow: Iterable[str]) -> list[_Pair]:
    """Return what is compared of two selections. Raises CompareError as `compare` does."""
    wanted = [parse_selection(text) for text in (a, b)]
    sides = [select(measured, selection) for selection in wanted]
    free = _free(wanted)
    lefts, rights = (_by_cell(side, free) for side in sides)
    possible = [
        _partners(left, right)
        for identity, cells in rights.items()
        for right in cells.values()
        for left in lefts.get(identity, {}).values()
    ]
    pairs = sorted(filter(None, possible), key=_pair_order)
    if not pairs:
        raise CompareError(_nothing_alike(a, b, sides))
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
    return pairs


def _pair_order(both: _Pair) -> tuple[Any, ...]:
    """Return what sorts the pairs of a comparison: by machine, the newest runs first, then as tables of pages do."""
    (run_a, row_a), (run_b, row_b) = both
    place = (run_b.machine, run_a.machine)
    return (*place, *(_newest_first(run) for run in (run_b, run_a)), *map(summary.cell_order, (row_b.cell, row_a.cell)))


def _newest_first(run: Run) -> tuple[int, ...]:
    return tuple(-ord(letter) for letter in f"{run.time} {run.run}")


def _nothing_alike(a: str, b: str, sides: Sequence[Iterable[tuple[Run, Row]]]) -> str:
    machines = [sorted({run.machine for run, _row in side}) for side in sides]
    if not set(machines[0]) & set(machines[1]):
        return (
            f"no machine has both: A ({a:.80}) is of {', '.join(machines[0]):.200}, B ({b:.80}) of "
            f"{', '.join(machines[1]):.200}. Two machines are compared where each side names one: "
            f"machine={machines[0][0]} and machine={machines[1][0]}"
        )
    return (
        f"no cell of B ({b:.80}) differs from one of A ({a:.80}) in just what the selections name: name the same "
        "test, threads, model and quantization on both sides, or none of them"
    )


def lost(runs: Iterable[Run], b: str, a: str | None = None) -> list[tuple[Run, dict[str, Any]]]:
    """Return the cells that selection B planned or tried and has no figure of: no gate may pass for want of them.

    They are those of the newest run of each machine that has asked for any. With `a`, only of machines of which
    selection A has something, or B names.
    """
    measured, wanted = Measured(runs), parse_selection(b)
    machines = None
    if a is not None and "machine" not in wanted:
        machines = {run.machine for run in measured.named(parse_selection(a))}
    missing: list[tuple[Run, dict[str, Any]]] = []
    for machine, of_machine in _by_machine(measured.named(wanted)).items():
        asked = (
            (run, [cell for cell in summary.cells(run) if _names(wanted, cell)])
            for run in reversed(of_machine)
            if machines is None or machine in machines
        )
        run, cells = next(((run, cells) for run, cells in asked if cells), (of_machine[-1], []))
        missing += [(run, row.cell) for row in summary.rows(run, cells) if not row.launches]
    return missing


class Line(NamedTuple):
    """A cell of a comparison in words: verdict, ratio, both means, test, what else it is of, and in which runs."""

    word: str
    ratio: str
    means: str
    test: str
    parts: tuple[str, ...]
    place: str

    @property
    def sentence(self) -> str:
        """All of it, for a reader that sees this line alone."""
        return f"{self.word}: {', '.join(filter(None, (self.test, *self.parts, self.ratio, self.means, self.place)))}"


def told(compared: Sequence[Compared], lost: Iterable[tuple[Run, dict[str, Any]]] = ()) -> list[Line]:
    """Return a comparison cell by cell, then what B has no figure of."""
    settings = summary.differing_settings(cell.b.cell for cell in compared)
    missing = [
        Line(MISSING, "", "", cell["test"], (*_parts_of(cell, cell), _NO_FIGURE), f"{run.machine}, run {run.run}")
        for run, cell in lost
    ]
    return [*(_line(cell, settings) for cell in compared), *missing]


def lines(every: Sequence[Line], width: int = WIDTH) -> list[str]:
    """Return a comparison for a terminal of `width` columns: a table for the cells of the same runs, then the count.

    What all lines of a table share stands above them.
    """
    shown: list[str] = []
    for (place, _missing), alike in itertools.groupby(every, key=lambda line: (line.place, line.word == MISSING)):
        group = list(alike)
        shared = [part for part in group[0].parts if all(part in line.parts for line in group)]
        words_of = ([line.test, *(part for part in line.parts if part not in shared)] for line in group)
        rows = [(*line[:3], "; ".join(words)) for line, words in zip(group, words_of, strict=True)]
        for text in filter(None, (place, ", ".join(shared))):
            shown += textwrap.wrap(text, width, subsequent_indent="  ", break_on_hyphens=False)
        shown += [f"  {text}" for text in table((LEFT, LEFT, LEFT, LEFT), rows, width=width - 2)]
    known = (verdict.FASTER, verdict.SLOWER, verdict.EQUAL, verdict.UNDECIDED, verdict.INFORMATIONAL, MISSING)
    counts = [(word, sum(line.word == word for line in every)) for word in known]
    return [*shown, f"B against A: {', '.join(f'{count} {word}' for word, count in counts if count)}"]


def _place(cell: Compared) -> str:
    """Return where and when both sides were measured, and whether in one run."""
    a, b = cell.runs
    apart = "" if cell.interleaved else f" ({_APART})"
    if a.machine != b.machine:
        return f"A on {a.machine}, run {a.run}; B on {b.machine}, run {b.run}{apart}"
    runs = f"run {b.run}" if a.run == b.run else f"A of run {a.run}, B of run {b.run}"
    return f"{b.machine}, {runs}{apart}"


def _parts_of(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """Return what two cells are of beside their test, `A -> B` where they differ."""
    sides = [
        (str(cell["model"]), str(cell["quantization"]), f"build {summary.way(dict(cell))}", thread_count(dict(cell)))
        for cell in (a, b)
    ]
    return [left if left == right else f"{left} -> {right}" for left, right in zip(*sides, strict=True)]


def _line(cell: Compared, settings: Sequence[str] = ()) -> Line:
    ratio, unit = cell.verdict.ratio, metrics.metric(cell.a.speed).unit
    means = [metrics.number(row.interval.mean) if row.interval else metrics.NOT_AVAILABLE for row in (cell.a, cell.b)]
    if ratio is None or ratio.low is None or ratio.high is None:
        how = "no interval"
    else:
        how = f"{ratio.mean:.3f}x ({ratio.low:.3f} to {ratio.high:.3f}, n={ratio.n})"
    how += "" if cell.q is None else f", {verdict.q_words(cell.q)}"
    there = cell.b.cell.get("settings") or {}
    parts = [
        *_parts_of(cell.a.cell, cell.b.cell),
        *(f"{name} {there[name]}" for name in settings if name in there),
        f"{duets.WORDS}, {thread_count(cell.duet.b)} each" if cell.duet else "",
        f"some {cell.verdict.wanted} pairs may decide" if cell.verdict.wanted else "",
        "of INVALID figures" if not cell.interleaved and summary.INVALID in (cell.a.state, cell.b.state) else "",
    ]
    means_text = f"{means[0]} -> {means[1]} {unit}"
    return Line(cell.verdict.word, how, means_text, cell.b.cell["test"], tuple(filter(None, parts)), _place(cell))


def offers(runs: Iterable[Run]) -> list[str]:
    """Return what can be compared of the records, as commands that are ready to be given, at most OFFERED - 1.

    Builds, variants, quantizations, runs, machines and threads take turns, what was measured last first. Each was
    tried: one that would be refused is not offered.
    """
    measured = Measured(runs)
    newest = sorted(measured.runs, key=lambda run: (run.time, run.run), reverse=True)
    pairs = [
        _of_cells(measured, newest, "build"), _of_cells(measured, newest, "variant"),
        _of_cells(measured, newest, "quantization"), _of_runs(newest), _of_machines(newest),
        _of_cells(measured, newest, "threads"),
    ]  # fmt: skip
    kinds = [_tried(measured, some) for some in pairs]
    commands: dict[str, None] = {}
    while kinds and len(commands) < OFFERED - 1:
        for kind in list(kinds):
            command = next(kind, None)
            if command is None:
                kinds.remove(kind)
            elif len(commands) < OFFERED - 1:
                commands.setdefault(command)
    return list(commands)


def _tried(measured: Measured, pairs: Iterable[tuple[tuple[str, str], ...]]) -> Iterator[str]:
    """Return a command for each pair of selections that can be compared, if need be in one of other words.

    `pairs` has for each the selections A and B, the shortest words first.
    """
    for ways in itertools.islice(dict.fromkeys(pairs), _TRIES):
        plain = [way for way in ways if all(map(_PLAIN.fullmatch, " ".join(way).split()))]
        for allow, (a, b) in itertools.product(("", "build"), plain):
            try:
                count = len(_paired(measured, a, b, [allow] if allow else []))
            except CompareError:
                continue
            command = f"make compare A={_quoted(a)} B={_quoted(b)}" + (f" ALLOW={allow}" if allow else "")
            note = f"  # {metrics.plural(count, 'cell')}"
            yield command + (note if len(command + note) <= WIDTH - 2 else "")
            break


def _quoted(text: str) -> str:
    return f'"{text}"' if " " in text else text


def _of_cells(measured: Measured, runs: Iterable[Run], key: str) -> Iterator[tuple[tuple[str, str], ...]]:
    """Return the pairs of values of one key of a cell that a run has both of, where all else is equal."""
    for run in runs:
        alike: dict[tuple[Any, ...], list[Row]] = {}
        for row in measured.rows(run):
            alike.setdefault((row.speed, *_identity(row, [key])), []).append(row)
        for rows in alike.values():
            reference = summary.reference(rows)
            first = _of_cell((reference or rows[0]).cell, key)
            for value in dict.fromkeys(_of_cell(row.cell, key) for row in rows):
                if value != first:
                    a, b = f"{key}={first}", f"{key}={value}"
                    yield (a, b), (f"machine={run.machine} {a}", b)


def _of_runs(runs: Sequence[Run]) -> Iterator[tuple[tuple[str, str], ...]]:
    """Return the pairs of a run and the one before it, first of all machines and then of each."""
    if runs:
        yield ((PREVIOUS, LATEST),)
    for of_machine in _by_machine(runs).values():
        for later, earlier in itertools.pairwise(of_machine):
            yield ((earlier.run, later.run),)


def _of_machines(runs: Iterable[Run]) -> Iterator[tuple[tuple[str, str], ...]]:
    """Return the pairs of machines, without those that are emulated: their speed is not that of a processor."""
    machines = list(dict.fromkeys(run.machine for run in runs if not summary.emulated(run)))
    for a, b in itertools.combinations(machines, 2):
        yield ((f"machine={a}", f"machine={b}"),)
