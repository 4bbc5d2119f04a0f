# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run is expected to take on an instance, from figures that others published: minutes and bytes.

An estimate, always a range, and good for one decision only: how much money to set at risk. Sources: Spare Cores
(llama.cpp b4753, Llama 2 7B Q4_K_M, a thread on each physical core), github.com/hustshawn/llama3-on-graviton (b4184,
c7g.16xlarge, Llama 3.1 8B), Arm's learning path llama-cpu, and the Hugging Face space arcee-ai/Benchmarks (2024).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.kind import Cell
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.pace import Pace
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.registry import kind_of
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.duet import PAIRS_LEAST, TIME_SHARE
from ansible_collections.cloudbench.llama.plugins.module_utils.models.presets import PLACEHOLDER
from ansible_collections.cloudbench.llama.plugins.module_utils.models.quantizations import bits, lookup
from ansible_collections.cloudbench.llama.plugins.module_utils.models.shapes import Shape, parameters
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import processors, published
from ansible_collections.cloudbench.llama.plugins.plugin_utils.request.run_request import LEGACY, RunRequest

GB = 1e9


class Range(NamedTuple):
    """From `low` to `high`, both of one unit."""

    low: float
    high: float

    def plus(self, *others: Range) -> Range:
        """Return the sum of this range and others."""
        return Range(self.low + sum(other.low for other in others), self.high + sum(other.high for other in others))

    def times(self, factor: float) -> Range:
        """Return this range with both ends multiplied."""
        return Range(self.low * factor, self.high * factor)


class _Estimator(NamedTuple):
    """What Spare Cores published of a machine: its core, physical cores, tokens per second of pp512 and of tg128."""

    core: str
    cores: int
    prompt: float
    generation: float | None


@functools.lru_cache(maxsize=1)
def _estimators() -> tuple[_Estimator, ...]:
    rows = [row for row in published.table() if (row.model, row.quantization) == ("llama-2-7b", "Q4_K_M")]
    speeds = {(row.instance, row.test): row.tps for row in rows}
    return tuple(
        _Estimator(kind.core or "", kind.physical_cores, speeds[name, "pp512"], speeds.get((name, "tg128")))
        for name in dict.fromkeys(row.instance for row in rows)
        for kind in [processors.instance_type(name)]
    )


_7B_PARAMETERS = 6.74e9
_7B_BYTES = 4.08e9
# Q4_0 has kernels of its own: with 8 billion weights c7g.16xlarge reached 285.8 tokens per second (hustshawn) and
# r8g.16xlarge 333.5 (Arm's learning path), 3.2 and 3.5 times the work a second of the rows above.
_FASTER_PROMPT = 3.5
# Of the theoretical memory bandwidth generation reached 0.33 (c8g.16xlarge above) to 0.87 (70B on c7g, arcee-ai).
_SHARE = Range(0.33, 0.87)
# GB/s that generation moved for each core: the 64 of a c7a.16xlarge above, the 16 of an r8g.4xlarge (8B, arcee-ai).
_PER_CORE = Range(3.0, 15.0)
# What is assumed of a socket whose bandwidth nobody published.
_UNKNOWN_SOCKET = Range(60.0, 300.0)

# Measured on this project's 2-core Xeon: 138 steps for one build, about 10 CPU-minutes; other compilers and cores: half
# to twice that. One step and the link do not become shorter with more cores.
_BUILD_CPU_MINUTES = Range(6.0, 16.0)
_BUILD_LEAST_MINUTES = Range(0.5, 1.5)
# llama-quantize, F16 to Q8_0: 9.2 CPU-s for 1.24 billion weights; K-quants take longer.
_QUANTIZE_CPU_S = Range(7.4e-9, 40e-9)
# A gp3 volume writes 125 MB/s at its baseline, and a hub may send less.
_DISK_BYTES_S = Range(125e6, 60e6)
_NETWORK_BYTES_S = Range(125e6, 40e6)
# 4.65 GB loaded in 0.8 s without repacking and in 2.6 s with it.
_LOAD_BYTES_S = Range(5.8e9, 1.8e9)
_LAUNCH_S = Range(1.0, 5.0)
_BOOT_MINUTES = Range(1.5, 5.0)
_TOOLS_MINUTES = Range(0.5, 3.0)
_END_MINUTES = Range(1.0, 3.0)

