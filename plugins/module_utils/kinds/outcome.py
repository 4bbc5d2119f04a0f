# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one launch comes to, whichever program it ran: an outcome with figures, or a failure with its cause."""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Optional

from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.log import buffer_bytes
from ansible_collections.cloudbench.llama.plugins.module_utils.probe import cgroup
from ansible_collections.cloudbench.llama.plugins.module_utils.system.process import Usage


class Outcome(NamedTuple):
    """What a launch measured.

    `argv` is the command of the program under test, `metrics` maps a name to {"value", "unit"} and perhaps "samples",
    `rows` are the tool's own rows verbatim, `kernel` what its log says of buffers and layouts, `usage` what the kernel
    accounted for its processes, and `detail` becomes further keys of the record's payload. `printed_s`: seconds from
    the start of the program until it last wrote to standard output, None where that is not known.
    """

    argv: List[str]
    metrics: Dict[str, Dict[str, Any]]
    rows: List[Dict[str, Any]]
    kernel: Dict[str, Any]
    usage: Usage
    detail: Dict[str, Any]
    printed_s: Optional[float] = None


class LaunchFailed(Exception):
    """A launch gave no figure; `payload` is that of its failure record."""

    def __init__(self, payload: Dict[str, Any]) -> None:
        super().__init__(payload["cause"])
        self.payload = payload


def usage_metrics(usage: Usage) -> Dict[str, Dict[str, Any]]:
    """Return the metrics that getrusage(2) gives of the processes of a launch."""
    cores = cgroup.usable_cpus()
    busy = usage.cpu_user_s + usage.cpu_system_s
    return {
        "wall_s": {"value": round(usage.wall_s, 4), "unit": "s"},
        "cpu_user_s": {"value": round(usage.cpu_user_s, 4), "unit": "s"},
        "cpu_system_s": {"value": round(usage.cpu_system_s, 4), "unit": "s"},
        "cpu_percent": {"value": round(100 * busy / usage.wall_s / cores, 2), "unit": "%"},
        "rss_peak_bytes": {"value": usage.rss_peak_bytes, "unit": "B"},
        "major_faults": {"value": usage.major_faults, "unit": "1"},
        "minor_faults": {"value": usage.minor_faults, "unit": "1"},
        "context_switches_voluntary": {"value": usage.context_switches_voluntary, "unit": "1"},
        "context_switches_involuntary": {"value": usage.context_switches_involuntary, "unit": "1"},
    }


def buffer_metrics(kernel: Dict[str, Any]) -> Dict[str, Dict[str, Any]]:
    """Return the metrics of the buffers that a log names, none where it names none."""
    if not kernel.get("buffers"):
        return {}
    return {name: {"value": size, "unit": "B"} for name, size in buffer_bytes(kernel).items()}
