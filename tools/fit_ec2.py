# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fit the parameters by which speeds on EC2 are predicted: writes plugins/plugin_utils/catalog/speeds.yml.

    .venv/bin/python tools/fit_ec2.py ec2_llama_cpu.csv.gz

The file has a line for each figure, with the columns of COLUMNS, as derived from github.com/SpareCores/
sc-inspector-data (CC BY-SA 4.0) at the commit of SOURCE; none of its lines is part of this collection. What processor a
type has, its cores and NUMA nodes are those of the catalog.

docs/method.md says what is fitted. Each processor with one clock is a group, those of one NUMA node, of several and of
several without a hypervisor apart. The medians of a size and model are what the formula is fitted to, with a deviation
of A and of B for each size, which is held to zero by the spread that the sizes of the group have; a first round gives
the parameters that a second one holds groups with few sizes to.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import math
import sys
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import least_squares

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "collections"))

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import predict, summary  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import processors, published, speeds  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog.published import Published  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records  # noqa: E402

OUT = ROOT / "plugins/plugin_utils/catalog/speeds.yml"
COLUMNS = ("type", "model", "model_bytes", "test", "threads", "tokens_per_s")
SOURCE = {
    "title": "Spare Cores",
    "address": "github.com/SpareCores/sc-inspector-data",
    "commit": "804d3c7",
    "licence": "CC BY-SA 4.0",
    "date": "not said",
    "engine": "llama.cpp b4753 (51f311e0), one generic image, flash attention, a thread on each physical core",
    "quantization": "Q4_K_M",
}

# The shapes of what was measured: layers, weights in the layers, weights of an embedding that is only looked up (0: it
# is the output too), bits of each of those in Q4_K_M. Of config.json of each on huggingface.co.
_MODELS = {
    "SmolLM-135M": (30, 106.2e6, 0),
    "Qwen1.5-0.5B": (24, 308.3e6, 155.6e6),
    "gemma-2b": (18, 1.98e9, 0),
    "llama-7b": (32, 6.476e9, 131.1e6),
    "phi-4-14B": (40, 13.63e9, 513.8e6),
    "Llama-3.3-70B": (80, 68.45e9, 1050.7e6),
}
_EMBEDDING_BITS = 4.5
SMALL_BYTES = 1.2e9
# The test that is fitted -> the shorter one that stands in where it is missing, on small types.
_TESTS = {predict.PROMPT: ("pp512", "pp128"), predict.GENERATION: ("tg128", "tg16")}
_LENGTHS = (16, 128, 1024)
_STAND_IN_SPREAD = 0.04
# How far a model is off the formula (log): small ones, others.
_MODEL_SPREAD = {predict.PROMPT: (0.15, 0.015), predict.GENERATION: (0.25, 0.03)}
# The spread of types of one size before any of a group is known, and of how many of them that is worth.
_HOSTS = {predict.PROMPT: 0.03, predict.GENERATION: 0.04}
_PRIOR_TYPES = 5
_PRIOR_CELLS = 3
_DEGREES = 8.0
# What types whose processor is lent may have less or more of it (log).
_FLEX = 0.08
_START = {
    predict.PROMPT: (math.log(1 / 15e9), 0.9, math.log(1e-4), math.log(1e-6)),
    predict.GENERATION: (math.log(1 / 200e9), math.log(1 / 5e9), math.log(1e-5), math.log(1e-6)),
}
_WIDE = (1.5, 0.3, 1.5, 1.5)


class Figure(NamedTuple):
    """A figure of the file: tokens a second (log) of a test of a model on a type."""

    kind: processors.InstanceType
    model: str
    test: str
    log: float


class _Cell(NamedTuple):
    nodes: int
    cores: int
    model: str
    log: float
    spread: float
    types: int


def work_of(model: str, file_bytes: float) -> predict.Work:
    """Return the work of a token of a model of the file."""
    layers, weights, looked_up = _MODELS[model]
    return predict.Work(file_bytes, file_bytes - looked_up * _EMBEDDING_BITS / 8, weights, layers)


