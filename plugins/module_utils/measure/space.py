# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a search may set: the factors that a machine and its builds have, their values, and which factors interact.

A configuration has a value for each factor: a build, numbers of threads, and settings of kinds/variant.py, of which
None is llama.cpp's own.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Sequence

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry, variant
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.kind import Cell
from ansible_collections.cloudbench.llama.plugins.module_utils.measure import ladder
from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope

# The objective that has a limit in bytes.
MEMORY = "memory"
# What became of a configuration.
TAKEN, DROPPED, REFUSED, TOO_LARGE, OPEN = "taken", "dropped", "refused", "too large", "open"

# By factor.
Config = Dict[str, Any]

# One type for keys and values: a V cache of another type than K takes slower ways, and is asked for by name only.
KV = "kv"
_OF_JOB = ("build", "threads", "threads_batch")
# In the order of the effect that is expected of them, the largest first.
FACTORS = (*_OF_JOB, "fa", "ubatch", "batch", "repack", "numa", "thp", "load", KV, "poll", "cpu-mask", "cpu-strict")
# Where the best value of one may depend on that of the other.
INTERACTING = (
    ("build", "threads"), ("build", "fa"), ("build", "repack"), ("threads", "threads_batch"), ("threads", "numa"),
    ("fa", "ubatch"), ("fa", KV), ("ubatch", "batch"), ("repack", "load"), ("load", "thp"), ("repack", "thp"),
    ("threads", "cpu-mask"), ("cpu-mask", "cpu-strict"),
)  # fmt: skip
# What changes the memory that a launch needs.
OF_MEMORY = ("load", "repack", KV, "ubatch")
# More threads than this many digits say no machine has.
_DIGITS = 5
# How many tokens are computed at once, unless a launch is told otherwise, and what is tried instead.
_UBATCHES = (128, 256, 512, 1024, 2048)


class SpaceError(ValueError):
    """A space that cannot be meant; the message names the value, the rule and the remedy."""


def checked_space(asked: Mapping[str, Any]) -> Dict[str, List[Any]]:
    """Return the values of a space that a person asks for, by factor, as a configuration has them. Raises SpaceError.

    An empty list leaves a factor as llama.cpp has it. Builds are asked for elsewhere.
    """
    known: Dict[str, List[Any]] = {}
    for factor, values in asked.items():
        if factor not in FACTORS or factor == "build":
            raise SpaceError("%.40r is no factor of a search: the factors are %s" % (factor, ", ".join(set_factor())))
        if not isinstance(values, (list, tuple)):
            values = [values]
        known[factor] = [_value(factor, value) for value in values]
    return known


def set_factor() -> List[str]:
    """Return the names of the factors that a person may set."""
    return [factor for factor in FACTORS if factor != "build"]


def _value(factor: str, value: Any) -> Any:
    if factor in _OF_JOB:
        number = str(value)
        if not (number.isdecimal() and len(number) < _DIGITS and int(number)):
            raise SpaceError("%s of a search are whole numbers from 1 to 9999, not %.40r" % (factor, value))
        return int(number)
    name = "ctk" if factor == KV else factor
    try:
        text = variant.parse({name: value} if factor != "cpu-strict" else {name: value, "cpu-mask": "0x1"})
    except variant.VariantError as error:
        raise SpaceError(str(error)) from error
    return variant.settings_of(text)[name]


