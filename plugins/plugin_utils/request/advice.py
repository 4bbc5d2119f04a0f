# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which instance types of EC2 would serve a model, how fast and for how much, before any is rented.

Speeds are predicted (analysis/predict.py), pulled by what was measured or published of a type. Several users: all
generate at the same moment, and each further one adds to a step the time of a token of a prompt, times a factor that
batches on our own machine gave. Prompts are read one at a time.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import memory
from ansible_collections.cloudbench.llama.plugins.module_utils.models.presets import PUBLISHED
from ansible_collections.cloudbench.llama.plugins.module_utils.models.quantizations import QuantizationError, lookup
from ansible_collections.cloudbench.llama.plugins.module_utils.models.shapes import PRESETS, shape_of
from ansible_collections.cloudbench.llama.plugins.module_utils.record.words import did_you_mean
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import cost, predict, summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.predict import (
    GENERATION,
    PROMPT,
    Predicted,
    Seen,
)
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import prices, processors, published, speeds
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog.processors import InstanceType
from ansible_collections.cloudbench.llama.plugins.plugin_utils.request import run_time
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records

# Whether a target is met: at the worse end of the interval, in the middle of it, at its better end, or nowhere.
YES, LIKELY, PERHAPS, NO = "yes", "likely", "perhaps", "no"
# What is expected to meet a target.
MET = (YES, LIKELY)
MEASURED, PUBLISHED_FIGURE, PREDICTED = "measured", "published", "predicted"
MARKETS = (prices.ON_DEMAND, prices.SPOT)

# Prices change: what is older than so many days is said to be.
_OLD_DAYS = 365
_FEWEST_TOKENS, _MOST_TOKENS, _MOST_USERS = 1, 131072, 512
# The data of the fit itself are no second opinion.
_FITTED = "Spare Cores"
# What another build, image and date of a published figure are worth (log).
_ELSEWHERE = 0.12


class AdviceError(ValueError):
    """Something that was asked for cannot be meant; the message names the value, the rule and the remedy."""


class Asked(NamedTuple):
    """What is asked for. Targets that are 0 are none.

    `context`: tokens of each user, prompt and answer. `token_ms`: at most so many milliseconds a token. `first_s`: the
    first token of `prompt` tokens within so many seconds. `budget`: USD a month. `memory_gib`: of the instance, at
    least. `types`: families and types, none: all. `rows`: how many are shown.
    """

    model: str
    quantization: str
    region: str
    context: int = 4096
    users: int = 1
    token_ms: float = 0.0
    first_s: float = 0.0
    prompt: int = 1000
    budget: float = 0.0
    memory_gib: float = 0.0
    market: str = prices.ON_DEMAND
    types: Sequence[str] = ()
    rows: int = 10

    @property
    def has_targets(self) -> bool:
        """Whether there is a target of speed."""
        return bool(self.token_ms or self.first_s)


class Estimate(NamedTuple):
    """The middle of what is expected, and its 90 % interval."""

    middle: float
    low: float
    high: float


class Candidate(NamedTuple):
    """An instance type and what is expected of it.

    Tokens a second of each user, and of a prompt that is read alone; `token_ms` and `first_s` (of a first token) with
    all users; USD for a million generated tokens of all users, and for a month of the instance. `meets`: YES, LIKELY,
    PERHAPS or NO. `origin`: MEASURED, PUBLISHED_FIGURE or PREDICTED; `how` in words. `dearer`: types of as many of the
    same cores, of which just as much is expected for more money.
    """

    kind: InstanceType
    price: prices.Price
    generation: Estimate
    prompt: Estimate
    token_ms: Estimate
    first_s: Estimate
    usd_million: Estimate
    usd_month: float
    meets: str
    origin: str
    how: str
    dearer: tuple[str, ...] = ()


class Advice(NamedTuple):
    """The answer. `candidates` are ranked: those that meet the targets first, each lot by USD for a million tokens.

    `fits`: how many types have the memory; `near`: sentences on what comes nearest where nothing meets the targets;
    `left_out`: why types are not among the candidates, a line each; `notes` and `warnings`: sentences.
    """

    asked: Asked
    need: memory.Need
    candidates: list[Candidate]
    near: list[str]
    left_out: list[str]
    warnings: list[str]
    notes: list[str]
    command: str


