# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variants: settings of a launch beside its threads, as a person writes them and as each program is told.

A variant is written `fa=off+ubatch=1024`. A cell that has one says so by that text, in the order of SETTINGS, so that
two ways to write one variant are one; a cell without has llama.cpp's own defaults. Tests that say how they load
(`tg128,load=none`) hold these settings in fields of their own.

`hosts=3` is a cluster: the host that measures and two workers compute one model together, layer by layer, by the RPC
backend of llama.cpp. `layers=9/4/4` says how many layers each has, the measuring host first; without, all have as many.
`servers=3` are as many hosts with the whole model each, whose servers share the requests behind a proxy.
"""

from __future__ import annotations

import os
import re
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Tuple

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Job
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp import capabilities
from ansible_collections.cloudbench.llama.plugins.module_utils.record.words import did_you_mean

# The variant of a cell that has none, where it needs a word.
PLAIN = "default"

_BENCH = "llama-bench"
# Option and value, or an option alone.
Words = Tuple[str, ...]


class VariantError(ValueError):
    """Settings that cannot be meant; the message names the value, the rule and the remedy."""


class _Setting(NamedTuple):
    """A setting: its name in llama-bench's JSON, what it may be, and how a program is told.

    `values` maps what a person writes to how llama.cpp writes it, or is a range of whole numbers, or a _Form.
    `told` gives, for a value and whether the program is llama-bench, the ways to say it, today's first.
    """

    field: str
    values: Any
    told: Callable[[str, bool], List[Words]]


class _Form:
    """Values of one form: `write` gives the one text of a value, "" where it is none; `rule` says what it is."""

    def __init__(self, write: Callable[[str], str], rule: str) -> None:
        self.write = write
        self.rule = rule


def _mask(word: str) -> str:
    match = re.fullmatch(r"0x[0-9a-f]{1,256}", word)
    # One mask has one text.
    return hex(int(word, 16)) if match and int(word, 16) else ""


def _layers(word: str) -> str:
    if not re.fullmatch(r"[0-9]{1,4}(?:/[0-9]{1,4}){1,16}", word):
        return ""
    counts = [int(count) for count in word.split("/")]
    # A worker without a layer would be asked for nothing.
    return "/".join(map(str, counts)) if all(counts[1:]) else ""


def _option(*names: str) -> Callable[[str, bool], List[Words]]:
    return lambda value, _bench: [(name, value) for name in names]


def _load(value: str, bench: bool) -> List[Words]:
    ways: List[Words] = [("--load-mode", value)]
    if value in ("mmap", "none"):
        # Before llama.cpp's pull request 20834.
        if bench:
            ways.append(("-mmp", "1" if value == "mmap" else "0"))
        elif value == "none":
            ways.append(("--no-mmap",))
    return ways


def _repack(value: str, bench: bool) -> List[Words]:
    if bench:
        return [("--repack", value)]
    return [("--repack",)] if value == "1" else [("--no-repack",)]


def _told_otherwise(_value: str, _bench: bool) -> List[Words]:
    return []


_ON_OFF = {"on": "1", "off": "0"}
MOST_HOSTS = 17
# Of a number that somebody means.
_DIGITS = 9
# What llama-bench, llama-server and llama-batched-bench take as a type of the KV cache.
_KV_TYPES = {name: name for name in ("f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl")}

# By what a person writes, in the order in which a variant's text has them. Source: the --help of llama-bench and
# llama-server of 0c1e57098.
SETTINGS: Mapping[str, _Setting] = {
    "fa": _Setting("flash_attn", dict(_ON_OFF, auto="auto"), _option("-fa")),
    "batch": _Setting("n_batch", (1, 1 << 20), _option("-b")),
    "ubatch": _Setting("n_ubatch", (1, 1 << 20), _option("-ub")),
    "ctk": _Setting("type_k", _KV_TYPES, _option("-ctk")),
    "ctv": _Setting("type_v", _KV_TYPES, _option("-ctv")),
    "load": _Setting("load_mode", {name: name for name in ("none", "mmap", "mlock", "dio")}, _load),
    "repack": _Setting("repack", _ON_OFF, _repack),
    "poll": _Setting("poll", (0, 100), _option("--poll")),
    "cpu-mask": _Setting(
        "cpu_mask", _Form(_mask, "hexadecimal digits after 0x, of which one is not 0, such as 0xff"), _option("-C")
    ),
    "cpu-strict": _Setting("cpu_strict", _ON_OFF, _option("--cpu-strict")),
    "numa": _Setting("numa", {name: name for name in ("distribute", "isolate")}, _option("--numa")),
    # No option of llama.cpp: see applied().
    "thp": _Setting("transparent_huge_pages", _ON_OFF, _told_otherwise),
    # Together: see _cluster(). A model is split over at most 16 devices (GGML_RPC_MAX_SERVERS).
    "hosts": _Setting("hosts", (2, MOST_HOSTS), _told_otherwise),
    # The programs of each are told nothing of the others.
    "servers": _Setting("servers", (2, MOST_HOSTS), _told_otherwise),
    "layers": _Setting(
        "layers",
        _Form(_layers, "the layers of each host, the measuring one first and each other with one or more, such as 9/8"),
        _told_otherwise,
    ),
}
_BY_FIELD = {setting.field: name for name, setting in SETTINGS.items()}
# The fields of a cell in which a test says such settings itself.
_OF_TEST = {"load": "load", "repack": "repack", "numa": "numa"}

# Of glibc 2.35 and later: malloc asks the kernel for huge pages by madvise(2), also for what it maps, such as weights
# that are read or repacked. Source: the GNU C Library's manual, Memory Allocation Tunables.
_HUGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
_HUGE_PAGES_SINCE = (2, 35)


def parse(text: Any) -> str:
    """Return the text of a variant in its one form, "" for that of a cell without. Raises VariantError.

    `text`: `fa=off+ubatch=1024`, or a mapping of settings by the names of SETTINGS or of llama-bench's JSON.
    """
    if isinstance(text, Mapping):
        pairs = [(str(name), value) for name, value in text.items()]
    else:
        words = str(text).strip()
        if words in ("", PLAIN):
            return ""
        parts = [word.partition("=") for word in words.split("+")]
        pairs = [(name.strip(), value.strip() if equals else None) for name, equals, value in parts]
    chosen: Dict[str, str] = {}
    for name, value in pairs:
        key = _BY_FIELD.get(name, name)
        if key not in SETTINGS:
            raise VariantError(
                "the variant %.80r sets %.40r, which is no setting: the settings are %s%s"
                % (_shown(text), name, ", ".join(SETTINGS), did_you_mean(name, SETTINGS))
            )
        if key in chosen:
            raise VariantError("the variant %.80r sets %s twice: leave one of them out" % (_shown(text), key))
        chosen[key] = _value(key, value, text)
    _check(chosen, text)
    return text_of(chosen)


def text_of(settings: Mapping[str, str]) -> str:
    """Return the text of settings as settings_of() gives them."""
    return "+".join("%s=%s" % (key, settings[key]) for key in SETTINGS if key in settings)


def _shown(text: Any) -> str:
    return "+".join("%s=%s" % pair for pair in text.items()) if isinstance(text, Mapping) else str(text)


def _value(key: str, value: Any, text: Any) -> str:
    """Return a value of a setting as a variant's text has it. Raises VariantError."""
    values: Any = SETTINGS[key].values
    if isinstance(value, bool):
        # YAML reads on and off as truth values.
        value = "on" if value else "off"
    word = "" if value is None else str(value).strip().lower()
    if isinstance(values, tuple):
        least, most = values
        if word.isdecimal() and len(word) <= _DIGITS and least <= int(word) <= most:
            return str(int(word))
        rule = "a whole number from %d to %d" % (least, most)
    elif isinstance(values, dict):
        if word in values:
            return word
        # As llama-bench writes on and off.
        numbered: Dict[str, str] = {told: said for said, told in values.items()}
        if word in numbered:
            return numbered[word]
        rule = "one of %s%s" % (", ".join(values), did_you_mean(word, values) if word else "")
    else:
        written: str = values.write(word)
        if written:
            return written
        rule = values.rule
    raise VariantError("the variant %.80r has %s = %.40r: it is %s" % (_shown(text), key, value, rule))


