# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The buyer's table: what can be had, what an hour of it costs and what it gives, a line for each machine of a model.

One form for what was measured (the index, the page of a model, the site) and for what is predicted (`make advise`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import cost, progress, summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Payload, Row, Run
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics, processors
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import markdown, parts
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import LEFT, RIGHT, Markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects import registry
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.view import Entry, distinct

# Seconds a token of llama_bench_slo, for records that have none: that of roles/llama_bench/defaults.
TOKEN_TARGET_S = 0.1

# The columns, which the site knows by these words.
MACHINE, VCPUS, MEMORY, HOUR = "Machine", "vCPUs", "Memory GiB", "USD/h"
GENERATION, PROMPT, TOKEN, MILLION = "Generation", "Prompt", "ms per token", "USD per million tokens"


class Span(NamedTuple):
    """The middle of a figure and its interval, without bounds where there is none."""

    middle: float
    low: float | None = None
    high: float | None = None

    def inverse(self, scale: float) -> Span:
        """Return `scale` divided by this, which is not 0; a bound of 0 becomes none."""
        low, high = (scale / bound if bound else None for bound in (self.high, self.low))
        return Span(scale / self.middle, low, high)


class Figure(NamedTuple):
    """A figure of a line, in token/s: what it is of, in words, and how far it holds (`badge`, beside the number)."""

    span: Span
    test: str
    badge: Markdown
    holds: bool


class Offer(NamedTuple):
    """A line of the table. What is not known is None.

    `name` is shown, and `order` sorts names; `processor` in words ("Graviton4, Neoverse V2"), `configuration` what the
    figures are of (quantization, build, threads). `memory_gib`, `usd_hour`. `usd_million`: of generated tokens.
    `meets`: within the target of the time a token takes.
    """

    name: Markdown
    order: str
    processor: str | None
    configuration: Markdown | None
    vcpus: int | None
    memory_gib: float | None
    usd_hour: float | None
    generation: Figure | None
    prompt: Figure | None
    token_ms: Span | None
    usd_million: Span | None
    meets: bool


# ---- Of records ----


def token_target(run: Run) -> float:
    """Return the seconds a token may take for a conversation, as the run asked (llama_bench_slo)."""
    slo = (run.plan or {}).get("slo") or {}
    return float(slo.get("tpot_s") or TOKEN_TARGET_S)


def processor_words(machine: Payload) -> str | None:
    """Return the processor of a machine: Graviton4, Neoverse V2; what the machine calls it where nobody knows it."""
    listed = processors.type_of(machine)
    known = machine.get("processor") or {}
    name = (listed.processor if listed else None) or known.get("name") or machine.get("cpu_model")
    core = (listed.core if listed else None) or known.get("core")
    title = processors.core(core).title if core in processors.names() else known.get("title")
    words = [str(word).removeprefix("Arm ") for word in (name, title) if word]
    return ", ".join(dict.fromkeys(words)) or None


def _span(row: Row) -> Span | None:
    return Span(row.interval.mean, row.interval.low, row.interval.high) if row.interval else None


def badge(row: Row, imported: bool) -> Markdown:
    """Return how far a figure holds in a word or two; the page of its quantization has the reasons."""
    words = "imported" if imported else parts.state_words(row)
    if row.state == summary.UNSTABLE and not row.ranked and not imported:
        words = f"{words}, {parts.NOT_RANKED}"
    state = markdown.state("imported" if imported else row.state, words)
    return markdown.lines(state, markdown.small(row.instead) if row.instead else None)


def _figure(row: Row | None, imported: bool) -> Figure | None:
    span = _span(row) if row else None
    if row is None or span is None:
        return None
    holds = row.ranked or (imported and row.state != summary.INVALID)
    return Figure(span, parts.test_words(row.cell), badge(row, imported), holds)


def _prompt_beside(generation: Row, rows: Sequence[Row]) -> Row | None:
    """Return the prompts of the configuration that generates."""
    alike = [row for row in rows if summary.combination(row.cell) == summary.combination(generation.cell)]
    same = [row for row in alike if row.cell["threads"] == generation.cell["threads"]]
    return summary.headline(same, "pp_tps") or summary.headline(alike, "pp_tps")


def offer(entries: Sequence[Entry], up: str = "") -> Offer | None:
    """Return the line of one machine and model, whose pages `entries` are: of the configuration that generates best.

    None where no generation was measured. `up` leads from the page of the table to the results directory.
    """
    owners = {id(row): item for item in entries for row in item.rows if summary.benched(row.cell)}
    rows = [row for item in entries for row in item.rows if id(row) in owners]
    best = summary.headline(rows, "tg_tps")
    span = _span(best) if best else None
    if best is None or span is None or span.middle <= 0:
        return None
    item = owners[id(best)]
    run, machine = item.run, summary.machine(item.run)
    imported = summary.imported(run)
    instance = machine.get("instance") or {}
    price = cost.hourly(run)
    usd = cost.of_row(best, price.usd) if price and price.usd else None
    memory = machine.get("memory_bytes")
    name = markdown.link(instance.get("type") or run.machine, up + summary.machine_path(run.machine))
    # Of hundreds of imported machines the start page must stay short: their own pages have the links.
    quantization = markdown.text(item.quantization) if imported else markdown.link(item.quantization, up + item.path)
    token = span.inverse(1000.0)
    words = [progress.thread_count(best.cell), item.name_among(best.cell)]
    # A fallback, or a type that the file does not have, is as loud here as anywhere.
    marks = [mark for subject in registry.SUBJECTS if subject.mark and (mark := subject.mark(item))]
    return Offer(
        name=name,
        order=run.machine,
        processor=processor_words(machine),
        configuration=markdown.join([quantization, *filter(None, [*words, *marks, item.attempt])]),
        vcpus=machine.get("cpu_count"),
        memory_gib=memory / 2**30 if memory else None,
        usd_hour=float(price.usd) if price and price.usd else None,
        generation=_figure(best, imported),
        prompt=_figure(_prompt_beside(best, rows), imported),
        token_ms=token,
        usd_million=Span(usd.usd, usd.low, usd.high) if usd else None,
        meets=token.middle <= 1000 * token_target(run),
    )


def of_entries(entries: Sequence[Entry], up: str = "") -> list[Offer]:
    """Return a line for each machine of the pages of one model; emulated ones have none: there is nothing to buy."""
    groups: dict[str, list[Entry]] = {}
    for item in entries:
        if not item.emulated:
            groups.setdefault(item.run.machine, []).append(item)
    made = (offer(distinct(group).entries, up) for group in groups.values())
    return ordered(line for line in made if line)


def ordered(offers: Iterable[Offer]) -> list[Offer]:
    """Return lines in the order of the table.

    Of the test that most lines have: first what may be ranked within the target, the cheapest token first and what has
    no price by its speed, then what misses the target, then what is not ranked. Then other tests likewise: they are no
    measure for those.
    """
    lines = list(offers)
    tests = [line.generation.test for line in lines if line.generation]
    usual = max(sorted(set(tests)), key=tests.count, default="")

    def key(line: Offer) -> tuple[bool, bool, bool, float, float, str]:
        generation = line.generation
        speed = generation.span.middle if generation else 0.0
        usd = line.usd_million.middle if line.usd_million else float("inf")
        other = generation is None or generation.test != usual
        return (other, not (generation and generation.holds), not line.meets, usd, -speed, line.order)

    return sorted(lines, key=key)


def rule(entries: Sequence[Entry]) -> str:
    """Return the sentence on the order of the tables of some pages."""
    targets = sorted({1000 * token_target(item.run) for item in entries if not item.emulated})
    limits = " or ".join(f"{target:g} ms" for target in targets)
    return (
        f"A line for each machine, of its configuration with the highest generation. First what takes at most {limits} "
        "a token (llama_bench_slo), by what a token costs, without a price by token/s; then what may not be ranked; "
        "last what was measured by another test."
    )


# ---- The table ----


def _number(value: float | None, places: int | None = None) -> str:
    if value is None:
        return ""
    return metrics.number(value) if places is None else metrics.number(value, places)


def _shown(span: Span | None, places: int | None = None, strong: bool = False) -> list[Markdown | None]:
    if span is None:
        return []
    middle = _number(span.middle, places)
    decimals = metrics.decimals(span.middle) if places is None else places
    spread = metrics.span(span.low, span.high, decimals)
    bounds = markdown.small(spread) if spread != metrics.NOT_AVAILABLE else None
    return [markdown.bold(middle) if strong else markdown.text(middle), bounds]


def _cell(figure: Figure | None, test: str | None) -> str:
    if figure is None:
        return ""
    word = markdown.small(figure.test) if figure.test and not test else None
    return markdown.lines(*_shown(figure.span, strong=figure.holds), word, figure.badge)


def _beside(figure: Figure | None, other: Figure | None) -> Figure | None:
    """Return a figure without its badge where that says nothing but what stands in the line already."""
    alike = figure and other and figure.badge == other.badge and "±" not in figure.badge
    return figure._replace(badge=Markdown("")) if figure and alike else figure


def _common(figures: Sequence[Figure | None]) -> str | None:
    """Return the test that all figures of a column are of, None when they are of several."""
    tests = {figure.test for figure in figures if figure}
    return tests.pop() if len(tests) == 1 else None


def table(offers: Sequence[Offer], more: Sequence[tuple[str, str, Sequence[str]]] = ()) -> Markdown:
    """Return the table. A column of which no line knows anything is left out.

    `more`: further columns, each a title, a side and the cells of all lines.
    """
    tests = [_common([line.generation for line in offers]), _common([line.prompt for line in offers])]
    titles = [
        f"{word} {test or ''} token/s".replace("  ", " ")
        for word, test in zip((GENERATION, PROMPT), tests, strict=True)
    ]
    columns = [
        (MACHINE, LEFT), (VCPUS, RIGHT), (MEMORY, RIGHT), (HOUR, RIGHT), (titles[0], RIGHT), (TOKEN, RIGHT),
        (MILLION, RIGHT), (titles[1], RIGHT), *((title, side) for title, side, _cells in more),
    ]  # fmt: skip
    rows = [
        [
            markdown.lines(
                line.name,
                *(markdown.small(words) for words in (line.processor, line.configuration) if words),
            ),
            _number(line.vcpus),
            _number(line.memory_gib),
            _number(line.usd_hour, parts.USD_PLACES),
            _cell(line.generation, tests[0]),
            markdown.lines(*_shown(line.token_ms)),
            markdown.lines(*_shown(line.usd_million, parts.USD_PLACES)),
            _cell(_beside(line.prompt, line.generation), tests[1]),
            *(cells[at] for _title, _side, cells in more),
        ]
        for at, line in enumerate(offers)
    ]
    known = [at for at in range(len(columns)) if any(row[at] for row in rows)]
    return markdown.table([columns[at] for at in known], [[row[at] for at in known] for row in rows])