def checked(asked: Asked) -> Asked:
    """Return what is asked for, in the spelling of the tables. Raises AdviceError, PriceError."""
    quantization = _quantization(asked.quantization)
    if shape_of(asked.model) is None:
        models = [*PUBLISHED, *PRESETS]
        raise AdviceError(
            f"the model {asked.model!r:.60} is none whose shape is known: they are {', '.join(models)}"
            f"{did_you_mean(asked.model, models)}"
        )
    regions = prices.regions()
    if asked.region not in regions:
        raise AdviceError(
            f"the region {asked.region!r:.40} is none whose prices are known: they are {', '.join(regions)}"
            f"{did_you_mean(asked.region, regions)}; `make prices REGIONS=...` asks AWS for others"
        )
    if asked.market not in MARKETS:
        raise AdviceError(
            f"the market {asked.market!r:.40} is neither {' nor '.join(MARKETS)}{did_you_mean(asked.market, MARKETS)}"
        )
    for name, value, least, most in (
        ("context", asked.context, _FEWEST_TOKENS, _MOST_TOKENS),
        ("prompt", asked.prompt, _FEWEST_TOKENS, _MOST_TOKENS),
        ("users", asked.users, 1, _MOST_USERS),
        ("rows", asked.rows, 1, 2000),
    ):
        if not least <= value <= most:
            raise AdviceError(f"{name} is {value}: it is a number from {least} to {most}")
    for name, amount in (
        ("token_ms", asked.token_ms),
        ("first_s", asked.first_s),
        ("budget", asked.budget),
        ("memory_gib", asked.memory_gib),
    ):
        if not (math.isfinite(amount) and amount >= 0):
            raise AdviceError(f"{name} is {amount}: it is a number above 0, or 0 for no such target")
    if asked.first_s and asked.prompt > asked.context:
        raise AdviceError(
            f"a prompt of {asked.prompt} tokens does not fit into a context of {asked.context}: ask for a longer one"
        )
    _chosen(asked.types)
    return asked._replace(quantization=quantization)


def _quantization(name: str) -> str:
    known = speeds.table().quantizations
    try:
        quantization = lookup(name).name
    except QuantizationError:
        hint = did_you_mean(name.upper(), known)
        raise AdviceError(
            f"the quantization {name!r:.40} is none of llama.cpp; speeds are predicted of {', '.join(known)}{hint}"
        ) from None
    if quantization not in known:
        raise AdviceError(
            f"the speed of {quantization} is not predicted, since no figure tells its ratio to another quantization on "
            f"these processors: ask for {', '.join(known)}, or measure it"
        )
    return quantization


def _chosen(wanted: Sequence[str]) -> list[str]:
    every = processors.instance_types()
    if not wanted:
        return every
    families = sorted({name.partition(".")[0] for name in every})
    for word in wanted:
        if word not in families and word not in every:
            known = every if "." in word else families
            hint = did_you_mean(word, known)
            raise AdviceError(f"{word!r:.40} is neither an instance type nor a family of them{hint}")
    return [name for name in every if name in wanted or name.partition(".")[0] in wanted]


def _estimate(log: float, variance: float, wide: float) -> Estimate:
    half = wide * math.sqrt(variance)
    return Estimate(math.exp(log), math.exp(log - half), math.exp(log + half))


class Step(NamedTuple):
    """Seconds of a step in which each of some users gets a token, or until a first token (log), with the variance."""

    log: float
    variance: float


def step(generation: Predicted, prompt: Predicted, users: int, table: speeds.Table) -> Step:
    """Return a step of generation with so many users: that of one, and the cost of each further one."""
    alone = math.exp(-generation.log)
    if users < 2 or table.users is None:
        return Step(-generation.log, generation.variance)
    further = (users - 1) * table.users.cost * math.exp(-prompt.log)
    share = alone / (alone + further)
    variance = share**2 * generation.variance + (1 - share) ** 2 * (prompt.variance + table.users.spread**2)
    return Step(math.log(alone + further), variance)


def first(prompt: Predicted, tokens: int, then: Step) -> Step:
    """Return the time until the first token of a prompt of so many tokens, which is read alone, then a step."""
    reading, generating = tokens * math.exp(-prompt.log), math.exp(then.log)
    share = reading / (reading + generating)
    return Step(math.log(reading + generating), share**2 * prompt.variance + (1 - share) ** 2 * then.variance)


def _meets(asked: Asked, token_ms: Estimate, first_s: Estimate) -> str:
    words = []
    for most, estimate in ((asked.token_ms, token_ms), (asked.first_s, first_s)):
        if not most:
            continue
        ends = ((estimate.high, YES), (estimate.middle, LIKELY), (estimate.low, PERHAPS))
        words.append(next((word for end, word in ends if end <= most), NO))
    return max(words, key=(YES, LIKELY, PERHAPS, NO).index) if words else YES


