# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a record is: one type per kind, by which msgspec checks what is read, and the sentence for what does not pass.

A field without a default must be there; one of `... | None = None` is what a machine may not know, absent or null; one
of `... | UnsetType = UNSET` may be absent, not null. Fields that are not named are kept and not looked at. The types
only judge: readers get the plain dictionaries. The producers' side of them is module_utils/record/types.py.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, Literal, TypeVar

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics

try:
    import msgspec
    from msgspec import UNSET, Meta, Struct, UnsetType
except ImportError:
    from ansible_collections.cloudbench.llama.plugins.plugin_utils.store.stand_in import (  # type: ignore[no-redef]
        UNSET,
        Meta,
        Struct,
        UnsetType,
        msgspec,
    )

# msgspec keeps the bounds of an integer in 64 bits.
_LOWEST, _HIGHEST = -(2**63), 2**63 - 1


class Wide(int):
    """An integer whose bounds msgspec cannot hold."""

    low: ClassVar[int]
    high: ClassVar[int]


class Seed(Wide):
    """Of a random generator."""

    low, high = -(2**63), 2**64


class MemoryLimit(Wide):
    """Of a control group, in bytes: one that is not set is shown as nearly 2^63."""

    low, high = 0, 2**63


Time = Annotated[
    str,
    Meta(
        pattern=r"\A(?a:\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-6]\d(\.\d+)?Z)\Z",
        examples=["2026-11-23T15:55:23Z"],
    ),
]

Number = int | float
# A whole number may have more digits than a float holds; what is computed with may not.
Finite = Annotated[float, Meta(ge=-1e300, le=1e300)]
Count = Annotated[int, Meta(ge=0, le=10**15)]
ThreadCount = Annotated[int, Meta(ge=1, le=10**5)]
# In a plan the thread count may be left to the ladder of that very run: kinds.cell.BY_LADDER.
PlannedThreadCount = Annotated[int, Meta(ge=0, le=10**5)]
Tokens = Annotated[int, Meta(ge=0, le=10**9)]
# Launches, and whatever is counted by them.
Times = Annotated[int, Meta(ge=1, le=10**6)]
Bytes = Annotated[int, Meta(ge=1, le=2**60)]
Parameters = Annotated[int, Meta(ge=1, le=10**15)]
# F64 is the widest type of ggml.
BitsPerWeight = Annotated[float, Meta(ge=0, le=64)]
Seconds = Annotated[float, Meta(ge=0, le=1e8)]
QualityLimit = Annotated[float, Meta(ge=1e-6, le=1000)]
# Before or after the moment that they are counted from.
Moment = Annotated[float, Meta(ge=-1e8, le=1e8)]
# Since 1970.
Clock = Annotated[float, Meta(ge=0, le=1e11)]
UpToMillion = Annotated[float, Meta(ge=0, le=1e6)]
Rate = Annotated[float, Meta(ge=1e-6, le=1e6)]
Speed = Annotated[float, Meta(ge=1e-6, le=1e9)]
Throughput = Annotated[float, Meta(ge=1e-3, le=1e6)]
Share = Annotated[float, Meta(ge=0, le=1)]
LogRatio = Annotated[float, Meta(ge=-30, le=30)]
UsdHour = Annotated[float, Meta(ge=0, le=1e4)]
Series = list[Number | None]


class Cell(Struct, kw_only=True, gc=False):
    """What is measured."""

    model: str
    quantization: str
    build: str
    threads: ThreadCount
    test: str
    n_prompt: Tokens
    n_gen: Tokens
    n_depth: Tokens
    concurrency: ThreadCount | UnsetType = UNSET
    chunks: Times | UnsetType = UNSET
    reference: str | UnsetType = UNSET
    text: str | UnsetType = UNSET
    rate: Rate | UnsetType = UNSET
    load: str | UnsetType = UNSET
    repack: bool | UnsetType = UNSET
    numa: str | UnsetType = UNSET
    variant: str | UnsetType = UNSET
    purpose: str | UnsetType = UNSET
    settings: dict[str, str] | UnsetType = UNSET


class PlannedCell(Cell, kw_only=True, gc=False):
    """What is to be measured."""

    threads: PlannedThreadCount


class Slo(Struct, kw_only=True, gc=False):
    """What a request may take to count as good."""

    ttft_s: Seconds
    tpot_s: Seconds


