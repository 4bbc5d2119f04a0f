# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a quantization costs in quality, what it gains for that, and which are dominated by another one.

Launches are the replicates: each takes another part of the text, of as many tokens, and the same part for all cells. So
the geometric mean of the launches' ratios of perplexities is the ratio over all parts, exp of the mean of their
logarithms, and two cells are compared part by part. docs/decisions/0029-quality-is-paired.md has the reasons.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry as kinds
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.intervals import (
    MARGIN_PERCENT,
    Interval,
    mean_interval,
)
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import cost, summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.cost import Cost
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Payload, Row, Run
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics

KIND = "quality"
RATIO = "ppl_ratio"
# What may be lost of the reference's perplexity, in percent, where a run does not say.
LIMIT_PERCENT = 1.0


class QualityError(ValueError):
    """Figures of quality that cannot be set side by side; the message names the values, the rule and the remedy."""


class Basis(NamedTuple):
    """What figures of quality must have alike to be compared: the model, what it is compared with, and on what.

    `n_prompt` is the context and `chunks` how many of it a launch takes: with others its parts are other parts.
    """

    model: str
    reference: str
    text: str
    n_prompt: int
    chunks: int


def basis(cell: Payload) -> Basis:
    """Return on what a cell of kind quality was measured."""
    return Basis(
        cell["model"], cell.get("reference", ""), cell.get("text", ""), cell["n_prompt"], cell.get("chunks", 0)
    )


def is_quality(cell: Payload) -> bool:
    """Say whether a cell is of kind quality."""
    return kinds.kind_of(cell).name == KIND


def of_kind(rows: Iterable[Row]) -> list[Row]:
    """Return the rows of kind quality."""
    return [row for row in rows if is_quality(row.cell)]


def by_basis(rows: Iterable[Row]) -> dict[Basis, list[Row]]:
    """Return the rows of kind quality among `rows` by what they were measured on, in the order of that."""
    groups: dict[Basis, list[Row]] = {}
    for row in of_kind(rows):
        groups.setdefault(basis(row.cell), []).append(row)
    return dict(sorted(groups.items()))


def limit_percent(run: Run) -> float:
    """Return what may be lost of the reference's perplexity in a run, in percent."""
    asked = (run.plan or {}).get("quality_limit_percent")
    return LIMIT_PERCENT if asked is None else float(asked)


# ---- Figures ----


def loss(row: Row) -> Interval | None:
    """Return how much perplexity a row of kind quality has lost, in percent: 100 (ratio - 1), None without a launch.

    It may be below 0. half_width_percent is None: a percentage of a percentage says nothing.
    """
    if row.interval is None:
        return None
    mean, low, high = (
        None if ratio is None else 100 * (ratio - 1)
        for ratio in (row.interval.mean, row.interval.low, row.interval.high)
    )
    return Interval(float(mean or 0), low, high, row.interval.n, None)


def paired(row: Row, other: Row) -> Interval | None:
    """Return the ratio of the perplexity of `row` to that of `other`, part by part; None where they share no part.

    Raises QualityError where the two were not measured on the same.
    """
    _refuse_mixed((row, other))
    theirs = _by_part(other)
    ratios = [ratio / theirs[part] for part, ratio in _by_part(row).items() if part in theirs]
    return mean_interval(ratios) if ratios else None


def _by_part(row: Row) -> dict[int, float]:
    """Return the ratio of each launch of a row by the part that it took."""
    parts: dict[int, float] = {}
    for record in row.figures:
        ratio = summary.value(record, RATIO)
        if ratio is not None:
            told = record["payload"].get("predicted") or {}
            parts.setdefault(told.get("part", record["payload"]["number"]), float(ratio))
    return parts


def _refuse_mixed(rows: Sequence[Row]) -> None:
    bases = sorted({basis(row.cell) for row in rows})
    if len(bases) < 2:
        return
    first, second = bases[:2]
    said = [
        f"{name} {value!r} and {other!r}"
        for name, value, other in zip(Basis._fields, first, second, strict=True)
        if value != other
    ]
    raise QualityError(
        f"figures of quality of {', '.join(said)} cannot be compared: all must be of one model, reference, text and "
        "context; ask for them in one run"
    )