def read(path: Path) -> tuple[list[Figure], dict[str, predict.Work]]:
    """Return the figures of types of the catalog, each with a thread on each physical core, and the models' work."""
    figures: list[Figure] = []
    works: dict[str, predict.Work] = {}
    kinds: dict[str, processors.InstanceType | None] = {}
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
        rows = csv.DictReader(lines)
        missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
        if missing:
            raise SystemExit(f"{path} has no column {', '.join(missing)}: it needs {', '.join(COLUMNS)}")
        for row in rows:
            name, model = row["type"], row["model"]
            if model not in _MODELS:
                raise SystemExit(f"{path} has the model {model!r}, whose shape is not among _MODELS of {__file__}")
            if name not in kinds:
                try:
                    kinds[name] = processors.instance_type(name)
                except processors.CatalogError as error:
                    kinds[name] = None
                    print(f"left out: {error}", file=sys.stderr)
            kind = kinds[name]
            if kind is None or not kind.numa_nodes or int(row["threads"]) != kind.physical_cores:
                continue
            works[model] = work_of(model, float(row["model_bytes"]))
            figures.append(Figure(kind, model, row["test"], math.log(float(row["tokens_per_s"]))))
    return figures, works


def _offset(figures: Iterable[Figure], test: str, other: str) -> float:
    """Return the median log of the speed of `other` over that of `test`, of models of several billion weights."""
    at: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for figure in figures:
        if _MODELS[figure.model][1] > 1e9:
            at[figure.kind.name, figure.model][figure.test] = figure.log
    ratios = [tests[other] - tests[test] for tests in at.values() if test in tests and other in tests]
    return float(np.median(ratios)) if ratios else 0.0


def _by_type(figures: Sequence[Figure], metric: str) -> dict[tuple[str, str], tuple[Figure, bool]]:
    """Return the figure of each type and model, and whether another test stands in for it."""
    test, stand_in = _TESTS[metric]
    offset = _offset(figures, test, stand_in)
    rows: dict[tuple[str, str], tuple[Figure, bool]] = {}
    for figure in figures:
        if figure.test == stand_in:
            rows.setdefault((figure.kind.name, figure.model), (figure._replace(log=figure.log - offset), True))
        elif figure.test == test:
            rows[figure.kind.name, figure.model] = (figure, False)
    return rows


def _cells(
    rows: Iterable[tuple[Figure, bool]], metric: str, works: Mapping[str, predict.Work], hosts: float
) -> list[_Cell]:
    at: dict[tuple[int, int, str], list[tuple[float, bool]]] = defaultdict(list)
    for figure, stands_in in rows:
        at[figure.kind.numa_nodes or 1, figure.kind.physical_cores, figure.model].append((figure.log, stands_in))
    cells = []
    for (nodes, cores, model), logs in sorted(at.items()):
        small, large = _MODEL_SPREAD[metric]
        of_model = small if works[model].file_bytes < SMALL_BYTES else large
        real = [log for log, stands_in in logs if not stands_in]
        # The longer test is missing where the shorter one was slow: what is left of it says nothing of the others.
        enough = 2 * len(real) >= len(logs)
        extra = 0.0 if enough else _STAND_IN_SPREAD
        used = real if enough else [log for log, _stands_in in logs]
        # 1.57: the variance of a median over that of a mean.
        spread = math.sqrt(of_model**2 + 1.57 * hosts**2 / len(used) + extra**2)
        cells.append(_Cell(nodes, cores, model, float(np.median(used)), spread, len(used)))
    return cells


def _hosts(rows: Iterable[tuple[Figure, bool]], least: float) -> float:
    """Return the spread (log) of types of one size and model around their median; `least` counts as _PRIOR_TYPES."""
    at: dict[tuple[Any, ...], list[float]] = defaultdict(list)
    for figure, _stands_in in rows:
        if _MODELS[figure.model][1] > 1e9:
            at[figure.kind.numa_nodes, figure.kind.physical_cores, figure.model].append(figure.log)
    squares, count = _PRIOR_TYPES * least**2, float(_PRIOR_TYPES)
    for logs in at.values():
        if len(logs) > 1:
            off = np.abs(np.array(logs) - np.median(logs))
            # One host that was throttled says little of the others.
            squares += float(np.sum(np.minimum(off, 0.3) ** 2))
            count += len(logs) - 1
    return math.sqrt(squares / count)


class _Fitted(NamedTuple):
    parameters: np.ndarray
    covariance: np.ndarray
    sizes: dict[tuple[int, int], list[float]]
    work_spread: float
    layer_spread: float
    models: tuple[float, float]