class _Own(NamedTuple):
    """A figure of our records that may be ranked: tokens a second of a test on a type; imported ones are not `ours`."""

    model: str
    quantization: str
    metric: str
    tps: float
    error: float
    words: str
    ours: bool


def own_figures(results_dir: str | Path) -> dict[str, list[_Own]]:
    """Return the ranked figures of our records by instance type: of the usual tests, the fastest of each run."""
    if not Path(results_dir).is_dir():
        return {}
    names = [name for name in records.machines(results_dir) if not name.startswith(("local-", "emulated-"))]
    every: dict[str, list[_Own]] = {}
    for name in names:
        for run in summary.runs(records.read(results_dir, machine=name).records):
            kind = (summary.machine(run).get("instance") or {}).get("type")
            if not kind or summary.emulated(run):
                continue
            best: dict[tuple[str, str, str], _Own] = {}
            for row in summary.rows(run, summary.measured_cells(run, summary.cells(run))):
                cell = row.cell
                usual = cell["test"] in summary.USUAL_TESTS and summary.benched(cell) and not cell.get("variant")
                interval = row.interval
                if not (usual and row.ranked and interval and interval.low and interval.high):
                    continue
                model = cell["model"].removesuffix("-synthetic")
                key = (model, cell["quantization"], predict.METRICS[row.speed])
                # A 95 % interval is about two standard errors either way.
                error = math.log(interval.high / interval.low) / 4
                words = f"{interval.mean:.4g} token/s of {model} {cell['quantization']} in run {run.run}"
                figure = _Own(*key, interval.mean, error, words, not summary.imported(run))
                if key not in best or best[key].tps < figure.tps:
                    best[key] = figure
            every.setdefault(kind, []).extend(best.values())
    return every


def _seen(
    kind: InstanceType, asked: Asked, metric: str, table: speeds.Table, figures: Mapping[str, Sequence[_Own]]
) -> list[Seen]:
    model = asked.model.removesuffix("-synthetic")
    told = [
        (row.model, row.quantization, row.metric, row.tps, row.error, row.words, row.ours, 0)
        for row in figures.get(kind.name, ())
    ]
    for row in published.table():
        if row.instance != kind.name or row.variant or row.source.title == _FITTED:
            continue
        length = int(row.test[2:]) if row.speed == "pp_tps" else 0
        words = f"{row.tps:g} token/s by {row.source.title}"
        told.append(
            (row.model, row.quantization, predict.METRICS[row.speed], row.tps, _ELSEWHERE, words, False, length)
        )  # fmt: skip
    seen = []
    for name, quantization, of_metric, tps, error, words, ours, length in told:
        if of_metric != metric:
            continue
        same = (name, quantization) == (model, asked.quantization)
        # What others published of another model or quantization is part of what speeds.yml knows already.
        if not same and not ours:
            continue
        said = predict.by_name(kind, metric, name, quantization, table, length)
        if said is None:
            continue
        unlike = 0.0
        if not same:
            unlike = said.models**2 + (0.0 if quantization == asked.quantization else 0.25**2)
        seen.append(Seen(math.log(tps) - said.log, error**2 + unlike, same, ours, words, f"{name} {quantization}"))
    return seen


def _candidate(
    kind: InstanceType, price: prices.Price, asked: Asked, table: speeds.Table, figures: Mapping[str, Sequence[_Own]]
) -> tuple[Candidate, list[str]] | None:
    """Return a type with what is expected of it, and sentences on measurements that contradict; None: not predicted."""
    said: dict[str, Predicted] = {}
    sentences: list[str] = []
    origin, how = PREDICTED, ""
    # Each step reads the keys and values of all users, whose contexts are half full on the average.
    depth = asked.users * asked.context / 2
    for metric, length in ((PROMPT, asked.prompt), (GENERATION, 0)):
        guess = predict.by_name(kind, metric, asked.model, asked.quantization, table, length, depth)
        if guess is None:
            return None
        seen = _seen(kind, asked, metric, table, figures)
        sentences += [f"{kind.name}: {sentence}" for sentence in predict.contradictions(guess, seen, table.degrees)]
        said[metric] = predict.pulled(guess, seen)
        how = how or guess.words
        same = [each for each in seen if each.same]
        if metric == GENERATION and same:
            origin = MEASURED if any(each.ours for each in same) else PUBLISHED_FIGURE
            how = "; ".join(each.words for each in same) + "; " + guess.words
    wide = predict.quantile(table.degrees)
    of_all = step(said[GENERATION], said[PROMPT], asked.users, table)
    begin = first(said[PROMPT], asked.prompt, of_all)
    seconds = _estimate(of_all.log, of_all.variance, wide)
    token_ms = Estimate(*(1000 * value for value in seconds))
    first_s = _estimate(begin.log, begin.variance, wide)
    usd = price.usd or Decimal(0)
    millions = [cost.per_million(usd, asked.users / value) or 0.0 for value in seconds]
    return (
        Candidate(
            kind,
            price,
            Estimate(1 / seconds.middle, 1 / seconds.high, 1 / seconds.low),
            _estimate(said[PROMPT].log, said[PROMPT].variance, wide),
            token_ms,
            first_s,
            Estimate(*millions),
            float(usd) * prices.MONTH_H,
            _meets(asked, token_ms, first_s),
            origin,
            how,
        ),
        sentences,
    )