# ---- What quality is traded for ----


class Point(NamedTuple):
    """A quantization in a build with its settings: its row of quality, and what else the same run knows of it.

    `peak_bytes` is the largest resident memory of its launches of llama-bench, `usd` what a million tokens of
    generation cost.
    """

    quality: Row
    generation: Row | None
    prompt: Row | None
    load: Row | None
    peak_bytes: float | None
    usd: Cost | None

    @property
    def name(self) -> str:
        """What it is, in words: Q4_0 in build default, ctk=q8_0."""
        quantization, way = summary.combination(self.quality.cell)
        return f"{quantization} in build {way}"


class Criterion(NamedTuple):
    """What loss is traded for: in words, its metric, and its figure; None where it is not known or does not hold."""

    name: str
    metric: str
    of: Callable[[Point], Interval | None]


def _ranked(row: Row | None) -> Interval | None:
    return row.interval if row and row.ranked else None


def _peak(point: Point) -> Interval | None:
    if not point.peak_bytes or (point.generation and point.generation.stamp):
        return None
    # Of less nobody chooses, and the peak of a process is not known better.
    half = math.sqrt(1 + MARGIN_PERCENT / 100)
    return Interval(point.peak_bytes, point.peak_bytes / half, point.peak_bytes * half, 1, None)


GENERATION = Criterion("generation", "tg_tps", lambda point: _ranked(point.generation))
MEMORY = Criterion("memory", "rss_peak_bytes", _peak)
CRITERIA = (
    GENERATION,
    Criterion("prompts", "pp_tps", lambda point: _ranked(point.prompt)),
    MEMORY,
    Criterion("load time", "load_warm_s", lambda point: _ranked(point.load)),
)


def points(run: Run, rows: Sequence[Row]) -> list[Point]:
    """Return what a run knows of each combination of quantization, build and settings of which quality was measured.

    `rows`: those of the run, of one model and with one basis of quality. Ordered by what is lost. Raises QualityError
    where the rows of quality are of several.
    """
    measured = [row for row in of_kind(rows) if row.interval]
    _refuse_mixed(measured)
    price = cost.hourly(run)
    usd_hour = price.usd if price else None
    best: dict[tuple[str, str], Row] = {}
    for row in measured:
        # Threads change nothing of what is predicted.
        key = summary.combination(row.cell)
        if key not in best or len(row.figures) > len(best[key].figures):
            best[key] = row
    # Of one test all, or nothing could be compared.
    benched = [row for row in rows if summary.benched(row.cell)]
    usual = [summary.headline(benched, speed) for speed in ("tg_tps", "pp_tps")]
    comparable = [summary.same_test(benched, row) if row else [] for row in usual]
    loads = [row for row in rows if kinds.kind_of(row.cell).name == "load"]
    every = []
    for key, row in best.items():
        generation, prompt, load = (
            summary.headline([other for other in some if summary.combination(other.cell) == key], speed)
            for some, speed in zip([*comparable, loads], ("tg_tps", "pp_tps", "load_warm_s"), strict=True)
        )
        of_peak = generation or prompt
        every.append(
            Point(
                row,
                generation,
                prompt,
                load,
                summary.largest(of_peak, "rss_peak_bytes") if of_peak else None,
                cost.of_row(generation, usd_hour) if generation and generation.ranked and usd_hour else None,
            )
        )
    return sorted(every, key=lambda point: (_lost(point), point.name))


def _lost(point: Point) -> float:
    return point.quality.interval.mean if point.quality.interval else math.inf


def loses_less(point: Point, other: Point) -> bool:
    """Say whether `point` is established to lose less perplexity than `other`, part by part."""
    ratio = paired(point.quality, other.quality)
    return bool(ratio and ratio.high is not None and ratio.high < 1)


