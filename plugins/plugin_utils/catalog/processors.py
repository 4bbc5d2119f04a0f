# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalog of processors: which core an EC2 instance type or a machine has, and what to compile for it.

The one reader of processors.yml, which says where each row comes from.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.module_utils.probe.machine import slug
from ansible_collections.cloudbench.llama.plugins.module_utils.record.words import nearest
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import yaml_file

COMPILERS = ("gcc", "clang")

_FILE = Path(__file__).with_suffix(".yml")
_RULED = {"medium": 1, "large": 2, "xlarge": 4}

# The options of llama.cpp that choose x86 instructions (ggml/CMakeLists.txt), without their prefix GGML_.
_X86_ALWAYS = ("SSE42", "AVX")
_X86_BY_FLAG = ("AVX2", "BMI2", "FMA", "F16C")
_X86_MORE = ("AVX_VNNI", "AVX512", "AVX512_VBMI", "AVX512_VNNI", "AVX512_BF16", "AMX_TILE", "AMX_INT8", "AMX_BF16")

# 64-bit architectures that are big-endian even where nothing else says so; a GGUF file is little-endian.
_BIG_ENDIAN = ("aarch64_be", "ppc64", "s390x", "mips64", "sparc64", "parisc64")
_32_BIT = re.compile(r"arm(v[1-8].*)?|i[3-6]86|ppc|s390|mips|riscv32|sparc|parisc")


class CatalogError(ValueError):
    """Something that the catalog does not have; the message names it, the rule and the remedy."""


class Build(NamedTuple):
    """Flags and the lowest major version of each compiler that takes them; `loss`: against the row before it.

    `layout` is what Q4_0 becomes at run time, None where it stays as it is, `options` what CMake sets on x86 (without
    GGML_).
    """

    march: str
    gcc: int
    clang: int
    layout: str | None
    loss: str = ""
    options: tuple[str, ...] = ()


class Core(NamedTuple):
    """A core and how it is told; Arm has implementer and part, x86 flags and perhaps vendor, family and models.

    `also` are flags that do not tell it.

    `mcpu` is for -mcpu on Arm and -march on x86, for a whole tree. `legacy_type`: the file type that llama.cpp had for
    it before b4282.
    """

    name: str
    title: str
    architecture: str
    vector: str
    legacy_type: str | None
    mcpu: str
    mcpu_gcc: int
    mcpu_clang: int
    builds: tuple[Build, ...]
    implementer: str | None = None
    part: str | None = None
    vendor: str | None = None
    family: int | None = None
    models: tuple[int, ...] = ()
    flags: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


class Processor(NamedTuple):
    """A processor of EC2. What is not published is None; `bandwidth_gb_s` is of one socket, in theory.

    `core` is None where its hosts differ, and then `architecture` is given. `or_core`: what some of its hosts have
    instead of `core`, with more flags.
    """

    name: str
    title: str
    prefix: str
    core: str | None
    threads_per_core: int
    source: str
    vcpus_per_socket: int | None = None
    bandwidth_gb_s: float | None = None
    bandwidth_source: str | None = None
    or_core: str | None = None
    architecture: str = ""


class InstanceType(NamedTuple):
    """An instance type; `processor` and `core` are names. What is not known is None.

    `bandwidth_gb_s` is the theoretical bandwidth, GB/s, of all sockets that the type reaches; a part of a socket may
    use the whole of it as long as its neighbours do not. `memory_gib` is what EC2 says that the type has.
    """

    name: str
    family: str
    processor: str
    core: str | None
    architecture: str
    vcpus: int
    physical_cores: int
    numa_nodes: int | None
    bandwidth_gb_s: float | None
    memory_gib: float | None


class Flags(NamedTuple):
    """What a compiler is told: -march, the layout that Q4_0 gets, the CMake options of x86.

    With flags below the best `warning` says what is lost, or `remark` that nothing is.
    """

    march: str
    warning: str | None
    layout: str | None
    options: dict[str, bool]
    remark: str | None = None


class _Size(NamedTuple):
    vcpus: int
    # None: those of its vCPUs, by the threads of a core.
    cores: int | None
    numa_nodes: int | None


class _Catalog(NamedTuple):
    cores: dict[str, Core]
    processors: dict[str, Processor]
    # Family -> processor and sizes.
    families: dict[str, tuple[str, dict[str, _Size]]]
    # GiB: of a vCPU by family, and of types that are not so.
    memory: dict[str, float]
    memory_of_types: dict[str, float]