def _fit(
    cells: Sequence[_Cell], metric: str, works: Mapping[str, predict.Work], prior: tuple[Any, Any], curve: bool
) -> _Fitted:
    """Fit a group: four parameters of the curve, and of each size the deviations of log A and log B from it."""
    places = sorted({(cell.nodes, cell.cores) for cell in cells})
    index = {place: number for number, place in enumerate(places)}
    means, spreads = np.array(prior[0]), np.array(prior[1])
    work_spread, layer_spread = (0.15, 0.4) if curve else (1.5, 1.5)

    def terms(vector: np.ndarray, place: tuple[int, int]) -> tuple[float, float]:
        log_work, log_layer, _one, _other = predict.curve_terms(metric, vector[:4].tolist(), place[1])
        number = 4 + 2 * index[place]
        return log_work + vector[number], log_layer + vector[number + 1]

    at = np.array([index[cell.nodes, cell.cores] for cell in cells])
    work = np.log([works[cell.model].of(metric) for cell in cells])
    layers = np.log([works[cell.model].layers for cell in cells])
    logs, own_spreads = np.array([cell.log for cell in cells]), np.array([cell.spread for cell in cells])

    def off(vector: np.ndarray) -> np.ndarray:
        both = np.array([terms(vector, place) for place in places])
        said = -np.logaddexp(both[at, 0] + work, both[at, 1] + layers)
        priors = (vector[:4] - means) / spreads
        return np.concatenate(
            [(logs - said) / own_spreads, priors, vector[4::2] / work_spread, vector[5::2] / layer_spread]
        )

    vector = np.concatenate([means, np.zeros(2 * len(places))])
    for _round in range(3):
        found = least_squares(off, vector, method="lm" if len(off(vector)) >= len(vector) else "trf")
        vector = found.x
        covariance = np.linalg.inv(found.jac.T @ found.jac)
        if not curve:
            break
        number = len(places)
        own = covariance.diagonal()
        work_spread = math.sqrt((5 * 0.1**2 + np.sum(vector[4::2] ** 2 + own[4::2])) / (5 + number))
        layer_spread = math.sqrt((5 * 0.3**2 + np.sum(vector[5::2] ** 2 + own[5::2])) / (5 + number))
    counts = {place: max(cell.types for cell in cells if (cell.nodes, cell.cores) == place) for place in places}
    sizes = {}
    for place in places:
        _log_work, _log_layer, by_work, by_layer = predict.curve_terms(metric, vector[:4].tolist(), place[1])
        gradient = np.zeros((2, len(vector)))
        gradient[0, :4], gradient[1, :4] = by_work, by_layer
        number = 4 + 2 * index[place]
        gradient[0, number] = gradient[1, number + 1] = 1.0
        of_both = gradient @ covariance @ gradient.T
        both = terms(vector, place)
        sizes[place] = [*both, of_both[0, 0], of_both[0, 1], of_both[1, 1], counts[place]]
    misses = (off(vector)[: len(cells)] * own_spreads) ** 2
    small = np.array([works[cell.model].file_bytes < SMALL_BYTES for cell in cells])
    # What is known of models before any of a group is counts as so many of its cells.
    models = [
        math.sqrt((_PRIOR_CELLS * prior_spread**2 + float(np.sum(misses[part]))) / (_PRIOR_CELLS + int(np.sum(part))))
        for prior_spread, part in zip(_MODEL_SPREAD[metric], (small, ~small), strict=True)
    ]
    return _Fitted(vector[:4], covariance[:4, :4], sizes, work_spread, layer_spread, (models[0], models[1]))


def _rounded(value: float) -> float:
    return float(f"{value:.5g}")


def _as_data(fitted: _Fitted, hosts: float, curve: bool) -> dict[str, Any]:
    data: dict[str, Any] = {"hosts": _rounded(hosts), "models": [*map(_rounded, fitted.models)]}
    if curve:
        data["curve"] = {
            "parameters": [_rounded(value) for value in fitted.parameters],
            "covariance": [_rounded(fitted.covariance[row, column]) for row in range(4) for column in range(row, 4)],
            "spread": [_rounded(fitted.work_spread), _rounded(fitted.layer_spread)],
        }
    data["sizes"] = {
        f"{nodes}x{cores}": [*map(_rounded, values[:5]), values[5]] for (nodes, cores), values in fitted.sizes.items()
    }
    return data