ASSUMPTIONS = (
    "boot and ssh 1.5 to 5 min, tool chain 0.5 to 3 min, report and teardown 1 to 3 min",
    "a build takes 6 to 16 CPU-minutes, and never less than 0.5 to 1.5 min",
    "models come at 40 to 125 MB/s, and a gp3 volume takes 60 to 125 MB/s",
    "a prompt runs as fast as Spare Cores published for this core with Q4_K_M, or up to 3.5 times as fast",
    "generation moves 33 to 87 % of the theoretical memory bandwidth, and 3 to 15 GB/s for each core at most",
)


def file_bytes(shape: Shape, quantization: str) -> float:
    """Return about how many bytes a model has in a quantization. Raises QuantizationError."""
    return parameters(shape) * bits(lookup(quantization)) / 8


class Files(NamedTuple):
    """The files of the models asked for, in bytes.

    All that a host keeps, the sources among them, and the largest one that is loaded; `unknown`: names of models whose
    size cannot be told.
    """

    total: float
    sources: float
    largest: float
    unknown: list[str]


def files(request: RunRequest) -> Files:
    """Return what the models that are asked for take on a host."""
    total = sources = largest = 0.0
    unknown = []
    # The types for a processor of its own are of 4 bits.
    names = ["Q4_0" if name == LEGACY else name for name in request.quantizations]
    for model in request.models:
        if model.shape is None:
            unknown.append(model.name)
            continue
        source = model.source
        whole = 0.0 if PLACEHOLDER in source.file + source.url + source.s3 else file_bytes(model.shape, "F16")
        made = [file_bytes(model.shape, name) for name in names]
        sources += whole
        total += whole + sum(made)
        largest = max([largest, *made])
    return Files(total, sources, largest, unknown)


def volume_gb(wanted: Files) -> int:
    """Return the size of a volume in GB.

    8 for the system, 6 for builds, a fifth more than the files, in steps of 10 from 30 on.
    """
    return max(30, math.ceil((14 + wanted.total / GB * 1.2) / 10) * 10)


class Host(NamedTuple):
    """What a run time depends on; `core` and `bandwidth_gb_s` None where they are not known."""

    architecture: str
    core: str | None
    vcpus: int
    physical_cores: int
    bandwidth_gb_s: float | None


def _rows(host: Host) -> list[_Estimator]:
    return [row for row in _estimators() if row.core == host.core]


def prompt_flops(host: Host, threads: int) -> Range:
    """Return the floating point operations a second of prompt processing with so many threads."""
    rows = _rows(host)
    arm = [row for row in _estimators() if row.core.startswith("neoverse")]
    alike = arm if host.architecture == "aarch64" else [row for row in _estimators() if row not in arm]
    each = [row.prompt * 2 * _7B_PARAMETERS / row.cores for row in rows or alike]
    cores = min(threads, host.physical_cores)
    return Range(min(each) * cores, max(each) * _FASTER_PROMPT * cores)


def generation_bytes(host: Host, threads: int) -> Range:
    """Return the bytes a second that generation moves with so many threads."""
    moved = [row.generation * _7B_BYTES / GB for row in _rows(host) if row.generation]
    if host.bandwidth_gb_s is not None:
        socket = Range(host.bandwidth_gb_s * _SHARE.low, host.bandwidth_gb_s * _SHARE.high)
    elif moved:
        socket = Range(min(moved) * 0.75, max(moved) * 1.5)
    else:
        socket = _UNKNOWN_SOCKET
    cores = min(threads, host.physical_cores)
    return Range(min(socket.low, _PER_CORE.low * cores) * GB, min(socket.high, _PER_CORE.high * cores) * GB)


class Paces(NamedTuple):
    """How fast a model runs on a host that nobody has measured, at best and at worst."""

    best: Pace
    worst: Pace


