# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict card: of all machines and quantizations of a model, which to choose for what, and how sure that is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry as kinds
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import cost, quality, summary, validity
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.cost import Cost
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Payload, Row, Run
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown, offers, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import LEFT, RIGHT, Markdown

# How many that may be as good are named.
NAMED = 4

_USD = "USD per million tokens"

RULE = (
    f"Chosen among figures of one and the same test that are undisturbed and known to ±{validity.RANKED_PERCENT:g} % "
    "or better. Interactive is the cheapest hour that gives a token within the target of llama_bench_slo, the fastest "
    "where nobody has a price. `~` names those that may be as good: their intervals overlap. Between machines a lead "
    "says that this one was faster than that one: instances of one type differ by some per cent."
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


def _by_hour(candidate: Candidate) -> tuple[float, float, str, str]:
    """Return the order of what meets a target: the cheapest hour first, of one price the fastest."""
    price = cost.hourly(candidate.run)
    return (float(price.usd) if price and price.usd else float("inf"), *_order(candidate))


def _meets(candidate: Candidate) -> bool:
    """Say whether the middle of a candidate's figure is within the target that its run had."""
    row = candidate.row
    if row.interval is None:
        return False
    token_s = row.interval.mean if kinds.lower_is_better(row.speed) else 1 / row.interval.mean
    return token_s <= offers.token_target(candidate.run)


def _conversation(candidates: Sequence[Candidate]) -> list[Any]:
    """Return the line for conversations: the cheapest hour that meets the target, not the fastest at any price."""
    targets = sorted({1000 * offers.token_target(candidate.run) for candidate in candidates})
    purpose = markdown.lines(
        "Interactive", markdown.small(f"at most {' or '.join(f'{target:g}' for target in targets)} ms a token")
    )
    alike = _alike(candidates)
    able = [candidate for candidate in alike if candidate.row.ranked and _meets(candidate)]
    if not any(candidate.usd for candidate in able):
        return _line(purpose, candidates, note=None if able or not alike else "nothing is within the target")
    priced = [candidate for candidate in able if candidate.usd]
    best = min(priced, key=_by_hour)
    price = cost.hourly(best.run)
    hour = metrics.number(float(price.usd), parts.USD_PLACES) if price and price.usd else metrics.NOT_AVAILABLE
    dearer = sorted({_name(candidate) for candidate in priced if summary.above(candidate.row, best.row)})
    words = f"{hour} USD an hour, the cheapest of {len(able)} within the target"
    faster = f"faster for more: {', '.join(dearer[:NAMED])}" if dearer else None
    return _chosen(purpose, best, [words, faster])


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


def _within(sources: Sequence[Source]) -> list[list[Any]]:
    """Return the line of generation that loses little enough of its reference's perplexity; none without quality."""
    asked: set[str] = set()
    left: list[Source] = []
    for source in sources:
        limit = quality.limit_percent(source.run)
        known = [row for row in quality.of_kind(source.rows) if row.interval]
        asked |= {f"{limit:g} % of {row.cell.get('reference')}'s perplexity" for row in known}
        kept = {summary.combination(row.cell) for row in known if quality.is_within(row, limit)}
        left.append(source._replace(rows=[row for row in source.rows if summary.combination(row.cell) in kept]))
    if not asked:
        return []
    purpose = f"Generation within {' or '.join(sorted(asked))}"
    return [_line(purpose, _candidates(left, _generation), nothing="nothing measured is known to lose so little")]


def _line(
    purpose: str,
    candidates: Sequence[Candidate],
    by_cost: bool = False,
    nothing: str = "not measured",
    note: str | None = None,
) -> list[Any]:
    """Return the line of one purpose: the best, who may be as good, a note, its figure, cost and state."""
    alike = _alike([candidate for candidate in candidates if candidate.usd] if by_cost else candidates)
    if not alike:
        why = "no machine has a price" if by_cost else nothing
        return [purpose, markdown.text(f"N/A: {why}"), None, None, None]
    key = _by_cost if by_cost else _order
    sound = sorted((candidate for candidate in alike if candidate.row.ranked), key=key)
    best, *others = sound or sorted(alike, key=key)
    of = parts.cell_words(best.row.cell)
    if not sound:
        chosen = markdown.lines(
            markdown.text(f"nothing undisturbed that is known to ±{validity.RANKED_PERCENT:g} %"),
            markdown.small(Markdown(f"best of those: {markdown.link(_name(best), best.path)}, {markdown.text(of)}")),
        )
        return [purpose, chosen, _figure(best), _usd(best), parts.brief(best.row)]
    ties = [
        candidate
        for candidate in others
        if not (_dearer(best, candidate) if by_cost else summary.above(best.row, candidate.row))
    ]
    tied = [_name(candidate) for candidate in ties[:NAMED]] + (
        [f"{len(ties) - NAMED} more"] if len(ties) > NAMED else []
    )
    more = [f"of {metrics.plural(len(sound), 'candidate')}", f"~ {', '.join(tied)}" if tied else None, note]
    return _chosen(purpose, best, more)


def _usd(candidate: Candidate) -> Markdown | None:
    if candidate.usd is None:
        return None
    spread = metrics.span(candidate.usd.low, candidate.usd.high, parts.USD_PLACES)
    return markdown.lines(
        metrics.number(candidate.usd.usd, parts.USD_PLACES),
        markdown.small(spread) if spread != metrics.NOT_AVAILABLE else None,
    )


def _chosen(purpose: str, best: Candidate, more: Sequence[str | None]) -> list[Any]:
    """Return the line of what was chosen, with notes in small print, the first of them behind what it is."""
    what = [parts.cell_words(best.row.cell), parts.bits_per_weight(best.model), more[0]]
    chosen = markdown.lines(
        markdown.bold(markdown.link(_name(best), best.path)),
        markdown.small(", ".join(filter(None, what))),
        *(markdown.small(words) for words in more[1:] if words),
    )
    return [purpose, chosen, _figure(best), _usd(best), parts.brief(best.row)]


def card(title: Markdown, sources: Sequence[Source], note: str | None = None) -> Markdown:
    """Return the card of one model under a title: for conversation, for batch work, and for the lowest cost.

    `note`: a sentence below it, on quantizations that are none of their own.
    """
    generation, batched = _candidates(sources, _generation), _candidates(sources, _batch)
    interactive = _first(_candidates(sources, _interactive), generation)
    batch = _first(batched, _candidates(sources, _prompt))
    cheapest = _first(batched, generation)
    columns = [
        (title, LEFT), ("Choose", LEFT), ("Figure", RIGHT), (_USD, RIGHT), ("Validity", LEFT),
    ]  # fmt: skip
    priced = any(candidate.usd for candidate in (*interactive, *batch, *cheapest))
    lines = [
        _conversation(interactive),
        _line("Batch", batch),
        *([_line("Lowest cost", cheapest, by_cost=True)] if priced else []),
        *_within(sources),
    ]
    # Without a price there is no cost to say anything of.
    kept = [at for at, (name, _side) in enumerate(columns) if priced or name != _USD]
    table = markdown.table([columns[at] for at in kept], [[line[at] for at in kept] for line in lines])
    return Markdown(f"{table}\n\n{markdown.text(note, None)}") if note else table