class Price(Struct, kw_only=True, gc=False):
    """What is paid for a host."""

    usd_hour: UsdHour
    date: str
    source: str
    market: str
    boot_s: UpToMillion | None = None


class Fleet(Struct, kw_only=True, gc=False):
    """How many instances of a kind were asked for, how many are enough, and how many there were."""

    asked: Times
    enough: Times
    there: Times


class Imported(Struct, kw_only=True, gc=False):
    """The file that a record was imported from."""

    file: str
    sha256: str
    form: str


class TuneAsked(Struct, kw_only=True, gc=False):
    """What a run searches the best configuration for, and the role variables that the file of the best repeats."""

    objectives: list[str] | None = None
    limit_bytes: Bytes | None = None
    variables: dict[str, Any] | None = None


class Run(Struct, kw_only=True, gc=False):
    """What a run was asked for."""

    cells: list[PlannedCell]
    launches: Times
    repetitions: Times
    seed: Seed
    versions: dict[str, str | None]
    emulated: bool
    command: str
    launches_most: Times | None = None
    time_limit_s: Seconds | None = None
    slots: Count | None = None
    slo: Slo | None = None
    quality_limit_percent: QualityLimit | None = None
    quick: bool | None = None
    price: Price | None = None
    fleet: Fleet | None = None
    imported: list[Imported] | None = None
    environment: dict[str, str] | None = None
    tune: TuneAsked | None = None


class Instance(Struct, kw_only=True, gc=False):
    """What EC2 says of a machine."""

    type: str | None = None
    id: str | None = None
    zone: str | None = None
    image: str | None = None
    life_cycle: str | None = None


class Processor(Struct, kw_only=True, gc=False):
    """The row of the catalog of processors that a machine was recognised by."""

    name: str | None = None
    core: str | None = None
    title: str | None = None
    recognised_by: str | None = None
    march: str | None = None
    mcpu: str | None = None
    vector: str | None = None
    q4_0_layout: str | None = None
    legacy_type: str | None = None
    bandwidth_gb_s: UpToMillion | None = None


class ControlGroup(Struct, kw_only=True, gc=False):
    """What a control group leaves of a machine."""

    cpus: UpToMillion | None = None
    memory_bytes: MemoryLimit | None = None


class Machine(Struct, kw_only=True, gc=False):
    """The fingerprint of a machine."""

    id: str
    name: str
    architecture: str | None = None
    cpu_model: str | None = None
    cpu_implementer: str | None = None
    cpu_part: str | None = None
    cpu_vendor: str | None = None
    cpu_family: Count | None = None
    cpu_model_number: Count | None = None
    cpu_count: Count | None = None
    physical_cores: Count | None = None
    sockets: Count | None = None
    numa_nodes: Count | None = None
    cpu_features: list[str] | None = None
    sve_bytes: Count | None = None
    byte_order: str | None = None
    bits: Count | None = None
    caches: dict[str, Count | None] | None = None
    memory_bytes: Bytes | None = None
    kernel: str | None = None
    kernel_parameters: str | None = None
    os: str | None = None
    transparent_hugepages: str | None = None
    aslr: Count | None = None
    governor: str | None = None
    virtualization: str | None = None
    boot_time: str | None = None
    instance: Instance | None = None
    processor: Processor | None = None
    emulated: bool | None = None
    cgroup: ControlGroup | None = None


class Build(Struct, kw_only=True, gc=False):
    """A build of llama.cpp."""

    id: str
    name: str
    source: dict[str, str | None] | None = None
    way: str | None = None
    core: str | None = None
    compiler: str | None = None
    cmake: str | None = None
    cmake_arguments: list[str] | None = None
    compile_flags: list[str] | None = None
    march: str | None = None
    warnings: list[str] | None = None
    system_info: str | None = None
    cpu_features: list[str] | None = None
    cpu_features_unused: list[str] | None = None
    file_types: list[str] | None = None
    binaries: dict[str, str] | None = None
    options: dict[str, list[str]] | None = None
    version: str | None = None
    build_number: Count | None = None
    engine: str | None = None
    licence: str | None = None
    provenance: list[str] | None = None


class TensorsOfType(Struct, kw_only=True, gc=False):
    """How many tensors of a file are of a type, and what they take."""

    tensors: Count
    bytes: Bytes


