# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run does to the machine that it is on, so that a test can do it to none."""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Job
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.outcome import Outcome
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings
from ansible_collections.cloudbench.llama.plugins.module_utils.probe import bandwidth, gates
from ansible_collections.cloudbench.llama.plugins.module_utils.probe import machine as probe

# Takes the kind, the payload and the start of a record.
Emit = Callable[[str, Dict[str, Any], float], None]
Launcher = Callable[[Job, LaunchSettings, Callable[[int], None]], Outcome]


def _launch(job: Job, settings: LaunchSettings, started: Callable[[int], None]) -> Outcome:
    return registry.kind_of(job.cell).launch(job, settings, started)


def _bandwidth(
    job: Job, threads: int, machine: Dict[str, Any], environment: Mapping[str, str], looks: int
) -> Optional[Dict[str, Any]]:
    return bandwidth.of_build(job.directory, threads, machine, environment, looks)


class Host(NamedTuple):
    """The machine.

    `launch` of a cell; `bandwidth` of a number of threads in an environment by a number of processes, None when there
    is no program for it;
    `cores` that may be used; `clock` and `sleep` in seconds.
    """

    launch: Launcher = _launch
    bandwidth: Callable[[Job, int, Dict[str, Any], Mapping[str, str], int], Optional[Dict[str, Any]]] = _bandwidth
    snapshot: Callable[[], gates.Snapshot] = gates.snapshot
    clock: Callable[[], float] = time.monotonic
    cores: Callable[[], List[probe.Core]] = probe.cores
    sleep: Callable[[float], None] = time.sleep