def _check(chosen: Mapping[str, str], text: Any) -> None:
    """Refuse settings that llama.cpp would refuse, or take for others, whatever the machine. Raises VariantError."""
    if chosen.get("ctv", "f16") not in ("f32", "f16", "bf16") and chosen.get("fa") == "off":
        raise VariantError(
            "the variant %.80r has a quantized V cache (ctv=%s) without flash attention, which llama.cpp cannot do: "
            "leave fa=off out, or ctv" % (_shown(text), chosen["ctv"])
        )
    # Unless it is told otherwise, llama.cpp takes 2048 and 512.
    batch = int(chosen.get("batch", 2048))
    if "ubatch" in chosen and int(chosen["ubatch"]) > batch:
        raise VariantError(
            "the variant %.80r computes %s tokens at once (ubatch) of a batch of %d, and llama.cpp would take %d: set "
            "batch=%s too" % (_shown(text), chosen["ubatch"], batch, batch, chosen["ubatch"])
        )
    if "cpu-strict" in chosen and "cpu-mask" not in chosen:
        raise VariantError(
            "the variant %.80r has cpu-strict without cpu-mask, which says on which processors: add cpu-mask"
            % _shown(text)
        )

    if "hosts" in chosen and "servers" in chosen:
        raise VariantError(
            "the variant %.80r has hosts, which compute one model together, and servers, which have it each: leave one "
            "of them out" % _shown(text)
        )
    if "layers" in chosen and chosen["layers"].count("/") + 1 != int(chosen.get("hosts", 1)):
        raise VariantError(
            "the variant %.80r gives layers to %d hosts, and names %s: set hosts=%d"
            % (
                _shown(text),
                chosen["layers"].count("/") + 1,
                chosen.get("hosts", "none"),
                chosen["layers"].count("/") + 1,
            )
        )


