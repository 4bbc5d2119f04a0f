# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fingerprint of a machine: what of it can make a figure different, read from /proc and /sys.

lscpu is not asked: under user-mode emulation it describes the outer machine, /proc/cpuinfo the emulated one.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import struct
import sys
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Set, Tuple

from ansible_collections.cloudbench.llama.plugins.module_utils.probe import cgroup, ec2_metadata
from ansible_collections.cloudbench.llama.plugins.module_utils.record.digits import whole
from ansible_collections.cloudbench.llama.plugins.module_utils.record.envelope import utc

# Features that llama.cpp prints of itself (llama_print_system_info) -> the flag in /proc/cpuinfo that a processor
# needs for them. What is not listed (LLAMAFILE, OPENMP, REPACK, ...) is no property of the processor.
# Source: ggml/src/ggml-cpu/ggml-cpu.cpp and ggml-cpu.c; arch/x86/include/asm/cpufeatures.h and
# Documentation/arch/arm64/elf_hwcaps.rst of Linux.
PROCESSOR_FLAGS = {
    "SSE3": "pni", "SSSE3": "ssse3", "AVX": "avx", "AVX2": "avx2", "F16C": "f16c", "FMA": "fma", "BMI2": "bmi2",
    "AVX_VNNI": "avx_vnni", "AVX512": "avx512f", "AVX512_VBMI": "avx512vbmi", "AVX512_VNNI": "avx512_vnni",
    "AVX512_BF16": "avx512_bf16", "AMX_INT8": "amx_int8",
    "NEON": "asimd", "ARM_FMA": "asimd", "FP16_VA": "asimdhp", "MATMUL_INT8": "i8mm", "SVE": "sve",
    "DOTPROD": "asimddp", "SVE2": "sve2", "SME": "sme",
}  # fmt: skip


# Kernel parameters that change what a program measures. The rest of the command line stays out of the record: it may
# hold addresses, disk keys and other things that are nobody's business.
KERNEL_PARAMETERS = (
    "amd_pstate", "cpufreq.", "cpuidle.", "cpuidle_haltpoll.", "default_hugepagesz", "hugepages", "hugepagesz", "idle",
    "intel_idle.", "intel_pstate", "isolcpus", "maxcpus", "mitigations", "nohz", "nohz_full", "nosmt", "nr_cpus",
    "numa", "numa_balancing", "preempt", "processor.", "psi", "rcu_nocbs", "transparent_hugepage",
)  # fmt: skip

# More than any kernel has (CONFIG_NR_CPUS): a list that goes further is none, and is not to fill the memory.
_MOST_PROCESSORS = 1 << 16
# What is later is no time at which a machine was started, in seconds since 1970: the year 2106.
_LATEST = 1 << 32
# KiB: more memory than a record takes is none.
_MOST_KIB = 1 << 50

# include/uapi/linux/prctl.h: the length of an SVE vector in bytes is in the low 16 bits of the answer.
_PR_SVE_GET_VL = 51
_PR_SVE_VL_LEN_MASK = 0xFFFF


def _text(root: str, path: str) -> Optional[str]:
    try:
        with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
            return file.read().strip("\0\n ") or None
    except OSError:
        return None


def _number(root: str, path: str) -> Optional[int]:
    text = _text(root, path)
    return whole(text)


def _chosen(text: Optional[str]) -> Optional[str]:
    """Return `madvise` of `always [madvise] never`."""
    match = re.search(r"\[(\w+)\]", text or "")
    return match.group(1) if match else None


def _kernel_parameters(root: str) -> Optional[str]:
    text = _text(root, "proc/cmdline")
    if text is None:
        return None
    kept = []
    # A value in quotes may hold spaces. What follows "--" is for the first process, not for the kernel.
    for parameter in re.findall(r'(?:[^\s"]|"[^"]*"?)+', text):
        if parameter == "--":
            break
        name = parameter.partition("=")[0]
        if any(name == known or (known.endswith(".") and name.startswith(known)) for known in KERNEL_PARAMETERS):
            kept.append(parameter)
    return " ".join(kept)


def _cpuinfo(root: str) -> List[Dict[str, str]]:
    processors: List[Dict[str, str]] = []
    for block in re.split(r"\n\s*\n", _text(root, "proc/cpuinfo") or ""):
        pairs = [line.split(":", 1) for line in block.splitlines() if ":" in line]
        fields = {key.strip(): value.strip() for key, value in pairs}
        if "processor" in fields:
            processors.append(fields)
    return processors


def _cpu_directories(root: str) -> Iterator[str]:
    base = "sys/devices/system/cpu"
    try:
        names = os.listdir(os.path.join(root, base))
    except OSError:
        names = []
    for name in sorted(names):
        if re.match(r"cpu[0-9]{1,9}$", name):
            yield "%s/%s" % (base, name)