class Model(Struct, kw_only=True, gc=False):
    """A model's file. `synthetic` is null where it was imported and the file does not say."""

    id: str
    name: str
    quantization: str
    synthetic: bool | None
    file: str | None = None
    sha256: str | None = None
    bytes: Bytes | None = None
    parameters: Parameters | None = None
    source: str | None = None
    architecture: str | None = None
    tensor_types: dict[str, TensorsOfType] | None = None
    bits_per_weight: BitsPerWeight | None = None
    tensors_sha256: str | None = None
    widened_from: str | None = None
    imatrix: dict[str, Any] | None = None


class Metric(Struct, kw_only=True, gc=False):
    """A figure of a launch under a name that the registry need not know."""

    value: Number
    unit: str
    samples: list[Number] | UnsetType = UNSET
    stddev: Number | UnsetType = UNSET


def _within(row: metrics.Metric) -> Any:
    """Return the type of what a metric can be. A float knows no 2^60 + 1, so integers have their own bounds."""
    low, high = max(math.ceil(row.low), _LOWEST), min(math.floor(row.high), _HIGHEST)
    return Annotated[int, Meta(ge=low, le=high)] | Annotated[float, Meta(ge=float(row.low), le=float(row.high))]


def _of_registry() -> tuple[Any, Any]:
    """Return the types of what a launch has measured and of what its gates have seen, by the registry of metrics."""
    held: list[tuple[str, Any, Any]] = []
    seen: list[tuple[str, Any, Any]] = []
    for name, row in metrics.REGISTRY.items():
        number: Any = _within(row)
        unit: Any = Literal[row.unit]
        samples: Any = list[number]
        entry: Any = msgspec.defstruct(
            name,
            [
                ("value", number),
                ("unit", unit),
                ("samples", samples | UnsetType, UNSET),
                ("stddev", Number | UnsetType, UNSET),
            ],
            gc=False,
        )
        held.append((name, entry | UnsetType, UNSET))
        seen.append((name, number | None, None))
    return msgspec.defstruct("Metrics", held, gc=False), msgspec.defstruct("Gates", seen, gc=False)


if TYPE_CHECKING:
    # Those of the registry are made while the program runs.
    Metrics = dict[str, Metric]
    Gates = dict[str, Number | None]
else:
    Metrics, Gates = _of_registry()


class Buffer(Struct, kw_only=True, gc=False):
    """Memory that llama.cpp says it has."""

    name: str
    use: str
    bytes: Count


class KernelPath(Struct, kw_only=True, gc=False):
    """Whether a launch ran on the kernels that its processor has."""

    state: str
    expected: dict[str, str] | None = None
    why: str | None = None
    remedy: str | None = None


class Kernel(Struct, kw_only=True, gc=False):
    """What the log of a launch says of the kernels in use."""

    repack: dict[str, Count] | None = None
    buffers: list[Buffer] | None = None
    types: dict[str, dict[str, Count]] | None = None
    tensors: dict[str, Count] | None = None
    path: KernelPath | None = None


class Validity(Struct, kw_only=True, gc=False):
    """Whether a launch was undisturbed."""

    state: Literal["VALID", "INVALID"]
    reasons: list[str]


class Request(Struct, kw_only=True, gc=False):
    """One request to a server."""

    start_s: Moment
    n_prompt: Count
    n_gen: Count
    itl_s: list[Seconds]
    ok: bool
    ttft_s: Seconds | None = None
    e2e_s: Seconds | None = None
    error: str | None = None
    warmup: bool | None = None


class ClusterHost(Struct, kw_only=True, gc=False):
    """A host of a cluster, and what it holds of the model."""

    host: str
    threads: ThreadCount
    layers: Count | None = None
    requests: Count | None = None
    model_bytes: Count | None = None
    kv_bytes: Count | None = None
    compute_bytes: Count | None = None
    machine: str | None = None
    processor: str | None = None
    type: str | None = None
    round_trip_s: Seconds | None = None
    version: str | None = None


class Cluster(Struct, kw_only=True, gc=False):
    """The hosts of a launch, and what went over the interface of the measuring one."""

    hosts: list[ClusterHost]
    proxy: str | None = None
    interface: str | None = None
    bytes: Count | None = None
    packets: Count | None = None
    tokens: Tokens | None = None
    seconds: Seconds | None = None