def settings_of(text: str) -> Dict[str, str]:
    """Return the settings of a variant's text: {"fa": "off"}; a record from elsewhere may have what is none."""
    return {name: value for name, _equals, value in (word.partition("=") for word in text.split("+"))} if text else {}


def of_cell(cell: Mapping[str, Any]) -> Dict[str, str]:
    """Return all settings of a cell, those that its test says among them: {"load": "none", "repack": "off"}."""
    settings: Dict[str, str] = {}
    for name, field in _OF_TEST.items():
        if field in cell:
            settings[name] = {True: "on", False: "off"}[cell[field]] if name == "repack" else str(cell[field])
    settings.update(settings_of(cell.get("variant", "")))
    return {name: settings[name] for name in SETTINGS if name in settings}


def _count(cell: Mapping[str, Any], name: str) -> int:
    text = cell.get("variant") or ""
    # Asked of every row of a page, few of which say anything.
    count = settings_of(text).get(name, "1") if name in text else "1"
    return int(count) if count.isdecimal() and len(count) <= _DIGITS else 1


def sharing(cell: Mapping[str, Any]) -> int:
    """Return how many hosts compute the model of a cell together, 1 for any that is not a cluster's."""
    return _count(cell, "hosts")


def servers(cell: Mapping[str, Any]) -> int:
    """Return how many hosts with a server each share the requests of a cell, 1 for any without a proxy."""
    return _count(cell, "servers")


def hosts(cell: Mapping[str, Any]) -> int:
    """Return how many hosts a cell is measured with, whichever way they work together."""
    return max(sharing(cell), servers(cell))