def _kin(data: Mapping[str, Any], works: Mapping[str, predict.Work]) -> dict[str, dict[str, float]]:
    """Return how far groups are off what their nearest relative says of them (log), by metric and relation.

    Each group is left out once, and predicted at its own sizes from the others; then also without those of its core.
    """
    table = speeds.parse(data)
    work = works.get("llama-7b") or next(iter(works.values()))
    least = {speeds.OTHER_CLOCK: 0.15, speeds.SAME_CORE: 0.12, speeds.RELATIVE: 0.30}
    off: dict[tuple[str, str], list[float]] = defaultdict(list)
    for group in table.groups.values():
        example = next(
            (
                processors.instance_type(name)
                for name in processors.instance_types()
                if speeds.group_name(processors.instance_type(name)) == group.name
            ),
            None,
        )
        if example is None:
            continue
        for metric in (predict.PROMPT, predict.GENERATION):
            speed = group.speeds.get((metric, speeds.ONE))
            if speed is None:
                continue
            apart = [
                {name: other for name, other in table.groups.items() if name != group.name},
                {name: other for name, other in table.groups.items() if other.processor != group.processor},
                {
                    name: other
                    for name, other in table.groups.items()
                    if processors.processor(other.processor).core != example.core
                },
            ]
            seen = set()
            for others in apart:
                without = table._replace(groups=others)
                for nodes, cores in speed.sizes:
                    kind = example._replace(physical_cores=cores, numa_nodes=nodes)
                    own = predict.predict(kind, metric, work, table)
                    guess = predict.predict(kind, metric, work, without)
                    if own and guess and (cores, guess.group) not in seen:
                        seen.add((cores, guess.group))
                        off[metric, guess.relation].append(own.log - guess.log)
    result: dict[str, dict[str, float]] = {metric: dict(least) for metric in (predict.PROMPT, predict.GENERATION)}
    for (metric, relation), values in off.items():
        result[metric][relation] = _rounded(
            math.sqrt((5 * least[relation] ** 2 + float(np.sum(np.square(values)))) / (5 + len(values)))
        )
    return result


class _Job(NamedTuple):
    """What is fitted at once: a metric of a group at a place."""

    group: str
    metric: str
    place: str
    rows: list[tuple[Figure, bool]]

    @property
    def curve(self) -> bool:
        """Whether sizes that were not measured follow from those that were: on several nodes they do not."""
        return self.place == speeds.ONE


def _jobs(members: Mapping[str, Sequence[Figure]]) -> list[_Job]:
    jobs = []
    for name, figures in sorted(members.items()):
        for metric in _START:
            every = list(_by_type(figures, metric).values())
            jobs += [
                _Job(name, metric, place, [row for row in every if speeds.place(row[0].kind) == place])
                for place in (speeds.ONE, speeds.SEVERAL, speeds.METAL)
            ]
    return [job for job in jobs if job.rows]


def _spread_and_cells(job: _Job, works: Mapping[str, predict.Work]) -> tuple[float, list[_Cell]]:
    steady = [row for row in job.rows if not speeds.flexible(row[0].kind.family)]
    hosts = _hosts(steady, _HOSTS[job.metric] * (1 if job.curve else 2))
    return hosts, _cells(job.rows, job.metric, works, hosts)


def _priors(jobs: Iterable[_Job], works: Mapping[str, predict.Work]) -> dict[str, tuple[Any, Any]]:
    """Return the middle and the spread of the parameters of groups with many sizes, to hold the others to."""
    curves: dict[str, list[np.ndarray]] = defaultdict(list)
    for job in jobs:
        _hosts_spread, cells = _spread_and_cells(job, works)
        if job.curve and len({cell.cores for cell in cells}) >= 4:
            curves[job.metric].append(_fit(cells, job.metric, works, (_START[job.metric], _WIDE), True).parameters)
    priors: dict[str, tuple[Any, Any]] = {metric: (start, _WIDE) for metric, start in _START.items()}
    for metric, found in curves.items():
        if len(found) > 2:
            apart = np.std(found, axis=0)
            priors[metric] = (np.median(found, axis=0), np.clip(apart, (0.3, 0.05, 0.3, 0.3), _WIDE))
    return priors