class Launch(Struct, kw_only=True, gc=False):
    """One fresh process, and what it has measured."""

    cell: Cell
    build: str
    model: str
    machine: str
    number: Times
    metrics: Metrics
    validity: Validity
    block: Count | None = None
    position: Count | None = None
    argv: list[str] | None = None
    kernel: Kernel | None = None
    rows: list[dict[str, Any]] | None = None
    gates: Gates | None = None
    key: str | None = None
    requests: list[Request] | None = None
    slo: Slo | None = None
    slots: Count | None = None
    context: Count | None = None
    load: dict[str, Any] | None = None
    predicted: dict[str, Any] | None = None
    imported: Imported | None = None
    environment: dict[str, str] | None = None
    cluster: Cluster | None = None


class DuetSide(Struct, kw_only=True, gc=False):
    """One of the two cells of a duet."""

    cell: Cell
    build: str
    model: str


class DuetPart(Struct, kw_only=True, gc=False):
    """One process of a round: where it ran, what it printed, and which of its repetitions count."""

    cpus: list[Count]
    start_s: Moment
    computed_s: list[Moment]
    argv: list[str]
    metrics: Metrics
    rows: list[dict[str, Any]]
    used: list[Count]
    tps: Speed | None
    overlap: Share


class DuetRound(Struct, kw_only=True, gc=False):
    """Both sides at the same moment."""

    a: DuetPart
    b: DuetPart
    overlap: Share
    log_ratio: LogRatio | None
    gates: Gates
    validity: Validity


class Duet(Struct, kw_only=True, gc=False):
    """A pair of a duet: two rounds that count, in the second of which both sides have changed places, and any lost."""

    a: DuetSide
    b: DuetSide
    machine: str
    number: Times
    rounds: list[DuetRound]
    log_ratio: LogRatio | None
    validity: Validity
    environment: dict[str, str] | None = None


class Samples(Struct, kw_only=True, gc=False):
    """What the sampler saw during a launch."""

    cell: Cell
    number: Times
    start: Clock
    interval_s: UpToMillion
    time_s: Series
    block: Count | None = None
    user: Series | None = None
    system: Series | None = None
    iowait: Series | None = None
    steal: Series | None = None
    idle: Series | None = None
    context_switches_per_s: Series | None = None
    mhz: Series | None = None
    rss_bytes: Series | None = None
    anon_bytes: Series | None = None
    file_bytes: Series | None = None
    cores: list[Series | None] | None = None


class Rates(Struct, kw_only=True, gc=False):
    """How fast a repeated operation was."""

    best: Throughput
    median: Throughput
    samples: Series


class Bandwidth(Struct, kw_only=True, gc=False):
    """What a machine's memory and arithmetic can do."""

    machine: str
    stage: str
    threads: ThreadCount
    read_gb_s: Rates
    triad_gb_s: Rates
    bytes: Count
    fma_gflops: Rates | None = None
    argv: list[str] | None = None
    looks_gb_s: list[Throughput] | None = None
    huge_pages: bool | None = None


class Rung(Struct, kw_only=True, gc=False):
    """The speed at a thread count."""

    threads: ThreadCount
    mean: Speed
    n: Times
    low: Finite | None = None
    high: Finite | None = None
    numa: str | None = None


class Advice(Struct, kw_only=True, gc=False):
    """The thread count to use."""

    best: ThreadCount
    reason: str
    ladder: list[Rung]
    collapse: str | None = None


class Threads(Struct, kw_only=True, gc=False):
    """What the thread ladder of a model and a build has come to."""

    machine: str
    build: str
    model: str
    quantization: str
    prompt: Advice | None = None
    generation: Advice | None = None


class Mean(Struct, kw_only=True, gc=False):
    """The geometric mean of n launches, or of the ratios within n blocks, with its interval."""

    mean: Speed
    n: Times
    low: Finite | None = None
    high: Finite | None = None


class Tried(Struct, kw_only=True, gc=False):
    """A configuration that a search tried."""

    build: str
    threads: ThreadCount
    step: str
    fate: str
    threads_batch: ThreadCount | UnsetType = UNSET
    variant: str | UnsetType = UNSET
    ratio: Mean | None = None
    rss_peak_bytes: Bytes | None = None
    why: str | None = None


class Tuned(Struct, kw_only=True, gc=False):
    """What a search has found."""

    objective: str
    machine: str
    model: str
    cell: Cell | None
    default: Cell | None
    tried: list[Tried]
    ended: str
    launches: Count
    seconds: Seconds
    why: str | None = None
    build: str | None = None
    argv: list[str] | None = None
    limit_bytes: Bytes | None = None
    figure: Mean | None = None
    default_figure: Mean | None = None
    ratio: Mean | None = None
    metrics: dict[str, Finite] | None = None
    default_metrics: dict[str, Finite] | None = None
    blocks: Count | None = None
    disturbed: Count | None = None
    search_s: Seconds | None = None