def split(cell: Mapping[str, Any], layers: int) -> List[int]:
    """Return how many of a model's `layers` each host of a cluster has, the measuring one first. Raises VariantError.

    The output counts as a layer, as llama.cpp counts it. Where no layers are named all have as many, and the first ones
    one more where they do not divide.
    """
    count = sharing(cell)
    named = of_cell(cell).get("layers")
    if named:
        counts = [int(word) for word in named.split("/")]
        if sum(counts) != layers:
            raise VariantError(
                "layers=%s are %d, and the model has %d, the output included: name as many"
                % (named, sum(counts), layers)
            )
        return counts
    if layers < count:
        raise VariantError(
            "hosts=%d are more than the %d layers of the model, the output included: name fewer hosts" % (count, layers)
        )
    return [layers // count + (number < layers % count) for number in range(count)]


def _cluster(job: Job) -> List[str]:
    """Return what tells a program which layers of the model the workers have: nothing for a cell of one host.

    -ngl is the number of layers that are not computed here, counted from the last, and -ts the share of each worker.
    """
    if sharing(job.cell) == 1:
        return []
    if job.cluster is None:
        # For capabilities.refusal() to say what a build lacks.
        return ["--rpc", ""]
    counts = split(job.cell, job.cluster.layers)[1:]
    workers = job.cluster.endpoints[: len(counts)]
    return ["--rpc", ",".join(workers), "-ngl", str(sum(counts)), "-ts", "/".join(map(str, counts))]


def kv_types(cell: Mapping[str, Any]) -> Tuple[str, str]:
    """Return how a cell stores keys and values, as ggml_types.BY_NAME has them."""
    settings = of_cell(cell)
    return settings.get("ctk", "f16").upper(), settings.get("ctv", "f16").upper()


def applies(text: str, test: Mapping[str, Any]) -> bool:
    """Say whether a variant can be combined with the fields of a test: not where both say one setting."""
    return not set(settings_of(text)) & set(of_cell(test))


def repacks(cell: Mapping[str, Any]) -> bool:
    """Say whether a cell leaves it to llama.cpp to repack weights while they are loaded."""
    return of_cell(cell).get("repack") != "off"


def repacks_when_told(build: Mapping[str, Any], program: str) -> bool:
    """Say whether a program of a build repacks no weights unless it is told to: ik_llama.cpp's."""
    return bool(capabilities.knows(build, program, capabilities.RUN_TIME_REPACK))


def argv(job: Job, program: str) -> List[str]:
    """Return what tells a program of a job's build the settings of its cell, each the way that the build knows.

    One that it knows no way of is told today's way, for capabilities.refusal() to say so. A program that repacks only
    when it is told to is told, unless the cell is to be measured without.
    """
    when_told = repacks_when_told(job.build, program)
    told_to = when_told and repacks(job.cell)
    words = ([capabilities.RUN_TIME_REPACK] + ["1"] * (program == _BENCH)) * told_to
    for name, value in of_cell(job.cell).items():
        if name == "repack" and when_told:
            continue
        setting = SETTINGS[name]
        llama_cpp = setting.values.get(value, value) if isinstance(setting.values, dict) else value
        ways = setting.told(llama_cpp, program == _BENCH)
        if told_to and (name, value) == ("load", "mmap"):
            # What it repacks it maps nothing of, whatever an older option says: it is to be refused.
            ways = ways[:1]
        known = [way for way in ways if capabilities.knows(job.build, program, way[0]) is not False]
        words += (known or ways or [()])[0]
    return words + _cluster(job)


def applied(job: Job, settings: LaunchSettings) -> LaunchSettings:
    """Return the settings of a launch with what a cell's variant changes of its process."""
    pages = of_cell(job.cell).get("thp")
    if pages is None:
        return settings
    if pages == "off":
        return settings._replace(huge_pages=False)
    return settings._replace(environment=dict(settings.environment, **_HUGE_PAGES))


def trouble(cell: Mapping[str, Any], machine: Mapping[str, Any]) -> Optional[Tuple[str, str]]:
    """Return (cause, advice) where the kernel of this machine would not do what a cell sets, None where it would.

    `machine`: the payload of its record. To be asked on the machine itself.
    """
    settings = of_cell(cell)
    advice = "Leave that variant out of llama_bench_variants."
    mask = settings.get("cpu-mask")
    if mask:
        cpus = [cpu for cpu in range(int(mask, 16).bit_length()) if int(mask, 16) >> cpu & 1]
        allowed = os.sched_getaffinity(0)
        outside = [cpu for cpu in cpus if cpu not in allowed]
        if outside or not cpus:
            return (
                "cpu-mask=%s names processor %s, and this run may use %s"
                % (mask, outside[0] if outside else "none", _ranges(sorted(allowed))),
                "Name some of these in the mask, or leave that variant out of llama_bench_variants.",
            )
        if (cell.get("threads") or 0) > len(cpus):
            return (
                "cpu-mask=%s is of %d processors, fewer than the %d threads" % (mask, len(cpus), cell["threads"]),
                "Name more processors in the mask, or fewer threads in llama_bench_threads.",
            )
    if "numa" in settings and (machine.get("numa_nodes") or 1) < 2 and cell.get("variant"):
        return "numa=%s needs several NUMA nodes, and this machine has one" % settings["numa"], advice
    return _no_huge_pages(settings.get("thp"), machine, advice)


def _no_huge_pages(asked: Optional[str], machine: Mapping[str, Any], advice: str) -> Optional[Tuple[str, str]]:
    kernel = machine.get("transparent_hugepages")
    if asked == "on" and kernel not in ("madvise", "always"):
        cause = "thp=on asks for huge pages, and the kernel gives none (transparent_hugepage/enabled: %s)"
        return cause % (kernel or "not there"), "Set it to madvise, or l" + advice[1:]
    version = os.confstr("CS_GNU_LIBC_VERSION") if "CS_GNU_LIBC_VERSION" in os.confstr_names else None
    match = re.fullmatch(r"glibc (\d+)\.(\d+).*", version or "")
    if asked == "on" and not (match and (int(match.group(1)), int(match.group(2))) >= _HUGE_PAGES_SINCE):
        return "thp=on needs glibc %d.%d, and this is %s" % (*_HUGE_PAGES_SINCE, version or "another C library"), advice
    return None


def _ranges(cpus: List[int]) -> str:
    """Return numbers in ascending order as the kernel writes them: 0-3,8."""
    runs: List[List[int]] = []
    for cpu in cpus:
        if runs and cpu == runs[-1][-1] + 1:
            runs[-1].append(cpu)
        else:
            runs.append([cpu])
    return ",".join("%d-%d" % (run[0], run[-1]) if len(run) > 1 else "%d" % run[0] for run in runs)