def fit(figures: Sequence[Figure], works: Mapping[str, predict.Work]) -> dict[str, Any]:
    """Return what speeds.yml holds of the figures."""
    members: dict[str, list[Figure]] = defaultdict(list)
    for figure in figures:
        members[speeds.group_name(figure.kind)].append(figure)
    spread: dict[str, Any] = {
        "small_bytes": SMALL_BYTES,
        "kin": {metric: {speeds.OTHER_CLOCK: 0.2, speeds.SAME_CORE: 0.2, speeds.RELATIVE: 0.5} for metric in _START},
        "degrees": _DEGREES,
        "flex": _FLEX,
    }
    groups = {
        name: {
            "processor": own[0].kind.processor,
            "high_clock": speeds.high_clock(own[0].kind.family),
            "types": len({figure.kind.name for figure in own}),
            "lengths": {length: _rounded(_offset(own, "pp512", f"pp{length}")) for length in _LENGTHS},
        }
        for name, own in sorted(members.items())
    }
    data: dict[str, Any] = {"source": SOURCE, "spread": spread, "groups": groups}
    jobs = _jobs(members)
    priors = _priors(jobs, works)
    for job in jobs:
        hosts, cells = _spread_and_cells(job, works)
        fitted = _fit(cells, job.metric, works, priors[job.metric], job.curve)
        data["groups"][job.group].setdefault(job.place, {})[job.metric] = _as_data(fitted, hosts, job.curve)
    spread["kin"] = _kin(data, works)
    return data


_ANCHORED = "Q4_0"
# Kernels differ from core to core (sdot, smmla, SVE): what is not known (log) of one of which nothing is published.
_OTHER_CORES = 0.35
_METRICS = {"pp_tps": predict.PROMPT, "tg_tps": predict.GENERATION}


def length_of(test: str) -> int:
    """Return the tokens of the prompt of a test, 0 where it has none."""
    digits = test.removeprefix("pp")
    return int(digits) if test.startswith("pp") and digits.isdigit() else 0


def anchors(metric: str, rows: Iterable[Published]) -> list[tuple[Published, processors.InstanceType, predict.Work]]:
    """Return the published figures of Q4_0, or of the file types that once held its layouts, on Arm."""
    result = []
    for row in rows:
        kind = processors.instance_type(row.instance)
        work = predict.work_by_name(row.model, row.quantization)
        alike = row.quantization.startswith(_ANCHORED) and not row.variant and kind.architecture == "aarch64"
        if alike and work is not None and _METRICS[row.speed] == metric:
            result.append((row, kind, work))
    return result


def anchored(table: speeds.Table, metric: str, rows: Iterable[Published]) -> speeds.Kernel | None:
    """Return how much faster Q4_0 is on Arm, by published figures; None without any.

    Beforehand the cores are taken to be 3 times as fast, within a factor of 2, and memory as fast as before.
    """
    known = anchors(metric, rows)
    if not known:
        return None
    least = 0.15

    def kernel(vector: Sequence[float], spread: float = 0.0) -> speeds.Kernel:
        sources = dict.fromkeys(row.source for row, *_rest in known)
        titles = ", ".join(f"{source.title} ({source.date or 'no date'})" for source in sources)
        values = [_rounded(float(value)) for value in vector]
        bandwidth = values[0] if metric == predict.GENERATION else values[1]
        cores = sorted({kind.core for _row, kind, _work in known if kind.core})
        return speeds.Kernel(
            "aarch64", _ANCHORED, metric, bandwidth, values[1], _rounded(spread), titles, cores, _OTHER_CORES
        )

    def off(vector: Sequence[float]) -> list[float]:
        misses = []
        for row, kind, work in known:
            said = predict.predict(kind, metric, work, table, length=length_of(row.test), kernel=kernel(vector))
            misses.append((math.log(row.tps) - said.log) / least if said else 0.0)
        return misses

    found = least_squares(
        lambda vector: [*off(vector), vector[0] / 0.3, (vector[1] - math.log(3)) / 0.42],
        [0.0, math.log(3)],
        diff_step=1e-3,
    )
    misses = np.array(off(found.x)) * least
    # The parameters are as sure as these few figures make them; three of 15 % are what was known beforehand.
    variance = (3 * least**2 + float(np.sum(misses**2))) / (3 + len(misses))
    return kernel(found.x, math.sqrt(variance * (1 + 2 / len(misses))))


class Ratio(NamedTuple):
    """A quantization over that of the source on one machine of ours (log), its standard error, and where from."""

    log: float
    error: float
    source: str


