# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines: the fingerprint of what was measured on."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import Payload, Run
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import facts, markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.markdown import Markdown
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.subjects.subject import Subject
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.view import Section, View

# What is told of an instance, in this order.
_INSTANCE = ("type", "id", "zone", "image", "life_cycle")


def _section(view: View) -> Section:
    return _of(view.machines())


def _of_run(run: Run) -> Section:
    return _of(payload for _id, payload in sorted(run.machines.items()))


def _of(machines: Iterable[Payload]) -> Section:
    blocks = [block for machine in machines for block in _blocks(machine)]
    return Section("Machine", blocks or [markdown.text("No fingerprint of the machine is on record.")])


def _blocks(machine: Payload) -> list[Markdown]:
    """Return the fingerprint of a machine as a table, and its long lists in a closed block."""
    detail = facts.blocks(
        (
            ("CPU features", " ".join(machine.get("cpu_features") or [])),
            ("Kernel parameters that change what is measured", machine.get("kernel_parameters")),
        )
    )
    table = facts.table("Machine", machine["name"], _facts(machine))
    return [table, *([markdown.details("CPU features and kernel parameters", detail)] if detail else [])]


def _facts(machine: Payload) -> list[tuple[str, object]]:
    instance = machine.get("instance") or {}
    counts = [
        metrics.plural(machine[name], noun)
        for name, noun in (
            ("cpu_count", "CPU"),
            ("physical_cores", "core"),
            ("sockets", "socket"),
            ("numa_nodes", "NUMA node"),
        )
        if machine.get(name)
    ]
    caches = [f"{name} {metrics.binary(size)}" for name, size in sorted((machine.get("caches") or {}).items()) if size]
    return [
        ("Processor", machine.get("cpu_model")),
        ("Recognised as", _recognised(machine)),
        ("CPU implementer", machine.get("cpu_implementer")),
        ("CPU part", machine.get("cpu_part")),
        ("Architecture", machine.get("architecture")),
        ("Processors", ", ".join(counts)),
        ("Vectors", _vectors(machine)),
        ("Caches", ", ".join(caches)),
        ("Memory", metrics.binary(machine["memory_bytes"]) if machine.get("memory_bytes") else None),
        ("Limits of its control group", _cgroup(machine)),
        ("Memory bandwidth", _bandwidth(machine)),
        ("Instance", ", ".join(str(instance[k]) for k in _INSTANCE if instance.get(k))),
        ("Virtualization", machine.get("virtualization")),
        ("Emulated", "yes" if machine.get("emulated") else None),
        ("Operating system", machine.get("os")),
        ("Kernel", machine.get("kernel")),
        ("Transparent huge pages", machine.get("transparent_hugepages")),
        ("ASLR", machine.get("aslr")),
        ("Governor", machine.get("governor")),
        ("Booted", machine.get("boot_time")),
        ("Fingerprint", markdown.code(machine["id"])),
    ]


def _processor(machine: Payload) -> Payload:
    """Return what the catalog says of a machine's processor, nothing where it does not know it."""
    known = machine.get("processor")
    return known if isinstance(known, dict) else {}


def _recognised(machine: Payload) -> str | None:
    known = _processor(machine)
    if known:
        names = ", ".join(str(known[key]) for key in ("name", "title") if known.get(key)) or str(known.get("core"))
        return f"{names}, by {known['recognised_by']}" if known.get("recognised_by") else names
    return "not in the catalog: built native" if "processor" in machine else None


def _vectors(machine: Payload) -> str | None:
    """Return the width of the vectors: what the catalog says, and what the kernel gives of SVE."""
    known, sve = _processor(machine).get("vector"), machine.get("sve_bytes")
    words = [str(known)] if known else []
    if sve:
        words.append(f"SVE vectors of {metrics.plural(sve, 'byte')} here")
    return "; ".join(words) or None


def _bandwidth(machine: Payload) -> str | None:
    """Return the bandwidth that the catalog gives: nobody has measured it."""
    theirs = _processor(machine).get("bandwidth_gb_s")
    if not isinstance(theirs, (int, float)):
        return None
    return f"{metrics.number(theirs)}{metrics.NO_BREAK}GB/s, theoretical (catalog), not measured"


def _cgroup(machine: Payload) -> str | None:
    limits = machine.get("cgroup") or {}
    cpus, memory = limits.get("cpus"), limits.get("memory_bytes")
    told = [
        f"processor time of {cpus:g} CPUs" if isinstance(cpus, (int, float)) else "",
        f"{metrics.binary(memory)} of memory" if isinstance(memory, int) else "",
    ]
    return ", ".join(filter(None, told)) or None


SUBJECT = Subject(name="machine", section=_section, machine_section=_of_run)