class Omitted(Struct, kw_only=True, gc=False):
    """A cell that was planned and not measured."""

    cell: PlannedCell
    cause: str
    advice: str


class End(Struct, kw_only=True, gc=False):
    """How a run came to its end on a host."""

    state: str
    launches: Count


class Failure(Struct, kw_only=True, gc=False):
    """What failed, why, and what to do."""

    phase: str
    cause: str
    advice: str
    cell: PlannedCell | None = None
    detail: dict[str, Any] | None = None


# The payload of each kind of record.
KINDS: dict[str, type[Struct]] = {
    "run": Run,
    "machine": Machine,
    "build": Build,
    "model": Model,
    "launch": Launch,
    "duet": Duet,
    "samples": Samples,
    "bandwidth": Bandwidth,
    "threads": Threads,
    "tuned": Tuned,
    "omitted": Omitted,
    "end": End,
    "failure": Failure,
}

_Payload = TypeVar("_Payload")


class Record(Struct, Generic[_Payload], kw_only=True, gc=False):
    """A record of the newest schema."""

    kind: str
    run: str
    time: Time
    machine: str
    payload: _Payload


class _Foreign(Struct, kw_only=True, gc=False):
    """What a launch holds under names that the registry does not know."""

    metrics: dict[str, Metric]
    gates: dict[str, Number | None]


def _record_of(payload: Any) -> Any:
    """Return the type of a record with such a payload. Which one is known while the program runs."""
    generic: Any = Record
    return generic[payload]


_ANY = _record_of(dict[str, Any])
_RECORDS = {kind: _record_of(payload) for kind, payload in KINDS.items()}
_FOREIGN = _record_of(_Foreign)


def parse(line: bytes) -> Any:
    r"""Return what a line of JSON holds. Raises ValueError, also for 1e999 and "\ud800", which Python reads."""
    try:
        return msgspec.json.decode(line)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(f"{error}") from error


def refusal(record: dict[str, Any]) -> str | None:
    """Return why `record`, JSON of the newest schema, cannot be shown as a result; None when it can be."""
    kind = record.get("kind")
    wanted = _RECORDS.get(kind, _ANY) if isinstance(kind, str) else _ANY
    reason = _refusal(record, wanted)
    if reason:
        return reason
    if wanted is _ANY:
        return f"the kind {kind!r:.40} is unknown: the kinds are {', '.join(sorted(KINDS))}"
    if kind == "tuned" and record["payload"]["cell"] and not record["payload"]["default"]:
        return "tuned.default is missing, which tuned.cell was compared with"
    return _launch_refusal(record) if kind == "launch" else None


def _launch_refusal(record: dict[str, Any]) -> str | None:
    """A launch must hold what stands for its cell."""
    launch = record["payload"]
    held, seen = launch["metrics"], launch.get("gates") or {}
    headline = registry.headline(launch["cell"])
    if headline not in held:
        return f"launch.metrics has no {headline}"
    if held.keys() | seen.keys() <= metrics.REGISTRY.keys():
        return None
    foreign = {
        name: {key: value for key, value in part.items() if key not in metrics.REGISTRY}
        for name, part in (("metrics", held), ("gates", seen))
    }
    return _refusal({**record, "payload": foreign}, _FOREIGN)


def _refusal(record: dict[str, Any], wanted: Any) -> str | None:
    try:
        said = _said(record, wanted)
    except UnicodeEncodeError:
        # JSON may escape half a surrogate pair, which is no name of a field.
        record = encodable(record)
        said = _said(record, wanted)
    return None if said is None else _sentence(record, wanted, said)


def _said(record: dict[str, Any], wanted: Any) -> str | None:
    """Return what msgspec says against a record, None for nothing."""
    try:
        msgspec.convert(record, wanted, dec_hook=_wide)
    except msgspec.ValidationError as error:
        return str(error)
    return None


def _wide(wanted: type[Wide], value: Any) -> Wide:
    if isinstance(value, bool) or not isinstance(value, int) or not wanted.low <= value <= wanted.high:
        raise ValueError("it is none")
    return wanted(value)


