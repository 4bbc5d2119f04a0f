# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cost: what a million tokens come to at the price of an hour, and which machine gives most speed for it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import cost, summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Row, Run
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics, prices
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import specification as spec
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.figures import Drawing
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import LEFT, RIGHT, Cell
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.specification import Values
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects.subject import Subject
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.view import Columns, Entry, Section, View

# ---- On the page of a quantization ----


def _section(view: View) -> Section | None:
    run, rows = view.run, view.every
    price = cost.hourly(run)
    if price is None:
        return None
    instance = summary.machine(run).get("instance") or {}
    unknown = instance.get("life_cycle") == "spot" and price.market == prices.ON_DEMAND
    more = " It was a spot instance, whose price changes by the hour and is not on record." if unknown else ""
    if price.usd is None:
        where = f" in {instance['zone']}" if instance.get("zone") else ""
        words = f"N/A: no price of {instance['type']}{where}.{more}"
        return Section("Cost", [markdown.text(words, None)])
    start = cost.start(run, rows)
    to_start = float(price.usd) / 3600 * sum(start.values())
    lines = [
        [
            tokens.kind,
            parts.cell_words(tokens.row.cell),
            _usd(tokens.usd),
            metrics.span(tokens.low, tokens.high, parts.USD_PLACES),
            *([_usd(tokens.usd + to_start)] if start else []),
            tokens.row.state,
        ]
        for tokens in cost.of_rows(rows, price.usd)
    ]
    left_out = [what for what in ("boot", "cold load") if what not in start]
    inside = " and ".join(f"{what} ({metrics.number(seconds, 0)} s)" for what, seconds in start.items())
    first = f" The first million tokens after a start have {inside} in them." if start else ""
    words = (
        f"At {price.usd} USD an hour ({price.words}), the machine busy all the time; "
        f"{', '.join([*left_out, 'storage'])} and data that leaves AWS are not in it.{first}{more}"
    )
    titles = (
        ("Tokens", LEFT), ("At", LEFT), ("USD per million", RIGHT), ("95 % interval", RIGHT),
        *([("First million", RIGHT)] if start else []), ("State", LEFT),
    )  # fmt: skip
    return Section("Cost", [markdown.text(words, None), *([markdown.table(titles, lines)] if lines else [])])


def _usd(usd: float) -> str:
    return metrics.number(usd, parts.USD_PLACES)


# ---- On the index ----


def _felt(entries: Sequence[Entry]) -> Columns | None:
    """Return what the usual prompt and generation for one user cost; None where no machine has a price."""
    kinds = cost.KINDS[:2]
    sources: dict[str, None] = {}
    cells: list[list[Cell] | None] = []
    for item in entries:
        price = cost.hourly(item.run)
        tokens = cost.of_rows(item.rows, price.usd) if price and price.usd else []
        if price and tokens:
            sources[price.words] = None
        usd = {each.kind: each.usd for each in tokens}
        cells.append([_usd(usd[kind]) if kind in usd else None for kind in kinds] if tokens else None)
    if not sources:
        return None
    words = f"Costs at the price of an hour, the machine busy all the time ({'; '.join(sources)})."
    return Columns([(f"USD per million, {kind}", RIGHT) for kind in kinds], cells, words)


def _frontier(entries: Sequence[Entry]) -> Drawing | None:
    """Draw, of the model that most machines have, what an hour costs and the token/s that it buys."""
    by_test: dict[tuple[str, str], list[tuple[Run, Row, Decimal, str]]] = {}
    for item in entries:
        row = item.generation
        price = cost.hourly(item.run) if item.ranked and row else None
        if row and price and price.usd and row.ranked:
            key = (row.cell["model"], row.cell["test"])
            by_test.setdefault(key, []).append((item.run, row, price.usd, price.market))
    if not by_test:
        return None
    (model, _test), shown = max(
        by_test.items(), key=lambda pair: (len({run.machine for run, *_rest in pair[1]}), pair[0])
    )
    if len({run.machine for run, *_rest in shown}) < 2:
        return None
    values: Values = []
    for run, row, usd, _market in shown:
        machine, kind = spec.plain(run.machine, 30), spec.plain(row.cell["quantization"], 20)
        if row.interval:
            values.append(
                {"usd": spec.short(float(usd)), "machine": machine, "kind": kind, **spec.bounds(row.interval)}
            )
    values.sort(key=lambda value: (value["usd"], -value["mean"], value["machine"]))
    edge = _edge(values)
    whole = _plot(values, edge, f"{parts.test_words(shown[0][1].cell)}, token/s")
    markets = sorted({spec.plain(market, 30) for *_rest, market in shown})
    counts = spec.counted(len(row.figures) for _run, row, *_rest in shown)
    title = spec.title(
        f"Price and performance: {spec.plain(model, 40)}", [counts, "dashed: nothing cheaper is faster", *markets]
    )
    words = [
        f"{value['machine']} {value['kind']} {metrics.number(value['mean'])} token/s at "
        f"{metrics.number(value['usd'], parts.USD_PLACES)} USD an hour"
        for value in edge[:12]
    ]
    return Drawing(spec.said("Price and performance", words), {"title": title, **whole})


def _edge(values: Values) -> Values:
    """Return those than which nothing cheaper is faster, of values in the order of their price."""
    edge: Values = []
    best = 0.0
    for value in values:
        if value["mean"] > best:
            best = value["mean"]
            edge.append(value)
    return edge


def _plot(values: Values, edge: Values, axis: str) -> spec.Spec:
    # One name per machine, at its fastest.
    best_of: dict[str, dict[str, Any]] = {}
    for value in values:
        if value["machine"] not in best_of or value["mean"] > best_of[value["machine"]]["mean"]:
            best_of[value["machine"]] = value
    x = spec.number("usd", "USD an hour")
    kinds: list[str] = sorted({str(value["kind"]) for value in values})
    colour = spec.colour("kind", "Type", kinds)
    layers = [
        {
            "data": {"values": edge},
            "mark": {"type": "line", "interpolate": "step-after", "color": spec.ORANGE, "strokeDash": [5, 4]},
            "encoding": {"x": x, "y": spec.number("mean", axis)},
        },
        {
            "mark": {"type": "rule", "strokeWidth": 2},
            "encoding": {"x": x, "y": spec.number("low", axis), "y2": {"field": "high"}, "color": colour},
        },
        {
            "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1},
            "encoding": {"x": x, "y": spec.number("mean", axis), "color": colour},
        },
        {
            # All of a thousand names would be a black spot: those of the edge are the ones to choose among.
            "data": {"values": edge if len(best_of) > 12 else list(best_of.values())},
            "mark": {"type": "text", "align": "left", "dx": 8, "dy": -9, "fontSize": 11},
            "encoding": {"x": x, "y": spec.number("mean", axis), "text": {"field": "machine", "type": "nominal"}},
        },
    ]
    return {"width": spec.WIDE, "height": 280, "data": {"values": values}, "layer": layers}


SUBJECT = Subject(
    name="cost",
    metrics=("usd_per_million_tokens",),
    kept=("output_tps", "goodput_rate"),
    section=_section,
    felt=_felt,
    index_figure=("frontier", _frontier),
)
