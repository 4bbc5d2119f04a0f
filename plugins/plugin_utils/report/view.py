# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What subjects are asked about, a page, a line of the index or a run side by side, and what they answer with."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry as kinds
from ansible_collections.cloudbench.llama.plugins.module_utils.models.quantizations import BY_NAME
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import compare, summary, weights
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Payload, Record, Row, Run
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.verdict import Verdict
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import LEFT, RIGHT, Cell, Markdown

# The title of a column and the side that its cells stand on.
Column = tuple[str, str]


class Section(NamedTuple):
    """A heading, what stands below it, and the name of the figure between them if there is one.

    Without a title it continues the section before.
    """

    title: str
    blocks: Sequence[Markdown]
    figure: str = ""


class RowColumn(NamedTuple):
    """A column of a table that has a line for each row."""

    title: str
    side: str
    cell: Callable[[Row], Cell]


class Columns(NamedTuple):
    """What a subject puts into a table of which each line is a page.

    `cells` are those of each entry in turn, None for an entry of which the subject has nothing to say; `note` stands
    below the table.
    """

    columns: Sequence[Column]
    cells: Sequence[Sequence[Cell] | None]
    note: str = ""


class _Rows:
    """Rows of one run that stand on a page, and the words for them."""

    path: str
    run: Run
    rows: list[Row]
    emulated: bool
    imported: bool
    attempts: Sequence[Run]

    def relative(self, target: str) -> str:
        """Return the way from this page to `target`, both relative to the results directory."""
        return posixpath.relpath(target, posixpath.dirname(self.path))

    def unit(self, words: str) -> str:
        """Return a column's title; on a page of emulated figures every table says so."""
        return f"{words}, emulated" if self.emulated else words

    def name_among(self, cell: Payload) -> str:
        """Return what tells a cell from the others of its page, in words; "" where nothing has to."""
        """Return what tells a cell of this page from one of another combination, nothing where there is but one."""
        raise NotImplementedError


class View(_Rows):
    """One page of the latest of its runs.

    `rows` are its cells of llama-bench, `others` those of other kinds; `slower`: sentences on cells that have become
    slower since the run before; `attempts`: later runs that came to less; `earlier`: figures of earlier runs that hold,
    of tests of which this one has none that does.
    """

    def __init__(
        self, path: str, runs: Sequence[Run], slower: Sequence[str] = (), attempts: Sequence[Run] = ()
    ) -> None:
        self.path = path
        self.runs = runs
        self.run = runs[-1]
        self.slower = slower
        self.attempts = attempts
        self.cells = summary.pages(self.run)[path]
        # Of a single run, as most pages have, there is nothing to look for.
        standing = summary.standing_rows(summary.OfPage(list(runs), list(attempts)), path) if runs[1:] else []
        self.earlier = [each for each in standing if each.run is not self.run and each.run not in attempts]
        every = summary.rows(self.run, self.cells)
        self.others = [row for row in every if not summary.benched(row.cell)]
        rows = self.rows = [row for row in every if summary.benched(row.cell)]
        self.measured = [row for row in rows if row.launches]
        self.launches: list[Record] = [record for row in rows for record in row.launches]
        self.emulated = summary.emulated(self.run)
        self.imported = summary.imported(self.run)
        self.prompt = summary.headline(rows, "pp_tps")
        self.generation = summary.headline(rows, "tg_tps")
        self.standings = [summary.standing(rows, row) for row in rows]
        self.several_builds = len({summary.way(row.cell) for row in rows}) > 1
        self.settings = summary.differing_settings(row.cell for row in rows)

    @property
    def every(self) -> list[Row]:
        """The rows of all kinds."""
        return [*self.rows, *self.others]

    @property
    def chosen(self) -> list[Row]:
        """The rows that stand for the page: of generation and of prompts."""
        return [row for row in (self.generation, self.prompt) if row is not None]

    def of_kind(self, name: str) -> list[Row]:
        """Return the rows of a kind of measurement, other than llama-bench's, by its name."""
        return [row for row in self.others if kinds.kind_of(row.cell).name == name]

    def head(self) -> list[Column]:
        """Return the columns that name a cell."""
        build = [(parts.build_title(self.rows), LEFT)] if self.several_builds else []
        return [("Test", LEFT), ("Threads", RIGHT), *build, *((name, LEFT) for name in self.settings)]

    def name(self, row: Row) -> list[Cell]:
        """Return the cells for head()."""
        build = [summary.way(row.cell)] if self.several_builds else []
        settings = [parts.setting_value(row.cell, name) for name in self.settings]
        return [parts.test_words(row.cell), parts.thread_number(row.cell), *build, *settings]

    def table(self, columns: Iterable[Column], cells: Callable[[Row], list[Cell]]) -> Markdown | None:
        """Return a table with a line for each row that was measured, None when none was."""
        if not self.measured:
            return None
        lines = [[*self.name(row), *cells(row)] for row in self.measured]
        return markdown.table([*self.head(), *columns], lines)

    def words(self, row: Row) -> str:
        """Return a row in words."""
        words = (parts.cell_words(row.cell, self.several_builds), parts.settings_words(row.cell, self.settings))
        return ", ".join(filter(None, words))

    def name_among(self, cell: Payload) -> str:
        """Return what tells a cell from the others of its page, in words; "" where nothing has to."""
        return f"build {summary.way(cell)}" if self.several_builds else ""

    def machines(self) -> list[Payload]:
        """Return the fingerprints that the launches refer to (two, when the machine changed during the run)."""
        used = {record["payload"]["machine"] for record in self.launches}
        return [machine for key, machine in sorted(self.run.machines.items()) if not used or key in used]