def _sizes(words: str) -> dict[str, _Size]:
    """Return the sizes of a line of the file, by its rules."""
    names, _unseen, _nothing = words.partition(" unseen")
    sizes = {}
    for word in names.split():
        size, _colon, nodes = word.partition(":")
        name, _equals, given = size.partition("=")
        vcpus, _slash, cores = given.partition("/")
        ruled = re.fullmatch(r"(?:metal-)?([0-9]+)xl(?:arge)?", name)
        count = int(vcpus) if vcpus else 4 * int(ruled.group(1)) if ruled else _RULED[name]
        unknown = nodes == "?" or names != words
        sizes[name] = _Size(count, int(cores) if cores else None, None if unknown else int(nodes or 1))
    return sizes


def _frozen(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}


def parse(data: Mapping[str, Any]) -> _Catalog:
    """Return the catalog of what the file holds."""
    cores = {}
    for name, row in data["cores"].items():
        builds = [Build(**_frozen(build)) for build in row["builds"]]
        cores[name] = Core(name=name, **_frozen({**row, "builds": builds}))
    processors = {}
    families = {}
    for name, row in data["processors"].items():
        for several, sizes in row["families"].items():
            for family in several.split():
                families[family] = (name, _sizes(sizes))
        said = {key: value for key, value in row.items() if key != "families"}
        processors[name] = Processor(name=name, **{**said, "source": data["sources"][row["source"]]})
    memory = {
        family: float(each) for each, several in data["memory"]["each_vcpu"].items() for family in several.split()
    }
    types = (word.split("=") for word in data["memory"]["types"].split())
    return _Catalog(cores, processors, families, memory, {name: float(size) for name, size in types})


@functools.lru_cache(maxsize=1)
def _catalog() -> _Catalog:
    return yaml_file.read(_FILE, parse)


def names() -> list[str]:
    """Return the names of all cores, in the order in which they are looked for."""
    return list(_catalog().cores)


def instance_types() -> list[str]:
    """Return the names of all instance types of the catalog."""
    return [f"{family}.{size}" for family, (_processor, sizes) in _catalog().families.items() for size in sizes]


def core(name: str) -> Core:
    """Return a core by its name. Raises CatalogError."""
    cores = _catalog().cores
    if name not in cores:
        raise CatalogError(f"the catalog has no core {name!r:.100}{nearest(name, cores)}; it has {', '.join(cores)}")
    return cores[name]


def processor(name: str) -> Processor:
    """Return a processor of EC2 by its name, such as Graviton3. Raises CatalogError."""
    known = _catalog().processors
    if name not in known:
        near = nearest(name, known)
        raise CatalogError(f"the catalog has no processor {name!r:.100}{near}; it has {', '.join(known)}")
    return known[name]