def space_of(
    test: Cell,
    builds: Sequence[str],
    machine: Mapping[str, Any],
    threads: Sequence[int],
    asked: Mapping[str, List[Any]],
) -> Dict[str, List[Any]]:
    """Return the values of each factor of a test on a machine (the payload of its record), llama.cpp's own first.

    `threads`: counts that are asked for, those of the ladder without any. `asked`: as checked_space() returns it.
    """
    kind = registry.kind_of(test)
    counts = list(threads) or [rung.threads for rung in ladder.rungs(dict(machine)) if rung.numa is None]
    prompts = test["n_prompt"] * test.get("concurrency", 1)
    kernel = machine.get("transparent_hugepages")
    values: Dict[str, List[Any]] = {
        "threads": counts,
        "threads_batch": counts if kind is not registry.BENCH else [],
        "fa": ["on", "off"],
        "ubatch": [str(size) for size in _UBATCHES if size <= prompts],
        "repack": ["off"],
        "numa": ["distribute", "isolate"] if (machine.get("numa_nodes") or 1) > 1 else [],
        "thp": {"always": ["on", "off"], "madvise": ["on"]}.get(str(kernel), []),
        "load": ["none"],
        # Of fewer bits it tells on what the model says: who can bear that asks for it.
        KV: ["q8_0"],
    }
    values.update(asked)
    # A launch has some number of threads, if nobody says which: one on each core.
    values["threads"] = values["threads"] or [ladder.cores(machine)]
    values["build"] = list(builds)
    return {
        factor: ([] if factor in _OF_JOB else [None]) + list(values[factor]) for factor in FACTORS if values.get(factor)
    }


def start(space: Mapping[str, List[Any]], cores: int) -> Config:
    """Return the configuration that a person has who sets nothing: the first build, a thread on each of the cores."""
    config = {factor: values[0] for factor, values in space.items()}
    for factor in _OF_JOB[1:]:
        if factor in space:
            config[factor] = cores if cores in space[factor] else max(space[factor])
    return config


def cell_of(config: Config, base: Cell) -> Cell:
    """Return the cell of a configuration; `base` is one of the same test. Raises variant.VariantError.

    Settings that cannot go together are refused by variant.parse().
    """
    cell = dict(base, build=config["build"], threads=config["threads"])
    if config.get("threads_batch", config["threads"]) != config["threads"]:
        cell["threads_batch"] = config["threads_batch"]
    settings: Dict[str, Any] = {}
    for factor in settings_factors(config):
        value = config[factor]
        settings.update({"ctk": value, "ctv": value} if factor == KV else {factor: value})
    text = variant.parse(settings)
    return dict(cell, variant=text) if text else cell


def settings_factors(config: Config) -> List[str]:
    """Return the factors in which a configuration says something else than llama.cpp, builds and threads aside."""
    return [factor for factor, value in config.items() if factor not in _OF_JOB and value is not None]


def key_of(config: Config) -> str:
    """Return what identifies a configuration."""
    return envelope.canonical(config)


def differing(config: Config, other: Config) -> List[str]:
    """Return the factors in which two configurations of one space differ."""
    return [factor for factor, value in config.items() if value != other[factor]]


def steps() -> List[Sequence[str]]:
    """Return what is searched, one after the other: each factor, then the pairs that interact."""
    single: List[Sequence[str]] = [(factor,) for factor in FACTORS]
    return [*single, *INTERACTING]


def partners(factor: str) -> List[str]:
    """Return the factors on whose values the best one of a factor may depend."""
    return [other for pair in INTERACTING if factor in pair for other in pair if other != factor]


def neighbours(space: Mapping[str, List[Any]], champion: Config, step: Sequence[str]) -> List[Config]:
    """Return the configurations that differ from the champion in exactly the factors of a step.

    Of thread counts those of less than a quarter are left out: they are slow to launch, and are reached by steps.
    """
    configs = [dict(champion)]
    if not set(step) <= set(space):
        return []
    for factor in step:
        values = [value for value in space[factor] if value != champion[factor]]
        if factor in _OF_JOB[1:]:
            values = [value for value in values if value * 4 >= champion[factor]]
        configs = [dict(config, **{factor: value}) for config in configs for value in values]
    return configs


def as_it_is(factor: str, value: Any, row: Mapping[str, Any]) -> bool:
    """Say whether a value is what a launch without it had anyway, by llama-bench's row of that launch."""
    if factor in _OF_JOB or value is None:
        return False
    setting = variant.SETTINGS["ctk" if factor == KV else factor]
    had = row.get(setting.field)
    if had is None:
        return False
    if factor == "fa" and str(had) in ("-1", "auto"):
        # Decided by llama.cpp, which has it for every processor.
        had = 1
    if isinstance(had, bool):
        had = int(had)
    wanted = setting.values.get(value, value) if isinstance(setting.values, dict) else value
    return bool(str(had) == wanted)