def encodable(value: Any) -> Any:
    """Return a value of JSON with what UTF-8 cannot say, half of a surrogate pair, written as an escape."""
    if isinstance(value, dict):
        return {encodable(key): encodable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [encodable(item) for item in value]
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


_BELONGS: dict[type[msgspec.inspect.Type], str] = {
    msgspec.inspect.StrType: "text",
    msgspec.inspect.IntType: "an integer",
    msgspec.inspect.CustomType: "an integer",
    msgspec.inspect.FloatType: "a number",
    msgspec.inspect.BoolType: "true or false",
    msgspec.inspect.ListType: "a list",
    msgspec.inspect.DictType: "an object",
    msgspec.inspect.StructType: "an object",
}

_type_info = cache(msgspec.inspect.type_info)


def _sentence(record: dict[str, Any], wanted: Any, said: str) -> str:
    """Return what is wrong with a record that msgspec has `said` something against: the field, its value, the rule.

    msgspec names the place, but not the key of a map in it, nor the value, nor both bounds: these are looked up.
    """
    what, _at, place = said.rpartition(" - at `")
    steps: list[str | int] = []
    node: Any = _type_info(wanted)
    value: Any = record
    for field, index in re.findall(r"\.(\w+)|\[(\d+|\.\.\.)\]", place):
        node = _plain(node)
        if field:
            step: str | int = field
            node = next(held.type for held in node.fields if held.name == field)
        elif index == "...":
            step = _key(record, wanted, said, steps, value)
            node = node.value_type
        else:
            step = int(index)
            node = node.item_type
        steps.append(step)
        value = value[step]
    where = _where(record, steps)
    missing = re.fullmatch(r"Object missing required field `(\w+)`", what or said)
    if missing:
        return f"the field {_where(record, [*steps, missing[1]])} is missing"
    if len(steps) > 2 and steps[1] in ("metrics", "gates") and _is_number(value):
        trouble = metrics.trouble(str(steps[2]), value) if steps[2] in metrics.REGISTRY else None
        if trouble:
            return f"{record['kind']}.{steps[1]}.{trouble}"
    return f"{where} is {value!r:.40}{_rule(node, value)}"


def _where(record: dict[str, Any], steps: Sequence[str | int]) -> str:
    kind, inner = (record["kind"], steps[1:]) if len(steps) > 1 else ("record", steps)
    return kind + "".join(f"[{step}]" if isinstance(step, int) else f".{step:.60}" for step in inner)


def _key(record: dict[str, Any], wanted: Any, said: str, steps: Sequence[str | int], held: dict[str, Any]) -> str:
    """Return the key in the map `held`, at `steps` of a record, against which msgspec has `said` something."""
    return next(key for key in held if _said(_replaced(record, steps, {key: held[key]}), wanted) == said)


def _replaced(value: Any, steps: Sequence[str | int], new: Any) -> Any:
    if not steps:
        return new
    changed = value.copy()
    changed[steps[0]] = _replaced(value[steps[0]], steps[1:], new)
    return changed


def _plain(node: Any) -> Any:
    """Return the type within one that may be null, or one that has examples; of two for numbers the wider."""
    if isinstance(node, msgspec.inspect.Metadata):
        return _plain(node.type)
    if isinstance(node, msgspec.inspect.UnionType):
        return _plain(next(held for held in reversed(node.types) if not isinstance(held, msgspec.inspect.NoneType)))
    return node


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _rule(node: Any, value: Any) -> str:
    """Return what a value should have been, as the end of a sentence."""
    if isinstance(node, msgspec.inspect.Metadata) and node.extra_json_schema and isinstance(value, str):
        return f", not of the form {node.extra_json_schema['examples'][0]}"
    node = _plain(node)
    if isinstance(node, msgspec.inspect.LiteralType):
        *others, last = map(str, node.values)
        return f", neither {', '.join(others)} nor {last}" if others else f", not {last!r}"
    whole = _is_number(value) and isinstance(value, int)
    if whole and isinstance(node, msgspec.inspect.CustomType) and issubclass(node.cls, Wide):
        return f", outside {node.cls.low:g} to {node.cls.high:g}"
    if (whole and isinstance(node, msgspec.inspect.IntType)) or (
        _is_number(value) and isinstance(node, msgspec.inspect.FloatType)
    ):
        return f", outside {node.ge:g} to {node.le:g}"
    return f" where {_BELONGS[type(node)]} belongs"