def need_of(asked: Asked) -> memory.Need:
    """Return the memory that is needed: the arithmetic by which a cell of a run is refused."""
    shape = shape_of(asked.model)
    if shape is None:
        raise AdviceError(f"the shape of {asked.model!r:.60} is not known")
    size = round(run_time.file_bytes(shape, asked.quantization))
    cell = {"n_prompt": asked.context, "n_gen": 0, "n_depth": 0}
    return memory.of_cell(cell, asked.model, size, asked.users)


class _Sorted(NamedTuple):
    """Types by what can be said of them; `kinds` are those that are to be predicted, with their prices."""

    kinds: list[tuple[InstanceType, prices.Price]]
    small: list[InstanceType]
    priceless: list[str]
    dear: list[str]
    unknown: list[str]


def _sorted(asked: Asked, need: memory.Need) -> _Sorted:
    types = _Sorted([], [], [], [], [])
    for name in _chosen(asked.types):
        kind = processors.instance_type(name)
        price = prices.on_demand(name, asked.region)
        if price.usd is None:
            types.priceless.append(name)
        elif kind.memory_gib is None:
            types.unknown.append(name)
        elif memory.refusal(need, round(kind.memory_gib * 2**30)) or kind.memory_gib < asked.memory_gib:
            types.small.append(kind)
        elif asked.budget and float(price.usd) * prices.MONTH_H > asked.budget:
            types.dear.append(name)
        else:
            types.kinds.append((kind, price))
    return types


def _order(candidate: Candidate) -> tuple[int, float, str]:
    # What meets a target surely or likely is one lot: the middle is what is expected.
    rank = {YES: 0, LIKELY: 0, PERHAPS: 1, NO: 2}[candidate.meets]
    return rank, candidate.usd_million.middle, candidate.kind.name