def paces(host: Host, shape: Shape, quantization: str, threads: int) -> Paces:
    """Return the paces of a model with so many threads, BY_LADDER: those of the physical cores."""
    size = file_bytes(shape, quantization)
    flops = prompt_flops(host, threads or host.physical_cores)
    moved = generation_bytes(host, threads or host.physical_cores)
    work = 2 * parameters(shape)
    # Together, sequences read the weights once for each step at best, and once for each of them at worst.
    return Paces(
        best=Pace(
            prompt_tps=flops.high / work,
            generation_tps=moved.high / size,
            start_s=_LAUNCH_S.low + size / _LOAD_BYTES_S.low,
            cold_read_s=size / _DISK_BYTES_S.low,
            together=0.0,
        ),
        worst=Pace(
            prompt_tps=flops.low / work,
            generation_tps=moved.low / size,
            start_s=_LAUNCH_S.high + size / _LOAD_BYTES_S.high,
            cold_read_s=size / _DISK_BYTES_S.high,
            together=1.0,
        ),
    )


def launch_seconds(host: Host, shape: Shape, cell: Cell, settings: LaunchSettings) -> Range:
    """Return the seconds of one launch of a cell of the plan."""
    best, worst = paces(host, shape, cell["quantization"], cell["threads"])
    kind = kind_of(cell)
    return Range(kind.seconds(cell, best, settings), kind.seconds(cell, worst, settings))


def prepare_minutes(host: Host, builds: int, wanted: Files) -> Range:
    """Return the minutes until the first launch: boot, tool chain, builds, models."""
    build = Range(
        max(_BUILD_CPU_MINUTES.low / host.vcpus, _BUILD_LEAST_MINUTES.low),
        max(_BUILD_CPU_MINUTES.high / host.vcpus, _BUILD_LEAST_MINUTES.high),
    )
    made = wanted.total - wanted.sources
    best = wanted.sources / _NETWORK_BYTES_S.low + made / _DISK_BYTES_S.low
    worst = wanted.sources / _NETWORK_BYTES_S.high + made / _DISK_BYTES_S.high
    weights = made * 8 / 4.5
    quantize = Range(_QUANTIZE_CPU_S.low * weights / host.vcpus, _QUANTIZE_CPU_S.high * weights / host.vcpus)
    models = Range(best, worst).plus(quantize).times(1 / 60)
    return _BOOT_MINUTES.plus(_TOOLS_MINUTES, build.times(builds), models)


def _duet_seconds(host: Host, request: RunRequest, duets: Iterable[Mapping[str, Cell]]) -> Range:
    """Return the seconds of the duets of a plan: the least pairs at best and twice as many, each of two rounds."""
    shapes = {model.name: model.shape for model in request.models}
    seconds = Range(0.0, 0.0)
    for pair in duets:
        # Both run at once, so that the slower one is what counts.
        sides = [
            launch_seconds(host, shape, {**cell, "threads": max(1, host.physical_cores // 2)}, request.settings)
            for cell in pair.values()
            if (shape := shapes[cell["model"]]) is not None
        ]
        if sides:
            low, high = max(side.low for side in sides), max(side.high for side in sides)
            seconds = seconds.plus(Range(2 * PAIRS_LEAST * low, 4 * PAIRS_LEAST * high))
    if request.minutes:
        most = request.minutes * 60 * TIME_SHARE
        return Range(min(most, seconds.low), min(most, seconds.high))
    return seconds


def expected_minutes(
    host: Host,
    request: RunRequest,
    cells: Iterable[Cell],
    builds: int,
    wanted: Files,
    duets: Iterable[Mapping[str, Cell]] = (),
) -> Range:
    """Return the minutes from the launch of an instance to its end, for the cells and duets of the request's plan.

    The least launches of each cell at best, and twice as many, where intervals do not become narrow and the request
    allows it. A cell whose model has no known size counts nothing: `wanted.unknown` names it.
    """
    shapes = {model.name: model.shape for model in request.models}
    most = min(2 * request.launches, request.launches_most)
    seconds = _duet_seconds(host, request, duets)
    for cell in cells:
        shape = shapes[cell["model"]]
        if shape is not None:
            each = launch_seconds(host, shape, cell, request.settings)
            few, many = (kind_of(cell).launches(count) for count in (request.launches, most))
            seconds = seconds.plus(Range(few * each.low, many * each.high))
    measured = seconds.times(1 / 60)
    if request.minutes:
        measured = Range(min(request.minutes, measured.low), min(request.minutes, measured.high))
    return prepare_minutes(host, builds, wanted).plus(measured, _END_MINUTES)
