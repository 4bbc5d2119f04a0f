# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the producers of records put into them, for a type checker: one type per kind of payload.

What must be there stands in a class of its own, because Python 3.8 cannot say it of a single field. Units, bounds and
what a reader refuses are in plugin_utils/store/schema.py; a test holds the two together.
"""

from __future__ import annotations

from typing import Any, Dict, List, Optional, TypedDict

# Of what was sampled; null where a sample is missing.
Series = List[Optional[float]]


class Record(TypedDict):
    """The envelope and its payload."""

    schema: int
    kind: str
    run: str
    time: str
    machine: str
    payload: Dict[str, Any]


class _Cell(TypedDict):
    model: str
    quantization: str
    build: str
    threads: int
    test: str
    n_prompt: int
    n_gen: int
    n_depth: int


class Cell(_Cell, total=False):
    """What is measured. In a plan `threads` is kinds.cell.BY_LADDER where it is left to the ladder of that run."""

    concurrency: int
    chunks: int
    reference: str
    text: str
    rate: float
    load: str
    repack: bool
    numa: str
    variant: str
    purpose: str
    settings: Dict[str, str]


class _Metric(TypedDict):
    value: float
    unit: str


class Metric(_Metric, total=False):
    """A figure of a launch, in the unit that the registry of metrics has for its name."""

    samples: List[float]
    stddev: float


class Slo(TypedDict):
    """What a request may take to count as good, in s."""

    ttft_s: float
    tpot_s: float


class _Price(TypedDict):
    usd_hour: float
    date: str
    source: str
    market: str


class Price(_Price, total=False):
    """What is paid for a host."""

    boot_s: Optional[float]


class Fleet(TypedDict):
    """How many instances of a kind were asked for, how many are enough, and how many there were."""

    asked: int
    enough: int
    there: int


class Imported(TypedDict):
    """The file that a record was imported from."""

    file: str
    sha256: str
    form: str


class TuneAsked(TypedDict, total=False):
    """What a run searches the best configuration for, and the role variables that the file of the best repeats."""

    objectives: Optional[List[str]]
    limit_bytes: Optional[int]
    variables: Optional[Dict[str, Any]]


class _Run(TypedDict):
    cells: List[Cell]
    launches: int
    repetitions: int
    seed: int
    versions: Dict[str, Optional[str]]
    emulated: bool
    command: str


class Run(_Run, total=False):
    """What a run was asked for."""

    launches_most: Optional[int]
    time_limit_s: Optional[float]
    slots: Optional[int]
    slo: Optional[Slo]
    quality_limit_percent: Optional[float]
    quick: Optional[bool]
    price: Optional[Price]
    fleet: Optional[Fleet]
    imported: Optional[List[Imported]]
    environment: Optional[Dict[str, str]]
    tune: Optional[TuneAsked]


class Instance(TypedDict, total=False):
    """What EC2 says of a machine."""

    type: Optional[str]
    id: Optional[str]
    zone: Optional[str]
    image: Optional[str]
    life_cycle: Optional[str]


class Processor(TypedDict, total=False):
    """The row of the catalog of processors that a machine was recognised by."""

    name: Optional[str]
    core: Optional[str]
    title: Optional[str]
    recognised_by: Optional[str]
    march: Optional[str]
    mcpu: Optional[str]
    vector: Optional[str]
    q4_0_layout: Optional[str]
    legacy_type: Optional[str]
    bandwidth_gb_s: Optional[float]


class ControlGroup(TypedDict, total=False):
    """What a control group leaves of a machine."""

    cpus: Optional[float]
    memory_bytes: Optional[int]


class _Thing(TypedDict):
    """What other records refer to by its id, the digest of the rest of it."""

    id: str
    name: str


class Machine(_Thing, total=False):
    """The fingerprint of a machine."""

    architecture: Optional[str]
    cpu_model: Optional[str]
    cpu_implementer: Optional[str]
    cpu_part: Optional[str]
    cpu_vendor: Optional[str]
    cpu_family: Optional[int]
    cpu_model_number: Optional[int]
    cpu_count: Optional[int]
    physical_cores: Optional[int]
    sockets: Optional[int]
    numa_nodes: Optional[int]
    cpu_features: Optional[List[str]]
    sve_bytes: Optional[int]
    byte_order: Optional[str]
    bits: Optional[int]
    caches: Optional[Dict[str, Optional[int]]]
    memory_bytes: Optional[int]
    kernel: Optional[str]
    kernel_parameters: Optional[str]
    os: Optional[str]
    transparent_hugepages: Optional[str]
    aslr: Optional[int]
    governor: Optional[str]
    virtualization: Optional[str]
    boot_time: Optional[str]
    instance: Optional[Instance]
    processor: Optional[Processor]
    emulated: Optional[bool]
    cgroup: Optional[ControlGroup]


class Build(_Thing, total=False):
    """A build of llama.cpp."""

    source: Optional[Dict[str, Optional[str]]]
    way: Optional[str]
    core: Optional[str]
    compiler: Optional[str]
    cmake: Optional[str]
    cmake_arguments: Optional[List[str]]
    compile_flags: Optional[List[str]]
    march: Optional[str]
    warnings: Optional[List[str]]
    system_info: Optional[str]
    cpu_features: Optional[List[str]]
    cpu_features_unused: Optional[List[str]]
    file_types: Optional[List[str]]
    binaries: Optional[Dict[str, str]]
    options: Optional[Dict[str, List[str]]]
    version: Optional[str]
    build_number: Optional[int]
    engine: Optional[str]
    licence: Optional[str]
    provenance: Optional[List[str]]


class TensorsOfType(TypedDict):
    """How many tensors of a file are of a type, and what they take."""

    tensors: int
    bytes: int


class _Model(_Thing):
    quantization: str
    synthetic: Optional[bool]


class Model(_Model, total=False):
    """A model's file. `synthetic` is None where it was imported and the file does not say.

    `tensor_types` is by the name of the type in ggml; `tensors_sha256` is of the tensors alone.
    """

    file: Optional[str]
    sha256: Optional[str]
    bytes: Optional[int]
    parameters: Optional[int]
    source: Optional[str]
    architecture: Optional[str]
    tensor_types: Optional[Dict[str, TensorsOfType]]
    bits_per_weight: Optional[float]
    tensors_sha256: Optional[str]
    widened_from: Optional[str]
    imatrix: Optional[Dict[str, Any]]


class Buffer(TypedDict):
    """Memory that llama.cpp says it has."""

    name: str
    use: str
    bytes: int


class _KernelPath(TypedDict):
    state: str


class KernelPath(_KernelPath, total=False):
    """Whether a launch ran on the kernels that its processor has."""

    expected: Optional[Dict[str, str]]
    why: Optional[str]
    remedy: Optional[str]


class Kernel(TypedDict, total=False):
    """What the log of a launch says of the kernels in use."""

    repack: Optional[Dict[str, int]]
    buffers: Optional[List[Buffer]]
    types: Optional[Dict[str, Dict[str, int]]]
    tensors: Optional[Dict[str, int]]
    path: Optional[KernelPath]


class Validity(TypedDict):
    """Whether a launch was undisturbed: VALID or INVALID, and why."""

    state: str
    reasons: List[str]


class _Request(TypedDict):
    start_s: float
    n_prompt: int
    n_gen: int
    itl_s: List[float]
    ok: bool


class Request(_Request, total=False):
    """One request to a server."""

    ttft_s: Optional[float]
    e2e_s: Optional[float]
    error: Optional[str]
    warmup: Optional[bool]


class _ClusterHost(TypedDict):
    host: str
    threads: int


class ClusterHost(_ClusterHost, total=False):
    """A host of a cluster: its layers, and what it holds of the model, by the log of the measuring host.

    `round_trip_s` and `version`, that of the protocol, are those of a worker's server. Behind a proxy a host has no
    layers, for it has all, and `requests`, how many of the launch it answered.
    """

    layers: Optional[int]
    requests: Optional[int]
    model_bytes: Optional[int]
    kv_bytes: Optional[int]
    compute_bytes: Optional[int]
    machine: Optional[str]
    processor: Optional[str]
    type: Optional[str]
    round_trip_s: Optional[float]
    version: Optional[str]


class _Cluster(TypedDict):
    hosts: List[ClusterHost]


class Cluster(_Cluster, total=False):
    """The hosts of a launch, the measuring one first, and what went over its interface while it was timed.

    `proxy`: the name and version of what shared the requests out, where something did.
    """

    proxy: Optional[str]
    interface: Optional[str]
    bytes: Optional[int]
    packets: Optional[int]
    tokens: Optional[int]
    seconds: Optional[float]


class _Launch(TypedDict):
    cell: Cell
    build: str
    model: str
    machine: str
    number: int
    metrics: Dict[str, Metric]
    validity: Validity


class Launch(_Launch, total=False):
    """One fresh process, and what it has measured."""

    block: Optional[int]
    position: Optional[int]
    argv: Optional[List[str]]
    kernel: Optional[Kernel]
    rows: Optional[List[Dict[str, Any]]]
    gates: Optional[Dict[str, Optional[float]]]
    key: Optional[str]
    requests: Optional[List[Request]]
    slo: Optional[Slo]
    slots: Optional[int]
    context: Optional[int]
    load: Optional[Dict[str, Any]]
    predicted: Optional[Dict[str, Any]]
    imported: Optional[Imported]
    environment: Optional[Dict[str, str]]
    cluster: Optional[Cluster]


class DuetSide(TypedDict):
    """One of the two cells of a duet, with the ids of its build and its model."""

    cell: Cell
    build: str
    model: str


class DuetPart(TypedDict):
    """One process of a round: where it ran, what it printed, and which of its repetitions count.

    Times are seconds since the round began. `tps` is the speed of those that count, `overlap` the share of their time
    in which the other process computed too.
    """

    cpus: List[int]
    start_s: float
    computed_s: List[float]
    argv: List[str]
    metrics: Dict[str, Metric]
    rows: List[Dict[str, Any]]
    used: List[int]
    tps: Optional[float]
    overlap: float


class DuetRound(TypedDict):
    """Both sides at the same moment; `log_ratio` is ln(B/A) of their speeds."""

    a: DuetPart
    b: DuetPart
    overlap: float
    log_ratio: Optional[float]
    gates: Dict[str, Optional[float]]
    validity: Validity


class _Duet(TypedDict):
    a: DuetSide
    b: DuetSide
    machine: str
    number: int
    rounds: List[DuetRound]
    log_ratio: Optional[float]
    validity: Validity


class Duet(_Duet, total=False):
    """A pair of a duet: two rounds that count, in the second of which both sides have changed places, and any lost."""

    environment: Optional[Dict[str, str]]


class _Samples(TypedDict):
    cell: Cell
    number: int
    start: float
    interval_s: float
    time_s: Series


class Samples(_Samples, total=False):
    """What the sampler saw during a launch."""

    block: Optional[int]
    user: Optional[Series]
    system: Optional[Series]
    iowait: Optional[Series]
    steal: Optional[Series]
    idle: Optional[Series]
    context_switches_per_s: Optional[Series]
    mhz: Optional[Series]
    rss_bytes: Optional[Series]
    anon_bytes: Optional[Series]
    file_bytes: Optional[Series]
    cores: Optional[List[Optional[Series]]]


class Rates(TypedDict):
    """How fast a repeated operation was."""

    best: float
    median: float
    samples: Series


class _Bandwidth(TypedDict):
    machine: str
    stage: str
    threads: int
    read_gb_s: Rates
    triad_gb_s: Rates
    bytes: int


class Bandwidth(_Bandwidth, total=False):
    """What a machine's memory and arithmetic can do."""

    fma_gflops: Optional[Rates]
    argv: Optional[List[str]]
    looks_gb_s: Optional[List[float]]
    huge_pages: Optional[bool]