def _better(figure: Interval, other: Interval, metric: str) -> bool:
    """Say whether a figure is established to be better than another: their intervals do not overlap."""
    if None in (figure.low, figure.high, other.low, other.high):
        return False
    if metrics.metric(metric).better == "lower":
        figure, other = other, figure
    return bool((figure.low or 0) > (other.high or 0))


def dominates(better: Point, worse: Point, criterion: Criterion) -> bool:
    """Say whether nobody would choose `worse` for its loss and a criterion, having seen `better`.

    That is at least as good in both by its mean, and established to be better in one. Of figures that do not hold
    nothing is said.
    """
    figure, theirs = criterion.of(better), criterion.of(worse)
    if figure is None or theirs is None or better is worse:
        return False
    lower = metrics.metric(criterion.metric).better == "lower"
    no_worse = figure.mean <= theirs.mean if lower else figure.mean >= theirs.mean
    if not no_worse or _lost(better) > _lost(worse):
        return False
    return _better(figure, theirs, criterion.metric) or loses_less(better, worse)


def dominators(every: Sequence[Point], point: Point, criterion: Criterion) -> list[Point]:
    """Return the points that dominate `point` in a criterion, the best in that first; none for one of the frontier."""
    above = [other for other in every if dominates(other, point, criterion)]
    sign = 1 if metrics.metric(criterion.metric).better == "lower" else -1

    def order(other: Point) -> tuple[float, float, str]:
        figure = criterion.of(other)
        return (sign * figure.mean if figure else math.inf, _lost(other), other.name)

    return sorted(above, key=order)


def frontier(every: Sequence[Point], criterion: Criterion) -> list[Point]:
    """Return the points that no other dominates in a criterion, in the order of what they lose."""
    known = [point for point in every if criterion.of(point)]
    return [point for point in known if not any(dominates(other, point, criterion) for other in known)]


# ---- The choice ----


class Choice(NamedTuple):
    """The fastest of those that lose little enough, those that may be as fast, and how many there were to choose from.

    `best` is None where none is known to lose so little and has a speed that may be ranked; `within` then says how many
    lose so little all the same.
    """

    best: Point | None
    ties: list[Point]
    candidates: int
    within: int


def is_within(row: Row, percent: float) -> bool:
    """Say whether a row of kind quality is established to lose at most so many percent: its interval's upper end."""
    lost = loss(row)
    return bool(lost and lost.high is not None and lost.high <= percent)


def fastest_within(every: Sequence[Point], percent: float = LIMIT_PERCENT) -> Choice:
    """Return the fastest at generation of those that are established to lose at most `percent` of the perplexity."""
    within = [point for point in every if is_within(point.quality, percent)]
    of_row = {id(point.generation): point for point in within}
    field = summary.contenders([point.generation for point in within if point.generation])
    if not field:
        return Choice(None, [], 0, len(within))
    ties = [of_row[id(row)] for row in field[1:] if not summary.above(field[0], row)]
    return Choice(of_row[id(field[0])], ties, len(field), len(within))


# ---- The reference ----


class Reference(NamedTuple):
    """The file that figures of quality refer to: its quantization, its name, and the type that it was made wider of.

    `widened_from` is "" for one that was not: weights that were rounded before stay so in a wider type.
    """

    quantization: str
    file: str
    widened_from: str


def reference(run: Run, rows: Sequence[Row]) -> Reference:
    """Return what rows of kind quality of one basis refer to, as the records of the model say."""
    quantization = str(rows[0].cell.get("reference", ""))
    told = [record["payload"].get("predicted") or {} for row in rows for record in row.launches]
    bases = sorted({str(each["base"]) for each in told if each.get("base")})
    named = [
        model
        for _id, model in sorted(run.models.items())
        if (model["name"], model["quantization"]) == (rows[0].cell["model"], quantization)
    ]
    model = next((run.models[base] for base in bases if base in run.models), next(iter(named), {}))
    return Reference(quantization, str(model.get("file") or ""), str(model.get("widened_from") or ""))