def _cores(root: str, key: str, allowed: Optional[Set[int]] = None) -> Optional[int]:
    """Count the distinct cores (key core_id) or sockets (key physical_package_id) of the online processors.

    With `allowed`, numbers of processors, of these alone: an affinity mask may hold both threads of a core.
    """
    seen = set()
    for directory in _cpu_directories(root):
        if allowed is not None and int(directory.rpartition("/cpu")[2]) not in allowed:
            continue
        package = _text(root, directory + "/topology/physical_package_id")
        number = _text(root, "%s/topology/%s" % (directory, key))
        if number is not None:
            seen.add((package, number))
    return len(seen) or None


class Core(NamedTuple):
    """A physical core: its NUMA node, and those of its processors that may be used, several where it has threads."""

    node: int
    cpus: Tuple[int, ...]


def cores(root: str = "/", allowed: Optional[Set[int]] = None) -> List[Core]:
    """Return the physical cores of the processors `allowed`, by default the affinity mask of this process.

    The order is that of their first processors. What a machine does not tell: a processor is a core, and of node 0.
    """
    if allowed is None:
        allowed = os.sched_getaffinity(0)
    nodes: Dict[int, int] = {}
    base = "sys/devices/system/node"
    try:
        names = [name for name in os.listdir(os.path.join(root, base)) if re.match(r"node[0-9]{1,9}$", name)]
    except OSError:
        names = []
    for name in names:
        for cpu in _cpu_list(_text(root, "%s/%s/cpulist" % (base, name)) or ""):
            nodes[cpu] = int(name[len("node") :])
    together: Dict[Any, List[int]] = {}
    for cpu in sorted(allowed):
        topology = "sys/devices/system/cpu/cpu%d/topology/" % cpu
        number = _text(root, topology + "core_id")
        place = cpu if number is None else (_text(root, topology + "physical_package_id"), number)
        together.setdefault(place, []).append(cpu)
    return [Core(nodes.get(cpus[0], 0), tuple(cpus)) for cpus in together.values()]


def _caches(root: str) -> Dict[str, int]:
    sizes: Dict[str, int] = {}
    base = "sys/devices/system/cpu/cpu0/cache"
    for index in range(8):
        level = _text(root, "%s/index%d/level" % (base, index))
        size = re.match(r"([0-9]{1,9})K$", _text(root, "%s/index%d/size" % (base, index)) or "")
        if level and size:
            kind = _text(root, "%s/index%d/type" % (base, index))
            suffix = {"Data": "d", "Instruction": "i"}.get(kind or "", "")
            sizes["L%s%s" % (level, suffix)] = int(size.group(1)) * 1024
    return sizes


def _cpu_list(text: str) -> Set[int]:
    """Return the processors of a list of the kernel's, such as 0-3,8 (Documentation/admin-guide/cputopology.rst)."""
    ranges = [part.partition("-") for part in re.findall(r"\b[0-9]{1,9}(?:-[0-9]{1,9})?\b", text)]
    return {
        number
        for first, _dash, last in ranges
        for number in range(int(first), min(int(last or first) + 1, _MOST_PROCESSORS))
    }


def _nodes(root: str, allowed: Optional[Set[int]] = None) -> Optional[int]:
    """Count the NUMA nodes that have processors, with `allowed` those that have some of these.

    A node may be memory alone: that of an accelerator, of CXL, or high-bandwidth memory.
    """
    base = "sys/devices/system/node"
    try:
        names = [name for name in os.listdir(os.path.join(root, base)) if re.match(r"node[0-9]{1,9}$", name)]
    except OSError:
        return None
    count = 0
    for name in names:
        path = "%s/%s/cpulist" % (base, name)
        if os.path.exists(os.path.join(root, path)):
            processors = _cpu_list(_text(root, path) or "")
            if not (processors if allowed is None else processors & allowed):
                continue
        count += 1
    return count or None


def _field(text: Optional[str], name: str) -> Optional[str]:
    match = re.search(r"^%s[=:\s]+\"?([^\"\n]*)" % re.escape(name), text or "", re.MULTILINE)
    return match.group(1).strip() if match else None


def _whole(text: Optional[str]) -> Optional[int]:
    """Return a number of cpuinfo, which are small."""
    return whole(text) if len(text or "") < 10 else None


def sve_bytes() -> Optional[int]:
    """Return the length of an SVE vector in bytes as this process has it, None without SVE."""
    try:
        answer = ctypes.CDLL(None).prctl(_PR_SVE_GET_VL, 0, 0, 0, 0)
    except (AttributeError, OSError):
        return None
    return answer & _PR_SVE_VL_LEN_MASK if answer > 0 else None


def features(root: str = "/") -> List[str]:
    """Return the sorted processor flags of the first processor (x86 `flags`, Arm `Features`)."""
    processors = _cpuinfo(root)
    first = processors[0] if processors else {}
    return sorted((first.get("flags") or first.get("Features") or "").split())


def used_features(system_info: str) -> List[str]:
    """Return the names that llama.cpp's system info line gives as present (`AVX2 = 1`, `SVE_CNT = 32`)."""
    return [name for name, value in re.findall(r"\b(\w{1,60}) = ([0-9]{1,9})", system_info) if value != "0"]