class SideBySide(_Rows):
    """One run of several quantizations or builds of a model: its rows of llama-bench, in the order of the tables.

    `attempts`: later runs of several that came to less.
    """

    def __init__(self, path: str, run: Run, rows: Sequence[Row], attempts: Sequence[Run] = ()) -> None:
        self.path = path
        self.attempts = attempts
        self.run = run
        self.emulated = summary.emulated(run)
        self._every = list(rows)
        self._verdicts: dict[tuple[int, int], tuple[Verdict, float | None]] = {}
        self.imported = summary.imported(run)
        # Latencies and load times are compared on no page yet: a ratio of theirs has another direction.
        rows = [row for row in rows if summary.benched(row.cell)]
        self.rows = sorted(rows, key=_order)
        self.launches: list[Record] = [record for row in rows for record in row.launches]

    def of_kind(self, name: str) -> list[Row]:
        """Return the rows of a kind of measurement by its name, in the order of the tables."""
        return sorted((row for row in self._every if kinds.kind_of(row.cell).name == name), key=_order)

    def name_among(self, cell: Payload) -> str:
        """Return what tells a cell from the others of its page, in words; "" where nothing has to."""
        return f"{cell['quantization']} in build {summary.way(cell)}"

    def verdict(self, row: Row, reference: Row) -> tuple[Verdict, float | None]:
        """Return how `row` stands to `reference`, as `make compare` says it of their combinations, with its q.

        All cells of the two are compared at once, for q is adjusted for their number.
        """
        key = (id(row), id(reference))
        if key not in self._verdicts:
            pair = (summary.combination(reference.cell), summary.combination(row.cell))
            for left, right, said, q in compare.combinations(self._every, *pair):
                self._verdicts[id(right), id(left)] = said, q
            # Cells that differ in more than their combination are no pair of that comparison.
            self._verdicts.setdefault(key, (compare.within_blocks(reference, row, p_value=False), None))
        return self._verdicts[key]

    def tests(self) -> list[list[Row]]:
        """Return the rows of each test: generation first, the usual tests first."""
        groups: dict[tuple[Any, ...], list[Row]] = {}
        for row in self.rows:
            cell = row.cell
            key = (
                row.speed != "tg_tps",
                cell["n_depth"],
                cell["test"] not in summary.USUAL_TESTS,
                *(cell[name] for name in ("n_prompt", "n_gen", "test")),
            )
            groups.setdefault(key, []).append(row)
        return [rows for _key, rows in sorted(groups.items())]

    def of(self, quantization: str, build: str) -> list[Row]:
        """Return the measured rows of one combination."""
        return [row for row in self.rows if row.launches and summary.combination(row.cell) == (quantization, build)]