class _Rung(TypedDict):
    threads: int
    mean: float
    n: int


class Rung(_Rung, total=False):
    """The speed at a thread count."""

    low: Optional[float]
    high: Optional[float]
    numa: Optional[str]


class _Advice(TypedDict):
    best: int
    reason: str
    ladder: List[Rung]


class Advice(_Advice, total=False):
    """The thread count to use."""

    collapse: Optional[str]


class _Threads(TypedDict):
    machine: str
    build: str
    model: str
    quantization: str


class Threads(_Threads, total=False):
    """What the thread ladder of a model and a build has come to."""

    prompt: Optional[Advice]
    generation: Optional[Advice]


class _Mean(TypedDict):
    mean: float
    n: int


class Mean(_Mean, total=False):
    """The geometric mean of n launches, or of the ratios within n blocks, with its interval."""

    low: Optional[float]
    high: Optional[float]


class _Tried(TypedDict):
    build: str
    threads: int
    step: str
    fate: str


class Tried(_Tried, total=False):
    """A configuration that a search tried: in which step, its ratio to the best until then, what became of it, why."""

    threads_batch: int
    variant: str
    ratio: Optional[Mean]
    rss_peak_bytes: Optional[int]
    why: Optional[str]


class _Tuned(TypedDict):
    objective: str
    machine: str
    model: str
    cell: Optional[Cell]
    default: Optional[Cell]
    tried: List[Tried]
    ended: str
    launches: int
    seconds: float


class Tuned(_Tuned, total=False):
    """What a search has found: the cell of the best, beside that of the defaults, in the last blocks of both.

    Without a cell there is none, and `why` says so.
    """

    why: Optional[str]
    build: Optional[str]
    argv: Optional[List[str]]
    limit_bytes: Optional[int]
    figure: Optional[Mean]
    default_figure: Optional[Mean]
    ratio: Optional[Mean]
    metrics: Optional[Dict[str, float]]
    default_metrics: Optional[Dict[str, float]]
    blocks: Optional[int]
    disturbed: Optional[int]
    search_s: Optional[float]


class Omitted(TypedDict):
    """A cell that was planned and not measured."""

    cell: Cell
    cause: str
    advice: str


class End(TypedDict):
    """How a run came to its end on a host."""

    state: str
    launches: int


class _Failure(TypedDict):
    phase: str
    cause: str
    advice: str


class Failure(_Failure, total=False):
    """What failed, why, and what to do."""

    cell: Optional[Cell]
    detail: Optional[Dict[str, Any]]
