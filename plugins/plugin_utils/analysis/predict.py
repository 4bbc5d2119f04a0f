# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast an instance type that nobody here has measured is expected to be, with an interval. docs/method.md says why.

Seconds a token are A x work + B x layers. The work of a generated token is the bytes of weights that are read, that of
a token of a prompt the weights of the layers. With n physical cores, a thread on each:

    generation  A = a + c/n          B = e + d n
    prompt      A = a n^-k           B = e/n + f

for sizes between and beyond those that were measured; where types of a size were measured, A and B are that size's own.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import NamedTuple

from ansible_collections.cloudbench.llama.plugins.module_utils.models.quantizations import (
    QuantizationError,
    bits,
    lookup,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.models.shapes import (
    Shape,
    kv_bytes,
    parameters,
    shape_of,
    tensors,
)
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import processors, speeds
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog.processors import InstanceType
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog.speeds import Curve, Kernel, Speed, Table

PROMPT, GENERATION = "pp", "tg"
# By the metrics of records.
METRICS = {"tg_tps": GENERATION, "pp_tps": PROMPT}
# Tokens of the prompt whose speed is fitted, and of the text whose generation is.
USUAL_PROMPT, USUAL_GENERATED = 512, 128
# What part of repeated measurements an interval is to hold.
CONFIDENCE = 0.9

# Generation reads the weights of the embedding only where the output has none of its own.
_LOOKED_UP = "token_embd.weight"


class Work(NamedTuple):
    """What a token takes: bytes of weights read, weights of the layers (multiplications), layers, bytes of KV a token.

    `file_bytes` decides which spread a model has: small ones are further off the formula.
    """

    file_bytes: float
    read_bytes: float
    weights: float
    layers: int
    kv_bytes: int = 0

    def of(self, metric: str, depth: float = 0.0) -> float:
        """Return the work of a token, with so many tokens before it."""
        return self.weights if metric == PROMPT else self.read_bytes + self.kv_bytes * depth


class Predicted(NamedTuple):
    """The log of tokens a second and its variance: what is not known of the type, and hosts from each other.

    `models` is the spread (log) of models, which is part of `variance`. `words` say how, in a sentence without an end.
    """

    log: float
    variance: float
    hosts: float
    models: float
    relation: str
    group: str
    words: str


# Models that are no presets and of which somebody has published figures, by config.json of each on huggingface.co:
# weights in all, weights of the layers, weights of an embedding that is only looked up, layers.
_OTHERS = {
    "llama-2-7b": (6.738e9, 6.476e9, 131.1e6, 32),
    "qwen-2.5-1.5b": (1.544e9, 1.310e9, 0.0, 28),
}


@functools.lru_cache(maxsize=256)
def work_by_name(model: str, quantization: str) -> Work | None:
    """Return the work of a model, None where its shape is not known. Raises QuantizationError."""
    each = bits(lookup(quantization)) / 8
    shape = shape_of(model)
    if shape is not None:
        return work_of(shape, parameters(shape) * each)
    if model not in _OTHERS:
        return None
    whole, layers, looked_up, number = _OTHERS[model]
    return Work(whole * each, (whole - looked_up) * each, layers, number)


def work_of(shape: Shape, file_bytes: float) -> Work:
    """Return the work of a shape whose file has so many bytes."""
    counts = {tensor.name: math.prod(tensor.dimensions) for tensor in tensors(shape)}
    layers = sum(count for name, count in counts.items() if name.startswith("blk."))
    share = 0.0 if shape.tied else counts[_LOOKED_UP] / sum(counts.values())
    return Work(file_bytes, file_bytes * (1 - share), layers, shape.layers, kv_bytes(shape))


def curve_terms(
    metric: str, parameters: Sequence[float], cores: float
) -> tuple[float, float, list[float], list[float]]:
    """Return log A, log B and their gradients by the four parameters."""
    first, second, third, fourth = parameters
    if metric == GENERATION:
        of_all, of_one = math.exp(first), math.exp(second) / cores
        work = of_all + of_one
        still, growing = math.exp(third), math.exp(fourth) * cores
        layer = still + growing
        return (
            math.log(work),
            math.log(layer),
            [of_all / work, of_one / work, 0.0, 0.0],
            [0.0, 0.0, still / layer, growing / layer],
        )
    still, falling = math.exp(fourth), math.exp(third) / cores
    layer = still + falling
    return (
        first - second * math.log(cores),
        math.log(layer),
        [1.0, -math.log(cores), 0.0, 0.0],
        [0.0, 0.0, falling / layer, still / layer],
    )


def _quadratic(left: Sequence[float], triangle: Sequence[float], right: Sequence[float]) -> float:
    total, index = 0.0, 0
    for row in range(len(left)):
        for column in range(row, len(left)):
            each = left[row] * right[column]
            total += triangle[index] * (each if row == column else each + left[column] * right[row])
            index += 1
    return total


class _Terms(NamedTuple):
    work: float
    layer: float
    work_variance: float
    covariance: float
    layer_variance: float


def _by_curve(metric: str, curve: Curve, cores: int, scale: float) -> _Terms:
    work, layer, of_work, of_layer = curve_terms(metric, curve.parameters, cores)
    return _Terms(
        work,
        layer,
        _quadratic(of_work, curve.covariance, of_work) + scale * curve.work_spread**2,
        _quadratic(of_work, curve.covariance, of_layer) / 2 + _quadratic(of_layer, curve.covariance, of_work) / 2,
        _quadratic(of_layer, curve.covariance, of_layer) + scale * curve.layer_spread**2,
    )


def _terms(metric: str, speed: Speed, nodes: int, cores: int) -> tuple[_Terms, str] | None:
    size = speed.sizes.get((nodes, cores))
    if size is not None:
        return _Terms(*size[:5]), f"{size.types} of this size" if size.types > 1 else "one of this size"
    if speed.curve is None:
        return None
    counts = sorted(count for of_nodes, count in speed.sizes if of_nodes == nodes)
    inside = bool(counts) and counts[0] <= cores <= counts[-1]
    return _by_curve(metric, speed.curve, cores, 1.0 if inside else 2.0), "other sizes"


def log_speed(metric: str, terms: Sequence[float], work: Work, depth: float = 0.0) -> tuple[float, float]:
    """Return the log of tokens a second and its variance, of log A, log B, and their (co)variances."""
    log_work, log_layer, work_variance, covariance, layer_variance = terms[:5]
    of_work = math.exp(log_work) * work.of(metric, depth)
    of_layers = math.exp(log_layer) * work.layers
    seconds = of_work + of_layers
    share = of_work / seconds
    variance = share**2 * work_variance + 2 * share * (1 - share) * covariance + (1 - share) ** 2 * layer_variance
    return -math.log(seconds), variance


def kernel_of(kind: InstanceType, quantization: str, metric: str, table: Table) -> Kernel | None:
    """Return what is known of a quantization on a type, None where nothing is: the source's own needs none.

    Where a core has no kernels of its own for Q4_0, what was measured on those that have says nothing.
    """
    if kind.core is None or processors.core(kind.core).builds[0].layout is None:
        return None
    return next(
        (
            kernel
            for kernel in table.kernels
            if (kernel.architecture, kernel.quantization, kernel.metric) == (kind.architecture, quantization, metric)
        ),
        None,
    )


def predict(
    kind: InstanceType,
    metric: str,
    work: Work,
    table: Table | None = None,
    length: int = 0,
    depth: float = 0.0,
    kernel: Kernel | None = None,
) -> Predicted | None:
    """Return what is expected of the processor of a type, with llama.cpp as the source of the table had it or `kernel`.

    `metric` PROMPT or GENERATION; `length`: tokens of the prompt, 0 those of pp512; `depth`: tokens that are there when
    one is generated. None: not predicted, since nothing like it was measured, or its NUMA nodes are not known, or there
    are several and nothing of that size was measured.
    """
    table = table or speeds.table()
    place = speeds.place(kind)
    if place is None:
        return None
    nearest = speeds.nearest(kind, [group for group in table.groups.values() if (metric, place) in group.speeds])
    if nearest is None:
        return None
    group, relation = nearest
    speed = group.speeds[metric, place]
    terms = _terms(metric, speed, kind.numa_nodes or 1, kind.physical_cores)
    if terms is None:
        return None
    used, words = terms[0], f"from {group.name}, {terms[1]}"
    if kernel is not None:
        used = _with_kernel(metric, used, speed.curve, kind.physical_cores, kernel)
    log, variance = log_speed(metric, used, work, depth)
    if kernel is not None:
        variance += kernel.spread_on(kind.core) ** 2
    if relation != speeds.MEASURED:
        variance += table.kin[metric][relation] ** 2
        log += _bandwidth(kind, group.processor) if metric == GENERATION else 0.0
        words = f"{kind.processor} was never measured: from its relative {group.name}"
    if metric == PROMPT and length:
        log += _length(group.lengths, length)
    models = speed.models[0 if work.file_bytes < table.small_bytes else 1]
    hosts = math.hypot(speed.hosts, table.flex) if speeds.flexible(kind.family) else speed.hosts
    return Predicted(log, variance + hosts**2 + models**2, hosts, models, relation, group.name, words)


def by_name(
    kind: InstanceType,
    metric: str,
    model: str,
    quantization: str,
    table: Table,
    length: int = 0,
    depth: float = 0,
) -> Predicted | None:
    """Return what predict() says of a model and a quantization by their names.

    None also where the model's shape is not known, or nothing is known of the quantization on that processor.
    """
    try:
        work = work_by_name(model, quantization)
    except QuantizationError:
        return None
    if work is None:
        return None
    kernel = None
    if quantization != table.source.quantization:
        kernel = kernel_of(kind, quantization, metric, table)
        if kernel is None:
            return None
    return predict(kind, metric, work, table, length, depth, kernel)


def _with_kernel(metric: str, terms: _Terms, curve: Curve | None, cores: int, kernel: Kernel) -> _Terms:
    """Return the terms of another kernel: what of A cores bound becomes faster by its own factor, the rest by memory's.

    Where there is no curve that says which is which, half of it is either.
    """
    if metric == PROMPT:
        return terms._replace(work=terms.work - kernel.compute)
    bound = 0.5
    if curve is not None:
        of_all, of_one = math.exp(curve.parameters[0]), math.exp(curve.parameters[1]) / cores
        bound = of_one / (of_all + of_one)
    factor = bound * math.exp(-kernel.compute) + (1 - bound) * math.exp(-kernel.bandwidth)
    return terms._replace(work=terms.work + math.log(factor), layer=terms.layer - kernel.bandwidth)


def _bandwidth(kind: InstanceType, relative: str) -> float:
    """Return the half of the log of the ratio of bandwidths: what is read at once grows with it, latency does not."""
    theirs = processors.processor(relative).bandwidth_gb_s
    mine = processors.processor(kind.processor).bandwidth_gb_s
    return 0.5 * math.log(mine / theirs) if mine and theirs else 0.0


def _length(lengths: Mapping[int, float], length: int) -> float:
    """Return the log of the speed of a prompt of another length over pp512, by the logs of the lengths around it."""
    known = sorted({**lengths, USUAL_PROMPT: 0.0}.items())
    if length <= known[0][0]:
        return known[0][1]
    for (low, at_low), (high, at_high) in itertools.pairwise(known):
        if length <= high:
            share = math.log(length / low) / math.log(high / low)
            return at_low + share * (at_high - at_low)
    return known[-1][1]


class Seen(NamedTuple):
    """A measurement of a type: log of what was measured over what is predicted of it, and its variance.

    `same`: of just what is asked for; another model or quantization says of it what the type is like. `ours`: measured
    here, not published by others. `words` name it, `subject` its model and quantization.
    """

    off: float
    variance: float
    same: bool
    ours: bool
    words: str
    subject: str = ""


def pulled(said: Predicted, seen: Sequence[Seen]) -> Predicted:
    """Return a prediction that measurements of the type have pulled: a Gaussian posterior of the log.

    What is asked for is another host of the type, so the spread of hosts stays.
    """
    if not seen:
        return said
    unknown = said.variance - said.hosts**2
    precision = 1 / unknown + sum(1 / (each.variance + said.hosts**2) for each in seen)
    shift = sum(each.off / (each.variance + said.hosts**2) for each in seen) / precision
    return said._replace(log=said.log + shift, variance=1 / precision + said.hosts**2)


def contradictions(said: Predicted, seen: Sequence[Seen], degrees: float) -> list[str]:
    """Return sentences on measurements that contradict one another, or that the prediction did not expect."""
    wide = quantile(degrees, 0.99)
    sentences = []
    for index, first in enumerate(seen):
        for second in seen[index + 1 :]:
            apart = math.sqrt(first.variance + second.variance + 2 * said.hosts**2)
            if first.subject == second.subject and abs(first.off - second.off) > wide * apart:
                times = math.exp(abs(first.off - second.off))
                sentences.append(
                    f"{first.words} and {second.words} contradict each other: against what is predicted of each they "
                    f"are {times:.1f} times apart"
                )
    for each in seen:
        if each.same and abs(each.off) > quantile(degrees) * math.sqrt(said.variance + each.variance):
            sentences.append(
                f"{each.words} is outside of what was predicted of it, {math.exp(each.off):.2f} times the prediction"
            )
    return sentences


def quantile(degrees: float, confidence: float = CONFIDENCE) -> float:
    """Return how many standard deviations either way an interval of Student's t has (Cornish-Fisher, degrees > 3)."""
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    return z + (z**3 + z) / (4 * degrees) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)