def _order(row: Row) -> tuple[Any, ...]:
    """Order a table's rows: by threads, then Q4_0, what it replaced and the others, `default` before other builds."""
    quantization, build = summary.combination(row.cell)
    rank = 0 if quantization == summary.REFERENCE_QUANTIZATION else 1 if is_legacy(quantization) else 2
    return row.cell["threads"], rank, quantization, build != summary.REFERENCE_BUILD, build, summary.cell_key(row.cell)


def is_legacy(quantization: str) -> bool:
    """Say whether llama.cpp has removed the file type of a quantization since."""
    return quantization in BY_NAME and BY_NAME[quantization].legacy


# The rows of one test that ratios refer to, by their thread count.
References = dict[int, Row]


class Entry(NamedTuple):
    """What the index shows of one page: its latest run and the rows that stand for it.

    `largest` are the largest values of metrics among the launches of those two rows, `slower` sentences on cells that
    have become slower since the run before, `attempt` one on a later run that came to less, `nothing` why the page has
    no figure, both None without. `model_file` is the payload of the model's file, None where it is not on record or
    there were several. `kernel`: the layouts in which an emulated page's weights were used.
    """

    path: str
    run: Run
    model: str
    quantization: str
    prompt: Row | None
    generation: Row | None
    largest: dict[str, float | None]
    synthetic: bool | None
    emulated: bool
    planned: set[str]
    rows: list[Row]
    comparison: str | None
    slower: list[str]
    attempt: str | None = None
    nothing: str | None = None
    model_file: Payload | None = None
    kernel: Markdown | None = None

    @property
    def ranked(self) -> bool:
        """Whether it may be ranked: it is of a real machine, and this collection measured it."""
        return not self.emulated and not summary.imported(self.run)

    def of(self, speed: str) -> Row | None:
        """Return the row that stands for a speed."""
        return self.generation if speed == "tg_tps" else self.prompt

    def name_among(self, cell: Payload) -> str:
        """Return what tells a cell from the others of its page, and a build that is not the default; "" without any."""
        several = len({summary.way(row.cell) for row in self.rows}) > 1 or (
            summary.way(cell) != summary.REFERENCE_BUILD and not summary.imported(self.run)
        )
        differing = summary.differing_settings(row.cell for row in self.rows)
        words = (f"build {summary.way(cell)}" if several else "", parts.settings_words(cell, differing))
        return ", ".join(filter(None, words))


class Distinct(NamedTuple):
    """Entries of which no two are the same bytes on one machine, and what was left out: quantization -> what it is."""

    entries: list[Entry]
    same: dict[str, str]


def distinct(entries: Sequence[Entry]) -> Distinct:
    """Return the entries of one model that may be ranked against each other: the same tensors are one quantization.

    One that is another's bytes stays where its machine has no better figure of that other one.
    """
    first = weights.twins(item.model_file for item in entries if item.model_file)
    same: dict[str, str] = {}
    kept = []
    for item in entries:
        name = first.get((item.model_file or {}).get("tensors_sha256") or "", item.quantization)
        others = [other for other in entries if other.run.machine == item.run.machine and other.quantization == name]
        if name != item.quantization:
            same[item.quantization] = name
        if name == item.quantization or not any(_stands_for(other, item) for other in others):
            kept.append(item)
    return Distinct(kept, same)


def _stands_for(other: Entry, item: Entry) -> bool:
    """Say whether the figures of `other` may stand for those of `item`, which is of the same bytes."""
    return any(row.launches for row in other.rows) and (
        summary.any_ranked(other.rows) or not summary.any_ranked(item.rows)
    )


def same_words(same: Mapping[str, str]) -> str | None:
    """Return a sentence on quantizations that are another one's bytes, None without any."""
    said = [f"{name} has the same bytes as {first}" for name, first in sorted(same.items())]
    return f"{'; '.join(said)}: one quantization, ranked once." if said else None