def own_ratios(results: Path, over: str) -> dict[tuple[str, str], Ratio]:
    """Return the ratios of our own records by quantization and metric: of launches of one block, by the usual tests."""
    ratios: dict[tuple[str, str], Ratio] = {}
    for run in summary.runs(records.read(results).records):
        if summary.emulated(run):
            continue
        rows = summary.rows(run, summary.measured_cells(run, summary.cells(run)))
        for base in rows:
            if base.cell["quantization"] != over or base.cell["test"] not in summary.USUAL_TESTS:
                continue
            for row in rows:
                alike = ("model", "test", "threads", "build")
                if row.cell["quantization"] == over or any(row.cell[name] != base.cell[name] for name in alike):
                    continue
                blocks, others = summary.by_block(row), summary.by_block(base)
                logs = [math.log(blocks[block] / others[block]) for block in blocks if block in others]
                if len(logs) < 3:
                    continue
                metric = _METRICS[row.speed]
                works = [predict.work_by_name(cell["model"], cell["quantization"]) for cell in (row.cell, base.cell)]
                if None in works or row.cell.get("variant"):
                    continue
                log = float(np.mean(logs))
                if metric == predict.GENERATION:
                    log += math.log(works[0].read_bytes / works[1].read_bytes)  # type: ignore[union-attr]
                source = f"{run.machine}, {row.cell['model']}, {len(logs)} pairs, {run.time[:10]}"
                ratios[row.cell["quantization"], metric] = Ratio(
                    log, float(np.std(logs, ddof=1)) / math.sqrt(len(logs)), source
                )
    return ratios


# What is not known of a ratio of one machine on another one (log).
_ELSEWHERE = 0.25


def kernels(table: speeds.Table, ratios: Mapping[tuple[str, str], Ratio]) -> list[speeds.Kernel]:
    """Return what is known of other quantizations.

    On x86 by the ratios of our own machine. With generation those are of cores that bound it: with memory that does,
    equal bytes take equal time, and the truth lies between. On Arm Q4_0 by published figures, others by our machine's
    ratio to Q4_0.
    """
    made = []
    for metric in (predict.PROMPT, predict.GENERATION):
        published_one = anchored(table, metric, published.table())
        if published_one:
            made.append(published_one)
        base = ratios.get((_ANCHORED, metric))
        for (quantization, of_metric), ratio in sorted(ratios.items()):
            if of_metric != metric:
                continue
            made.append(_between("x86_64", quantization, metric, 0.0, 0.0, ratio, 0.0))
            if published_one and base and quantization != _ANCHORED:
                further = Ratio(
                    ratio.log - base.log, math.hypot(ratio.error, base.error), f"{published_one.source}; {ratio.source}"
                )
                made.append(
                    _between(
                        "aarch64", quantization, metric, published_one.bandwidth, published_one.compute, further,
                        published_one.spread,
                    )._replace(cores=published_one.cores, other_cores=published_one.other_cores)
                )  # fmt: skip
    return made


def _between(
    architecture: str, quantization: str, metric: str, bandwidth: float, compute: float, ratio: Ratio, spread: float
) -> speeds.Kernel:
    half = ratio.log / 2 if metric == predict.GENERATION else 0.0
    of_cores = ratio.log - half
    unknown = math.sqrt(spread**2 + ratio.error**2 + _ELSEWHERE**2 + half**2)
    return speeds.Kernel(
        architecture, quantization, metric, _rounded(bandwidth + half), _rounded(compute + of_cores), _rounded(unknown),
        ratio.source,
    )  # fmt: skip


