# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a cell is launched: what one launch of any kind may be told, beside its job."""

from __future__ import annotations

from types import MappingProxyType
from typing import Mapping, NamedTuple, Sequence

# Of a program for which a person sets nothing.
NOTHING_SET: Mapping[str, str] = MappingProxyType({})


class LaunchSettings(NamedTuple):
    """What holds for one launch.

    `repetitions` are those inside one process of llama-bench, `time_limit` the seconds that the launch may take,
    `slots` those of a server, `requests` those of each of its users, `slo_ttft_s` and `slo_tpot_s` the latency targets
    of goodput in seconds, `seed` that of prompts and arrivals, `number` which launch of its cell this is, from 1 on,
    and `launches` how many there are to be, `environment` the variables that are set on purpose for the program under
    test, `cpus` the processors that it may run on, all that there are when none are named; without `huge_pages` the
    kernel gives it no transparent ones.
    """

    repetitions: int = 1
    time_limit: float = 1800.0
    slots: int = 4
    requests: int = 4
    slo_ttft_s: float = 2.0
    slo_tpot_s: float = 0.1
    seed: int = 0
    number: int = 1
    launches: int = 1
    environment: Mapping[str, str] = NOTHING_SET
    cpus: Sequence[int] = ()
    huge_pages: bool = True