def compare_features(system_info: str, flags: List[str]) -> Dict[str, List[str]]:
    """Compare what a binary was compiled for with what the processor has.

    `missing`: features the binary uses and the processor lacks (it will die of an illegal instruction).
    `unused`: features the processor has and the binary was not compiled for (it will be slower than need be).
    Only names of PROCESSOR_FLAGS are compared; SSE-level names that a later llama.cpp no longer prints do not count.
    """
    used = [name for name in used_features(system_info) if name in PROCESSOR_FLAGS]
    has = set(flags)
    printed = set(re.findall(r"\b(\w{1,60}) = [0-9]", system_info))
    # A current llama.cpp prints only what is on, an old one prints every name it knows: a name that it never
    # prints may simply not exist in that version, so it is `unused` only where it matters to the kernels.
    matters = {"AVX2", "FMA", "F16C", "AVX512", "AVX512_VNNI", "AVX_VNNI", "AMX_INT8", "DOTPROD", "MATMUL_INT8", "SVE"}
    if re.search(r"\w = 0", system_info):
        # The old one uses this where it was compiled for it, and has no name for it.
        matters.discard("DOTPROD")
    return {
        "missing": [name for name in used if PROCESSOR_FLAGS[name] not in has],
        "unused": [
            name
            for name, flag in PROCESSOR_FLAGS.items()
            if flag in has and name not in used and (name in printed or name in matters)
        ],
    }


def slug(text: str) -> str:
    """Return `text` as a lower-case name for a directory: letters and digits, joined by single hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def local_name(cpu_model: Optional[str], architecture: str, cpu_part: Optional[str]) -> str:
    """Return `local-<cpu>` for a machine that no cloud names: by its processor, marks and clock left out."""
    model = re.sub(r"\((R|TM|C)\)|@.*|\b(CPU|Processor|with Radeon Graphics|\d+-Core)\b", " ", cpu_model or "")
    return "local-" + (slug(model) or slug("%s %s" % (architecture, cpu_part or "")))


def fingerprint(root: str = "/", emulated: bool = False, allowed: Optional[Set[int]] = None) -> Dict[str, Any]:
    """Return the payload of a machine record without `id`; what the machine does not tell is None.

    `cpu_count` is the number of processors this process may keep busy, `memory_bytes` that of the machine, `cgroup`
    what its control group leaves of it; sizes in bytes. `bits` are those of this Python's addresses. Implementer and
    part are for Arm; vendor, family and model number for x86. An emulated machine is no instance, whatever it runs on.
    `physical_cores` and `numa_nodes` are those of the processors `allowed`, by default the affinity mask of this
    process, and of another `root` all that it has.
    """
    if allowed is None and root == "/":
        allowed = os.sched_getaffinity(0)
    processors = _cpuinfo(root)
    first = processors[0] if processors else {}
    flags = features(root)
    architecture = platform.machine()
    cpu_model = first.get("model name")
    part = first.get("CPU part")
    total = _field(_text(root, "proc/meminfo"), "MemTotal")
    kib = whole((total or "").partition(" ")[0])
    memory = kib * 1024 if kib and kib <= _MOST_KIB else None
    boot = whole(_field(_text(root, "proc/stat"), "btime"))
    # Only x86 has a flag that says so: None means unknown on Arm.
    hypervisor = "hypervisor" in flags
    vendor = _text(root, "sys/class/dmi/id/sys_vendor")
    return {
        "name": local_name(cpu_model, architecture, part),
        "architecture": architecture,
        "cpu_model": cpu_model,
        "cpu_implementer": first.get("CPU implementer"),
        "cpu_part": part,
        "cpu_vendor": first.get("vendor_id"),
        "cpu_family": _whole(first.get("cpu family")),
        "cpu_model_number": _whole(first.get("model")),
        "cpu_count": cgroup.usable_cpus(root),
        "physical_cores": _cores(root, "core_id", allowed),
        "sockets": _cores(root, "physical_package_id"),
        "numa_nodes": _nodes(root, allowed),
        "cpu_features": flags,
        "sve_bytes": sve_bytes() if "sve" in flags else None,
        "byte_order": sys.byteorder,
        "bits": struct.calcsize("P") * 8,
        "caches": _caches(root),
        "memory_bytes": memory,
        "cgroup": cgroup.limits(root, memory),
        "kernel": platform.release(),
        "kernel_parameters": _kernel_parameters(root),
        "os": _field(_text(root, "etc/os-release"), "PRETTY_NAME"),
        "transparent_hugepages": _chosen(_text(root, "sys/kernel/mm/transparent_hugepage/enabled")),
        "aslr": _number(root, "proc/sys/kernel/randomize_va_space"),
        "governor": _text(root, "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "virtualization": (vendor or "unknown hypervisor") if hypervisor else None,
        "boot_time": utc(boot) if boot and boot < _LATEST else None,
        "instance": None if emulated else ec2_metadata.instance(root),
        "emulated": emulated,
    }
