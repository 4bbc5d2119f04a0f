# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict card: of all machines and quantizations of a model, which to choose for what, and how sure that is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry as kinds
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import cost, summary, validity
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.cost import Cost
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Payload, Row, Run
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import LEFT, RIGHT, Markdown

# How many that may be as good are named.
NAMED = 4

RULE = (
    f"Chosen among figures of one and the same test that are undisturbed and known to ±{validity.RANKED_PERCENT:g} % "
    "or better. `~` names those that may be as good: "
    "their intervals overlap. Between machines a lead says that this one was faster than that one: instances of one "
    "type differ by some per cent."
)


class Candidate(NamedTuple):
    """A row that may be chosen: its run and page, and what a million of its tokens costs.

    `usd` is None where the machine has no price, `model` where the file is not on record.
    """

    run: Run
    path: str
    row: Row
    usd: Cost | None
    model: Payload | None = None


class Source(NamedTuple):
    """A page: its latest run, its path, its rows and the payload of its model's file where that is on record."""

    run: Run
    path: str
    rows: Sequence[Row]
    model: Payload | None = None


def _candidates(sources: Iterable[Source], pick: Callable[[Sequence[Row]], list[Row]]) -> list[Candidate]:
    candidates = []
    for source in sources:
        price = cost.hourly(source.run)
        for row in pick(source.rows):
            if row.interval is None:
                continue
            usd = cost.of_row(row, price.usd) if price and price.usd else None
            candidates.append(Candidate(source.run, source.path, row, usd, source.model))
    return candidates


def _alike(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return those of the test of which most hold: others cannot be compared."""
    tests: dict[tuple[Any, ...], list[Candidate]] = {}
    for candidate in candidates:
        cell = candidate.row.cell
        key = (candidate.row.speed, cell["test"], cell["n_prompt"], cell["n_gen"], cell["n_depth"])
        tests.setdefault(key, []).append(candidate)
    usual = max(tests.items(), key=lambda item: (_holding(item[1]), len(item[1]), str(item[0])), default=None)
    return usual[1] if usual else []


def _holding(candidates: Sequence[Candidate]) -> int:
    """Return how many have a figure that holds."""
    return sum(candidate.row.ranked for candidate in candidates)


def _first(*choices: list[Candidate]) -> list[Candidate]:
    """Return the first of several choices of which something holds, where none does the first that has something."""
    return next(filter(_holding, choices), next(filter(None, choices), []))


def _interactive(rows: Sequence[Row]) -> list[Row]:
    alone = summary.fewest_users(rows)
    return [alone] if alone else []


def _generation(rows: Sequence[Row]) -> list[Row]:
    row = summary.headline(rows, "tg_tps")
    return [row] if row else []


def _prompt(rows: Sequence[Row]) -> list[Row]:
    row = summary.headline(rows, "pp_tps")
    return [row] if row else []


def _batch(rows: Sequence[Row]) -> list[Row]:
    """Return the row of llama-batched-bench with most sequences at once."""
    batched = [row for row in rows if kinds.kind_of(row.cell).name == "batch" and row.interval]
    return sorted(batched, key=lambda row: (row.cell.get("concurrency", 1), summary.cell_order(row.cell)))[-1:]


def _order(candidate: Candidate) -> tuple[float, str, str]:
    centre = candidate.row.interval.mean if candidate.row.interval else 0.0
    return (centre if kinds.lower_is_better(candidate.row.speed) else -centre, candidate.run.machine, candidate.path)


def _by_cost(candidate: Candidate) -> tuple[float, str, str]:
    return (candidate.usd.usd if candidate.usd else float("inf"), candidate.run.machine, candidate.path)


def _dearer(candidate: Candidate, other: Candidate) -> bool:
    """Say whether `other` is established to cost more than `candidate`."""
    return bool(
        candidate.usd and other.usd and candidate.usd.high and other.usd.low and candidate.usd.high < other.usd.low
    )


def _figure(candidate: Candidate) -> Markdown:
    row = candidate.row
    if row.interval is None:
        return markdown.text(None)
    spread = parts.interval(row)
    shown = markdown.bold(parts.with_unit(row.speed, row.interval.mean))
    bounds = markdown.small(spread) if spread != metrics.NOT_AVAILABLE else None
    return markdown.lines(shown, bounds, markdown.small(metrics.metric(row.speed).label.lower()))


def _name(candidate: Candidate) -> str:
    return f"{candidate.run.machine} {candidate.row.cell['quantization']}"


def _line(purpose: str, candidates: Sequence[Candidate], by_cost: bool = False) -> list[Any]:
    """Return the line of one purpose: the best, who may be as good, its figure, cost and state."""
    alike = _alike([candidate for candidate in candidates if candidate.usd] if by_cost else candidates)
    if not alike:
        why = "no machine has a price" if by_cost else "not measured"
        return [purpose, markdown.text(f"N/A: {why}"), None, None, None]
    key = _by_cost if by_cost else _order
    sound = sorted((candidate for candidate in alike if candidate.row.ranked), key=key)
    best, *others = sound or sorted(alike, key=key)
    of = parts.cell_words(best.row.cell)
    usd = None
    if best.usd:
        spread = metrics.span(best.usd.low, best.usd.high, parts.USD_PLACES)
        usd = markdown.lines(
            metrics.number(best.usd.usd, parts.USD_PLACES),
            markdown.small(spread) if spread != metrics.NOT_AVAILABLE else None,
        )
    if not sound:
        chosen = markdown.lines(
            markdown.text(f"nothing undisturbed that is known to ±{validity.RANKED_PERCENT:g} %"),
            markdown.small(Markdown(f"best of those: {markdown.link(_name(best), best.path)}, {markdown.text(of)}")),
        )
        return [purpose, chosen, _figure(best), usd, parts.brief(best.row)]
    ties = [
        candidate
        for candidate in others
        if not (_dearer(best, candidate) if by_cost else summary.above(best.row, candidate.row))
    ]
    tied = [_name(candidate) for candidate in ties[:NAMED]] + (
        [f"{len(ties) - NAMED} more"] if len(ties) > NAMED else []
    )
    what = [of, parts.bits_per_weight(best.model), f"of {metrics.plural(len(sound), 'candidate')}"]
    chosen = markdown.lines(
        markdown.bold(markdown.link(_name(best), best.path)),
        markdown.small(", ".join(filter(None, what))),
        markdown.small(f"~ {', '.join(tied)}") if tied else None,
    )
    return [purpose, chosen, _figure(best), usd, parts.brief(best.row)]


def card(title: Markdown, sources: Sequence[Source], note: str | None = None) -> Markdown:
    """Return the card of one model under a title: for conversation, for batch work, and for the lowest cost.

    `note`: a sentence below it, on quantizations that are none of their own.
    """
    generation, batched = _candidates(sources, _generation), _candidates(sources, _batch)
    interactive = _first(_candidates(sources, _interactive), generation)
    batch = _first(batched, _candidates(sources, _prompt))
    cheapest = _first(batched, generation)
    columns = [
        (title, LEFT), ("Choose", LEFT), ("Figure", RIGHT), ("USD per million tokens", RIGHT), ("Validity", LEFT),
    ]  # fmt: skip
    lines = [
        _line("Interactive", interactive),
        _line("Batch", batch),
        _line("Lowest cost", cheapest, by_cost=True),
    ]
    table = markdown.table(columns, lines)
    return Markdown(f"{table}\n\n{markdown.text(note, None)}") if note else table
