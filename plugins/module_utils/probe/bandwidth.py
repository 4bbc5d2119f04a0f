# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The memory bandwidth and the arithmetic of this machine, by the program that is compiled with llama.cpp."""

from __future__ import annotations

import os
import statistics
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional

from ansible_collections.cloudbench.llama.plugins.module_utils.probe import cgroup
from ansible_collections.cloudbench.llama.plugins.module_utils.record import json_text
from ansible_collections.cloudbench.llama.plugins.module_utils.system import process
from ansible_collections.cloudbench.llama.plugins.module_utils.system.process import HOME

PROGRAM = "llama-roofline"
REPETITIONS = 10
# Of an emulated machine, whose speed is nobody's.
EMULATED_REPETITIONS = 2
# Processes of the canary at each of its stages: what they differ by among themselves is no drift.
CANARY_LOOKS = 3
# A ladder over many threads is not to take minutes.
_TIME_LIMIT = 120.0

# A cache that other guests share counts as theirs, so half a gibibyte is beyond what is ours.
_LEAST, _MOST = 64 << 20, 512 << 20
# Of a whole number Python takes what no float holds, and no median can be made of.
_MOST_RATE = 1e12
_RATES = ("read_gb_s", "triad_gb_s", "fma_gflops")


class BandwidthError(ValueError):
    """The program gave no figure; the message says why."""


def array_bytes(machine: Dict[str, Any]) -> int:
    """Return the size of each of the three arrays: four times the largest cache, and no more than memory has room for.

    A machine that says nothing of its caches gets 512 MiB. An emulated one, whose speed is nobody's, gets the least.
    """
    if machine.get("emulated"):
        return _LEAST
    caches = [size for size in (machine.get("caches") or {}).values() if size]
    wanted = 4 * max(caches) if caches else _MOST
    memory = cgroup.memory(machine) or 8 << 30
    return max(_LEAST, min(wanted, _MOST, memory // 16)) // 4096 * 4096


class Look(NamedTuple):
    """What a process of the program printed: rates by their name, and whether its arrays were in huge pages."""

    rates: Dict[str, List[float]]
    huge_pages: bool


def parse(text: str, threads: int, size: int) -> Look:
    """Return the rates (1e9 bytes or operations per second) that the program printed. Raises BandwidthError."""
    try:
        printed = json_text.loads(text)
    except ValueError as error:
        raise BandwidthError("its output is no JSON: %.80r (%s)" % (text, error)) from error
    if not isinstance(printed, dict) or (printed.get("threads"), printed.get("bytes")) != (threads, size):
        raise BandwidthError("it answers another question than %d threads and %d bytes: %.80r" % (threads, size, text))
    for name in _RATES:
        rates = printed.get(name)
        if not isinstance(rates, list) or not rates:
            raise BandwidthError("it has no %s" % name)
        for rate in rates:
            if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 < rate < _MOST_RATE:
                raise BandwidthError("its %s holds %.40r" % (name, rate))
    return Look({name: printed[name] for name in _RATES}, printed.get("huge_pages") is True)


Run = Callable[[List[str], Mapping[str, str]], process.Finished]


def _run(argv: List[str], environment: Mapping[str, str]) -> process.Finished:
    return process.run(argv, _TIME_LIMIT, environment, directory=HOME, clean=True)


def measure(
    path: str,
    threads: int,
    machine: Dict[str, Any],
    environment: Mapping[str, str],
    looks: int = 1,
    run: Run = _run,
) -> Dict[str, Any]:
    """Measure with the program at `path` (from HOME) and return the payload of a bandwidth record, short of its stage.

    `environment` is added to the clean one that the program gets; `looks` processes run one after the other, one of an
    emulated machine. Rates are in 1e9 bytes or operations per second: the best of all repetitions, their median, and
    all; `looks_gb_s` has the median read of each process. Raises BandwidthError.
    """
    size = array_bytes(machine)
    repetitions = EMULATED_REPETITIONS if machine.get("emulated") else REPETITIONS
    argv = [path, "--threads", str(threads), "--bytes", str(size), "--repetitions", str(repetitions)]
    seen = [
        parse(_printed(argv, environment, run), threads, size)
        for _look in range(1 if machine.get("emulated") else looks)
    ]
    payload: Dict[str, Any] = {"machine": machine["id"], "threads": threads, "bytes": size, "argv": argv}
    for name in _RATES:
        values = [rate for look in seen for rate in look.rates[name]]
        payload[name] = {"best": max(values), "median": statistics.median(values), "samples": values}
    payload["looks_gb_s"] = [statistics.median(look.rates["read_gb_s"]) for look in seen]
    payload["huge_pages"] = all(look.huge_pages for look in seen)
    return payload


def _printed(argv: List[str], environment: Mapping[str, str], run: Run) -> str:
    try:
        finished = run(argv, environment)
    except OSError as error:
        raise BandwidthError("%s cannot be started: %s" % (argv[0], error)) from error
    if finished.exit_code != 0:
        words = (finished.stderr.strip().splitlines() or ["it said nothing"])[-1][:200]
        raise BandwidthError("%s ended with %s: %s" % (argv[0], finished.exit_code or finished.signal, words))
    return finished.stdout


def of_build(
    directory: str, threads: int, machine: Dict[str, Any], environment: Mapping[str, str], looks: int = 1
) -> Optional[Dict[str, Any]]:
    """Measure with the program in a build's `directory` (from HOME); None without a figure: nothing depends on it."""
    path = os.path.join(directory, PROGRAM)
    if not os.access(os.path.join(HOME, path), os.X_OK):
        return None
    try:
        return measure(path, threads, machine, environment, looks)
    except BandwidthError:
        return None