def _without_alike(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the cheapest of each lot of types with as many of the same cores, of which the same is expected."""
    lots: dict[tuple[Any, ...], list[Candidate]] = {}
    for candidate in candidates:
        kind = candidate.kind
        names = (speeds.group_name(kind), speeds.flexible(kind.family))
        key = (*names, kind.physical_cores, kind.numa_nodes, candidate.generation, candidate.prompt)
        lots.setdefault(key, []).append(candidate)
    cheapest = []
    for lot in lots.values():
        first_one, *others = sorted(lot, key=lambda candidate: (candidate.usd_month, candidate.kind.name))
        cheapest.append(first_one._replace(dearer=tuple(candidate.kind.name for candidate in others)))
    return cheapest


def advise(asked: Asked, results_dir: str | Path, today: datetime.date, table: speeds.Table | None = None) -> Advice:
    """Return the answer. Raises AdviceError, PriceError, RecordError."""
    asked = checked(asked)
    table = table or speeds.table()
    need = need_of(asked)
    types = _sorted(asked, need)
    if not types.kinds:
        raise AdviceError(_nothing(asked, need, types))
    figures = own_figures(results_dir)
    candidates, warnings, silent = [], [], []
    for kind, price in types.kinds:
        made = _candidate(kind, price, asked, table, figures)
        if made is None:
            silent.append(kind.name)
            continue
        candidates.append(made[0])
        warnings += made[1]
    if not candidates:
        raise AdviceError(
            f"nothing is predicted of {', '.join(silent[:5])}: their processors or NUMA nodes are not known, nothing "
            "of their size was measured, or no figure tells of this quantization there; measure one of them"
        )
    candidates = sorted(candidates if asked.types else _without_alike(candidates), key=_order)
    shown = candidates[: asked.rows]
    return Advice(
        asked,
        need,
        candidates,
        _near(asked, candidates, table),
        _left_out(types, silent, need, asked),
        [*_nodes(shown), *_relatives(shown), *dict.fromkeys(warnings)],
        _notes(asked, shown, table, today),
        command(asked, [candidate.kind.name for candidate in candidates[:3]]),
    )


def _nothing(asked: Asked, need: memory.Need, types: _Sorted) -> str:
    if types.dear:
        cheapest = min(types.dear, key=lambda name: prices.on_demand(name, asked.region).usd or Decimal(0))
        month = float(prices.on_demand(cheapest, asked.region).usd or 0) * prices.MONTH_H
        return (
            f"nothing that the model fits into costs at most {asked.budget:g} USD a month in {asked.region}: the "
            f"cheapest, {cheapest}, is {month:.0f}; choose a smaller model, fewer bits, a shorter context or fewer "
            "users"
        )
    if types.small:
        largest = max(types.small, key=lambda kind: kind.memory_gib or 0.0)
        whole = round((largest.memory_gib or 0.0) * 2**30)
        refused = memory.refusal(need, whole)
        if refused:
            return (
                f"{asked.model} in {asked.quantization} fits into no type: {largest.name} has most memory; "
                f"{'. '.join(refused)}"
            )
        return f"no type has {asked.memory_gib:g} GiB: {largest.name} has most, {largest.memory_gib:g} GiB"
    names = ", ".join([*types.priceless, *types.unknown][:5])
    return (
        f"neither price nor memory is known of {names} in {asked.region}: choose other types or another region, or "
        f"renew the prices by `make prices REGIONS={asked.region}`"
    )


def _nodes(shown: Sequence[Candidate]) -> list[str]:
    several = [candidate.kind for candidate in shown if (candidate.kind.numa_nodes or 1) > 1]
    if not several:
        return []
    sentence = (
        f"{', '.join(kind.name for kind in several)}: several NUMA nodes, where more cores can be slower; of Llama 2 "
        "7B Q4_K_M c8g.48xlarge generated 2.1 token/s (tg16, two nodes) and m8g.24xlarge 50.9 (tg128, one node), "
        "source Spare Cores"
    )
    return [sentence]


def _relatives(shown: Sequence[Candidate]) -> list[str]:
    words = dict.fromkeys(candidate.how for candidate in shown if "was never measured" in candidate.how)
    return [f"{sentence}; the interval is as wide as relatives have been off" for sentence in words]


def _near(asked: Asked, candidates: Sequence[Candidate], table: speeds.Table) -> list[str]:
    """Return how near the nearest comes where no target is met, and what would meet it."""
    if not asked.has_targets or any(candidate.meets in MET for candidate in candidates):
        return []

    def misses(candidate: Candidate) -> float:
        token = candidate.token_ms.middle / asked.token_ms if asked.token_ms else 0.0
        begin = candidate.first_s.middle / asked.first_s if asked.first_s else 0.0
        return max(token, begin)

    best = min(candidates, key=misses)
    nearest = (
        f"nothing meets this: the nearest is {best.kind.name} with {best.token_ms.middle:.0f} ms a token and the first "
        f"token after {best.first_s.middle:.2f} s, {misses(best):.2f} times what is asked for"
    )
    sentences = [nearest]
    for users in (number for number in (asked.users // 2, asked.users // 4, 1) if 0 < number < asked.users):
        fewer = asked._replace(users=users)
        made = (_candidate(candidate.kind, candidate.price, fewer, table, {}) for candidate in candidates)
        able = [pair[0] for pair in made if pair and pair[0].meets in MET]
        if able:
            cheapest = min(able, key=lambda candidate: candidate.usd_month)
            sentences.append(f"{users} users at once would be met, by {cheapest.kind.name} first")
            break
    smaller = [name for name in PUBLISHED if _smaller(name, asked.model)]
    for name in sorted(smaller, key=_weights, reverse=True):
        other = asked._replace(model=name)
        made = (_candidate(candidate.kind, candidate.price, other, table, {}) for candidate in candidates)
        able = [pair[0] for pair in made if pair and pair[0].meets in MET]
        if able:
            cheapest = min(able, key=lambda candidate: candidate.usd_month)
            sentences.append(f"{name} would meet it, on {cheapest.kind.name} first")
            break
    return sentences


def _weights(model: str) -> float:
    work = predict.work_by_name(model, "Q4_0")
    return work.file_bytes if work else 0.0


def _smaller(name: str, than: str) -> bool:
    return _weights(name) < 0.9 * _weights(than)


def _some(names: Sequence[str], most: int = 3) -> str:
    return ", ".join(names[:most]) + (" ..." if len(names) > most else "")


def _left_out(types: _Sorted, silent: Sequence[str], need: memory.Need, asked: Asked) -> list[str]:
    lines = []
    if types.small:
        largest = max(types.small, key=lambda kind: kind.memory_gib or 0.0)
        lines.append(
            f"{len(types.small)} types have too little memory, {largest.name} with {largest.memory_gib:g} GiB the most "
            f"of them: it takes {memory.gib(need.total)} ({memory.parts(need)}), and {round(100 * memory.SPARE)} % may "
            "be used"
        )
    if types.dear:
        lines.append(f"{len(types.dear)} types cost more than {asked.budget:g} USD a month")
    if silent:
        lines.append(
            f"{len(silent)} types are not predicted, since nothing like them was measured or their NUMA nodes are not "
            f"known: {_some(silent)}"
        )
    if types.priceless:
        lines.append(
            f"{len(types.priceless)} types have no price that is known in {asked.region}: {_some(types.priceless)}"
        )
    if types.unknown:
        lines.append(f"{len(types.unknown)} types have no memory that is known: {_some(types.unknown)}")
    return lines


def _notes(asked: Asked, shown: Sequence[Candidate], table: speeds.Table, today: datetime.date) -> list[str]:
    source = table.source
    fitted = (
        f"predicted: from parameters fitted to figures of {source.title} ({source.address} at {source.commit}, "
        f"{source.licence}; {source.engine}; {source.quantization}); intervals hold 90 %"
    )
    notes = [fitted]
    architectures = dict.fromkeys(candidate.kind.architecture for candidate in shown)
    for architecture in architectures:
        if asked.quantization == source.quantization:
            if architecture == "aarch64":
                notes.append(
                    f"{source.quantization} on Graviton: as that image has it, which is compiled for none of them; a "
                    "build of their own is likely faster, by how much nobody has published"
                )
            continue
        kernels = (
            kernel
            for kernel in table.kernels
            if (kernel.architecture, kernel.quantization) == (architecture, asked.quantization)
        )
        for kernel in kernels:
            what = "prompts" if kernel.metric == PROMPT else "generation"
            notes.append(f"{asked.quantization} on {architecture}, {what}: by {kernel.source}")
    if asked.users > 1 and table.users:
        notes.append(
            f"{asked.users} users generate at the same moment, and each further one adds {table.users.cost:.2g} times "
            "the time of a token of a prompt, within a factor of 2: measured on one machine of ours "
            f"({table.users.source}); prompts are read one at a time"
        )
    for price_source, date in dict.fromkeys((candidate.price.source, candidate.price.date) for candidate in shown):
        age = (today - datetime.date.fromisoformat(date)).days
        old = f", which is {age} days old: `make prices REGIONS={asked.region}` renews it" if age > _OLD_DAYS else ""
        notes.append(f"prices of {asked.region}, on demand, Linux: {price_source}, {date}{old}")
    if asked.market == prices.SPOT:
        notes.append("spot prices change by the hour and are in no table: ranked by those on demand; `make plan` asks")
    flex = [candidate.kind.name for candidate in shown if speeds.flexible(candidate.kind.family)]
    if flex:
        notes.append(f"{_some(flex)}: their processors are lent for bursts, and a long load may get a part of them")
    return notes


def command(asked: Asked, names: Sequence[str]) -> str:
    """Return the line that measures types, with what was asked for."""
    market = f', "market": "{asked.market}"' if asked.market == prices.SPOT else ""
    instances = ", ".join(f'{{"type": "{name}"{market}}}' for name in names)
    tests = ["pp512", "tg128", *([f"serve{min(asked.prompt, 512)}+128@c{asked.users}"] if asked.users > 1 else [])]
    slots = f', "llama_bench_slots": {asked.users}' if asked.users > 4 else ""
    listed = ", ".join(f'"{test}"' for test in tests)
    return (
        f"AWS_REGION={asked.region} ansible-playbook site.yml -i inventory/aws -e "
        f'\'{{"ec2_environment_instances": [{instances}], "llama_model_models": ["{asked.model}"], '
        f'"llama_model_quantizations": ["{asked.quantization}"], "llama_bench_tests": [{listed}]{slots}}}\''
    )