def instance_type(name: str) -> InstanceType:
    """Return what an instance type of EC2 is. Raises CatalogError, which names the nearest and what is covered."""
    catalog = _catalog()
    families = catalog.families
    family, _dot, size = str(name).partition(".")
    if family not in families:
        raise CatalogError(
            f"the instance type {name!r:.100} is not in the catalog{nearest(name, instance_types())}; the families it "
            f"covers: {', '.join(sorted(families))}"
        )
    processor_name, sizes = families[family]
    if size not in sizes:
        raise CatalogError(
            f"the instance type {name!r:.100} is not in the catalog: the family {family} has "
            f"{', '.join(f'{family}.{offered}' for offered in sizes)}"
        )
    row = processor(processor_name)
    vcpus, cores, nodes = sizes[size]
    sockets = -(-vcpus // row.vcpus_per_socket) if row.vcpus_per_socket else 1
    return InstanceType(
        name,
        family,
        processor_name,
        row.core,
        core(row.core).architecture if row.core else row.architecture,
        vcpus,
        cores or vcpus // row.threads_per_core,
        nodes,
        row.bandwidth_gb_s and round(row.bandwidth_gb_s * sockets, 1),
        catalog.memory_of_types.get(name, catalog.memory[family] * vcpus if family in catalog.memory else None),
    )


def type_of(machine: Mapping[str, Any]) -> InstanceType | None:
    """Return the instance type of `machine`, the payload of its record; None of none, or one that is not listed."""
    name = (machine.get("instance") or {}).get("type")
    try:
        return instance_type(name) if name else None
    except CatalogError:
        return None


def check_architecture(machine: Mapping[str, Any]) -> None:
    """Raise CatalogError when nothing can be built for `machine`, the payload of its record: 32 bits or big-endian.

    64-bit little-endian machines other than Arm and x86 pass: they are built native, without an expectation.
    """
    architecture = str(machine.get("architecture") or "")
    who = f"{machine.get('name') or 'the machine'} ({architecture or 'unknown architecture'})"
    remedy = "measure a 64-bit little-endian host: aarch64 and x86_64 are what llama.cpp has its fast kernels for"
    if machine.get("bits") == 32 or _32_BIT.fullmatch(architecture):
        raise CatalogError(
            f"{who} runs 32-bit programs, and a model does not fit into 32 bits of address space: {remedy}; where the "
            "processor has 64 bits, install a 64-bit system and Python"
        )
    if machine.get("byte_order") == "big" or architecture in _BIG_ENDIAN:
        raise CatalogError(f"{who} is big-endian, and the models made here are little-endian GGUF files: {remedy}")


def _could_be(candidate: Core, machine: Mapping[str, Any]) -> bool:
    """Say whether nothing that the machine tells of itself speaks against a core. What it does not tell does not."""
    if machine.get("architecture") not in (None, candidate.architecture):
        return False
    if candidate.architecture == "aarch64":
        told = (machine.get("cpu_implementer"), machine.get("cpu_part"))
        return None in told or told == (candidate.implementer, candidate.part)
    features = machine.get("cpu_features")
    return not features or set(candidate.flags) <= set(features)


def _by_type(listed: InstanceType, machine: Mapping[str, Any]) -> tuple[Core, str] | None:
    """Return the core of a type and how it was told, None when its hosts differ or the machine contradicts."""
    row = processor(listed.processor)
    if row.core is None:
        return None
    plain, told = core(row.core), f"instance type {listed.name}"
    if row.or_core and machine.get("cpu_features"):
        other = core(row.or_core)
        if _could_be(other, machine):
            more = [flag for flag in other.flags if flag not in plain.flags]
            return other, f"{told}, flags {', '.join(more)}"
    return (plain, told) if _could_be(plain, machine) else None


def _by_cpuinfo(machine: Mapping[str, Any]) -> tuple[Core, str] | None:
    for candidate in _catalog().cores.values():
        if machine.get("architecture") != candidate.architecture or not _could_be(candidate, machine):
            continue
        if candidate.architecture == "aarch64":
            if machine.get("cpu_implementer") and machine.get("cpu_part"):
                return candidate, f"implementer {candidate.implementer}, part {candidate.part}"
        elif machine.get("cpu_features"):
            if candidate.vendor is None:
                return candidate, f"flags {', '.join(candidate.flags)}"
            told = (machine.get("cpu_vendor"), machine.get("cpu_family"))
            if told == (candidate.vendor, candidate.family) and machine.get("cpu_model_number") in candidate.models:
                model = machine["cpu_model_number"]
                return candidate, f"vendor {candidate.vendor}, family {candidate.family}, model {model}"
    return None


def recognise(machine: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what the catalog knows of the processor of `machine`, the payload of its record; None when nothing.

    By the instance type, unless the machine is emulated or contradicts it; else by what /proc/cpuinfo says. The result
    is JSON: name (the processor of EC2, None when no instance type told it), core, title, recognised_by (in words),
    march, mcpu, vector, q4_0_layout, legacy_type and bandwidth_gb_s (of the whole instance, None where not published).
    The flags are those for a new enough compiler: flags() knows the others.
    """
    kind = None if machine.get("emulated") else (machine.get("instance") or {}).get("type")
    doubt = ""
    listed = None
    if kind:
        try:
            listed = instance_type(kind)
        except CatalogError:
            doubt = f" (the instance type {kind} is not in the catalog)"
        else:
            seen = _by_type(listed, machine)
            if seen:
                return _recognised(*seen, listed)
            doubt = f" (not what the catalog has for the instance type {kind})"
            if listed.core is None:
                doubt = f" (hosts of {kind} differ)"
            # A hypervisor may hide flags of an x86; another core of Arm is another processor.
            listed = listed if listed.architecture == machine.get("architecture") == "x86_64" else None
    seen = _by_cpuinfo(machine)
    return _recognised(seen[0], seen[1] + doubt, listed) if seen else None


def _recognised(target: Core, told: str, listed: InstanceType | None) -> dict[str, Any]:
    best = target.builds[0]
    return {
        "name": listed.processor if listed else None,
        "core": target.name,
        "title": target.title,
        "recognised_by": told,
        "march": best.march,
        "mcpu": target.mcpu,
        "vector": target.vector,
        "q4_0_layout": best.layout,
        "legacy_type": target.legacy_type,
        "bandwidth_gb_s": listed.bandwidth_gb_s if listed else None,
    }


def machine_name(machine: Mapping[str, Any]) -> str | None:
    """Return the name under which results of an instance or of an emulated host are kept, None for any other machine.

    `gv3-c7g-16xlarge`, `x86-c7i-16xlarge`, `emulated-neoverse-v1`; an instance of a family that the catalog does not
    have is `arm-...` or `x86-...`. `machine` is the payload of its record, with `processor`.
    """
    if machine.get("emulated"):
        known = machine.get("processor") or recognise(machine) or {}
        told = known.get("core") or f"{machine.get('architecture') or ''} {machine.get('cpu_part') or ''}"
        return "emulated-" + (slug(told) or "unknown")
    kind = (machine.get("instance") or {}).get("type")
    if not kind:
        return None
    try:
        prefix = processor(instance_type(kind).processor).prefix
    except CatalogError:
        prefix = {"aarch64": "arm", "x86_64": "x86"}.get(str(machine.get("architecture")), "ec2")
    return f"{prefix}-{slug(kind)}"


def _floor(compiler: str, gcc: int, clang: int) -> int:
    if compiler not in COMPILERS:
        raise CatalogError(f"the catalog knows nothing of the compiler {compiler!r:.100}: use {' or '.join(COMPILERS)}")
    return gcc if compiler == "gcc" else clang


def _chosen(target: Core, compiler: str, major: int | None) -> int:
    """Return the index of the first row of `builds` that a compiler knows; `major` None is one that knows all."""
    for index, build in enumerate(target.builds):
        if _floor(compiler, build.gcc, build.clang) <= (major if major is not None else 10**6):
            return index
    last = target.builds[-1]
    raise CatalogError(
        f"{compiler} {major} is below the floor for {target.title}: -march={last.march}, the plainest of use, needs "
        f"gcc {last.gcc} or clang {last.clang}; install a newer compiler, or compile on another machine"
    )


def _losses(target: Core, index: int) -> list[str]:
    """Return what a core loses by a row of its builds; empty when that is nothing."""
    return [build.loss for build in target.builds[1 : index + 1] if not build.loss.startswith("nothing")]


def _options(target: Core, build: Build) -> dict[str, bool]:
    return {
        **{f"GGML_{name}": True for name in _X86_ALWAYS},
        **{f"GGML_{name}": name.lower() in target.flags for name in _X86_BY_FLAG},
        **{f"GGML_{name}": name in build.options for name in _X86_MORE},
    }


def flags(core_name: str, compiler: str, major: int | None) -> Flags:
    """Return the best flags for a core that `compiler` (gcc or clang) of version `major` knows; None: a new enough one.

    The warning, when there is one, names the compiler, what would do better and what is lost. `options` is empty for
    Arm. Raises CatalogError for an unknown core or compiler, and for one that is too old for every row.
    """
    target = core(core_name)
    index = _chosen(target, compiler, major)
    build, best = target.builds[index], target.builds[0]
    words, losses = None, _losses(target, index)
    if index:
        words = (
            f"{compiler} {major} is too old for -march={best.march}, which is right for {target.title} and needs gcc "
            f"{best.gcc} or clang {best.clang}; -march={build.march} stands in for it. What is lost: "
            f"{'; '.join(losses) or build.loss}"
        )
    options = _options(target, build) if target.architecture == "x86_64" else {}
    return Flags(build.march, words if losses else None, build.layout, options, None if losses else words)


def mcpu(core_name: str, compiler: str, major: int | None) -> str:
    """Return the value for -mcpu (Arm) or -march (x86) that tunes a whole tree for a core. Raises CatalogError.

    A compiler may take the name earlier and then leave i8mm out; the floor is where it turns on all that `march` does.
    """
    target = core(core_name)
    if major is not None and major < _floor(compiler, target.mcpu_gcc, target.mcpu_clang):
        option = "-mcpu" if target.architecture == "aarch64" else "-march"
        raise CatalogError(
            f"{compiler} {major} does not know {option}={target.mcpu}, or not all that {target.title} has: that needs "
            f"gcc {target.mcpu_gcc} or clang {target.mcpu_clang}; install a newer compiler, or take "
            f"-march={flags(core_name, compiler, major).march}"
        )
    return target.mcpu


def cross_options(core_name: str, compiler: str = "gcc", major: int | None = None) -> dict[str, bool]:
    """Return the CMake options that build llama.cpp for an x86 core on another machine, each one named, on or off.

    Raises CatalogError for an Arm core, whose instructions -march chooses, and as flags() does.
    """
    target = core(core_name)
    if target.architecture != "x86_64":
        raise CatalogError(
            f"llama.cpp has no CMake options for the instructions of {target.title}: give GGML_CPU_ARM_ARCH the -march "
            "of this core"
        )
    return {"GGML_NATIVE": False, **flags(core_name, compiler, major).options}


def _layout_words(layout: str | None) -> str:
    if layout is None:
        return "llama.cpp leaves Q4_0 as it is in the file, since what it repacks to needs AVX2 or dotprod"
    if layout == "amx":
        return "llama.cpp keeps Q4_0 in its AMX buffer, whose tiles go before repacking (log: amx repack tensor)"
    return f"llama.cpp repacks Q4_0 to {layout} when it loads a model"


def why(core_name: str, compiler: str, major: int | None) -> list[str]:
    """Return the sentences that say why flags() chooses what it chooses. Raises CatalogError as flags() does."""
    target = core(core_name)
    chosen = flags(core_name, compiler, major)
    build = target.builds[_chosen(target, compiler, major)]
    who = compiler if major is None else f"{compiler} {major}"
    known = "turns that on, and {} knows it" if chosen.warning is None else "is the most of it that {} knows"
    return [
        f"{target.title} has {target.vector}",
        f"-march={chosen.march} {known.format(who)} (from gcc {build.gcc}, clang {build.clang} on)",
        *([chosen.remark] if chosen.remark else []),
        _layout_words(chosen.layout),
    ]


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def description(listed: InstanceType) -> list[str]:
    """Return lines for a person: what an instance type is, its memory bandwidth and source, and what to expect."""
    row = processor(listed.processor)
    cores = _count(listed.physical_cores, "physical core")
    nodes = "NUMA nodes not known" if listed.numa_nodes is None else _count(listed.numa_nodes, "NUMA node")
    first = f"{listed.name}: {row.title}, {_count(listed.vcpus, 'vCPU')} on {cores}, {nodes}"
    if listed.core is None:
        return [
            first,
            "core: not told by the type; the host tells",
            "-march=native: the compiler looks at the processor that it runs on",
        ]
    target = core(listed.core)
    best = target.builds[0]
    told = f"vendor {target.vendor}, family {target.family}, models {', '.join(map(str, target.models))}"
    if target.part:
        told = f"implementer {target.implementer}, part {target.part}"
    bandwidth = "memory bandwidth: not published"
    if listed.bandwidth_gb_s is not None:
        total = f"{listed.bandwidth_gb_s:g} GB/s in theory"
        bandwidth = f"memory bandwidth: {total}, {row.bandwidth_source} a socket ({row.source})"
    lines = [
        first,
        f"core: {target.title} ({told}): {target.vector}",
        bandwidth,
        f"-march={best.march}: from gcc {best.gcc}, clang {best.clang} on",
    ]
    if row.or_core:
        other = core(row.or_core)
        lines.insert(2, f"some hosts have {other.title} instead; the flags of the host tell, and then its row counts")
    for index, build in enumerate(target.builds[1:], start=1):
        lines.append(
            f"an older compiler, from gcc {build.gcc}, clang {build.clang} on: -march={build.march}; what is lost: "
            f"{'; '.join(_losses(target, index)) or build.loss}"
        )
    lines.append(f"Q4_0: {_layout_words(best.layout)}")
    lines.append(f"file type of its own in llama.cpp before b4282: {target.legacy_type or 'none'}")
    return lines