def users(results: Path) -> dict[str, Any] | None:
    """Return what another user adds to a step, of our own ranked batches; None where there are none."""
    costs, sources = [], []
    for run in summary.runs(records.read(results).records):
        if summary.emulated(run):
            continue
        rows = [row for row in summary.rows(run, summary.measured_cells(run, summary.cells(run))) if row.ranked]
        at = {(row.cell["model"], row.cell["quantization"], row.cell["test"]): row for row in rows}
        for row in rows:
            number = row.cell.get("concurrency")
            if row.speed != "batched_tg_tps" or not number or number < 2:
                continue
            model = row.cell["model"], row.cell["quantization"]
            prompt, alone = (at.get((*model, test)) for test in summary.USUAL_TESTS)
            if prompt and alone and prompt.interval and alone.interval and row.interval:
                step = number / row.interval.mean - 1 / alone.interval.mean
                costs.append(step * prompt.interval.mean / (number - 1))
                sources.append(f"{run.machine}, {' '.join(model)}, {number} at once, {run.time[:10]}")
    if not costs:
        return None
    # One machine of two cores: elsewhere half as much or twice, in nine of ten.
    spread = math.log(2) / predict.quantile(1e9)
    return {"cost": _rounded(float(np.median(costs))), "spread": _rounded(spread), "source": "; ".join(sources)}


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_flow(key)}: {_flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and "e" in repr(value) and "." not in repr(value).split("e")[0]:
        # YAML 1.1 takes 1e-05 for text.
        return repr(value).replace("e", ".0e")
    if isinstance(value, str) and ({*value} & {*",:;{}[]"}):
        return f'"{value}"'
    return str(value)


def _entry(key: str, value: Any, indent: int) -> list[str]:
    """Return a key and its value, a long text folded, a long list broken."""
    line = f"{' ' * indent}{key}: {_flow(value)}"
    if len(line) <= _WIDTH:
        return [line]
    room = _WIDTH - indent - 2
    plain = isinstance(value, str)
    folded = textwrap.wrap(value if plain else _flow(value), room, break_on_hyphens=False, break_long_words=False)
    # A list goes on within its bracket, as yamllint wants it.
    first, further = " " * (indent + 2), " " * (indent + (2 if plain else 3))
    head = f"{' ' * indent}{key}:{' >-' if plain else ''}"
    return [head, f"{first}{folded[0]}", *(f"{further}{part}" for part in folded[1:])]


_WIDTH = 118
_HEAD = """---
# How fast the processors of EC2 run llama.cpp: parameters fitted to published figures by tools/fit_ec2.py, which writes
# this file; its one reader is speeds.py, and docs/method.md says what they mean. No figure itself is in it.
#
# A size is NUMA nodes x physical cores: log A, log B, their variance, covariance and variance, number of types.
# `curve` has four parameters and the upper triangle of their covariance by rows; `hosts` and `models` (small ones and
# others) are spreads (log).
"""


def text(data: Mapping[str, Any]) -> str:
    """Return the file."""
    lines = [_HEAD + "source:"]
    lines += [f'  {key}: "{value}"' for key, value in data["source"].items()]
    lines += ["spread:"]
    spread = data["spread"]
    lines += [f"  {key}: {_flow(value)}" for key, value in spread.items() if key != "kin"]
    lines += ["  kin:", *(f"    {metric}: {_flow(value)}" for metric, value in spread["kin"].items())]
    lines += ["kernels:"] if data["kernels"] else ["kernels: []"]
    for kernel in data["kernels"]:
        entries = [line for key, value in kernel.items() for line in _entry(key, value, 4)]
        lines += ["  - " + entries[0].lstrip(), *entries[1:]]
    users_lines = [line for key, value in (data["users"] or {}).items() for line in _entry(key, value, 2)]
    lines += ["users:", *users_lines] if users_lines else ["users: null"]
    lines += ["groups:"]
    for name, group in data["groups"].items():
        lines.append(f"  {name}:")
        lines += [f"    {key}: {_flow(group[key])}" for key in ("processor", "high_clock", "types", "lengths")]
        for word in (speeds.ONE, speeds.SEVERAL, speeds.METAL):
            if word not in group:
                continue
            lines.append(f"    {word}:")
            for metric, speed in group[word].items():
                lines.append(f"      {metric}:")
                lines += [f"        {key}: {_flow(speed[key])}" for key in ("hosts", "models")]
                if "curve" in speed:
                    lines.append("        curve:")
                    lines += [line for key, value in speed["curve"].items() for line in _entry(key, value, 10)]
                lines.append("        sizes:")
                lines += [f"          {size}: {_flow(values)}" for size, values in speed["sizes"].items()]
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Fit and write."""
    parser = argparse.ArgumentParser(description="Fit the parameters by which speeds on EC2 are predicted.")
    parser.add_argument("data", type=Path, help="the CSV file, which may be gzipped")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--results", type=Path, default=ROOT / "results", help="our own records, for ratios")
    asked = parser.parse_args(argv)
    figures, works = read(asked.data)
    data = fit(figures, works)
    ratios = own_ratios(asked.results, SOURCE["quantization"])
    data["kernels"] = [kernel._asdict() for kernel in kernels(speeds.parse(data), ratios)]
    data["users"] = users(asked.results)
    asked.out.write_text(text(data), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
