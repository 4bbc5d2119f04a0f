# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of all roles, as their argument specs have them, and what of a person's none of them takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ansible_collections.cloudbench.llama.plugins.module_utils.record.words import alike, did_you_mean
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import builds as catalog
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import yaml_file
from ansible_collections.cloudbench.llama.plugins.plugin_utils.request import tune_request
from ansible_collections.cloudbench.llama.plugins.plugin_utils.request.run_request import (
    VARIABLES,
    RequestError,
    RunRequest,
)

_ROLES = Path(__file__).resolve().parents[3] / "roles"

# What roles and playbooks of ours hand on under names of the roles, and nobody gives.
FACTS = frozenset(
    {
        "ec2_environment_of_a_run",
        "ec2_environment_fleet",
        "ec2_environment_fleets",
        "ec2_environment_paid",
        "ec2_environment_plan",
        "ec2_environment_price",
        "ec2_environment_reachable",
        "ec2_environment_spared",
        "llama_bench_machine",
        "llama_bench_plan",
        "llama_cpp_built",
        "llama_model_files",
        "llama_rpc_cluster",
        "llama_rpc_worker",
    }
)

# The least value of each number that is not part of a run's request, which has its own (run_request.VARIABLES).
LEAST: Mapping[str, float] = {
    "bench_report_threads": 0,
    "ec2_environment_budget_usd": 0,
    "ec2_environment_cluster_port": 0,
    "ec2_environment_timeout": 1,
    "ec2_environment_volume_gb": 0,
    "llama_bench_silence": 1,
    "llama_bench_time_limit": 0.001,
    "llama_cpp_explain_gcc": 0,
    "llama_cpp_jobs": 0,
    "llama_model_seed": 0,
    "llama_model_url_retries": 0,
    "llama_model_url_timeout": 1,
    "llama_rpc_minutes": 1,
    "llama_rpc_patience": 60,
    "llama_rpc_port": 1024,
    "llama_rpc_server_threads": 0,
}

# How much alike a name and one of a role's variables are, of 0 to 1, where it is taken for a misspelling of that.
NEAR = 0.85
# The same of the beginnings alone: one letter more or less.
NEAR_PREFIX = 0.95

# The variables of role llama_cpp that an entry of llama_cpp_builds may repeat without their prefix.
_BUILD_DEFAULTS = (
    "source_type", "package", "version", "sha256", "commit", "git_url", "git_ref", "path", "way", "processor",
)  # fmt: skip


def _options(data: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    entry_points = data["argument_specs"].values()
    return {name: entry for entry_point in entry_points for name, entry in entry_point.get("options", {}).items()}


@cache
def options() -> Mapping[str, Mapping[str, Any]]:
    """Return the entry in the argument specs of each variable of each role, by its name."""
    entries: dict[str, Mapping[str, Any]] = {}
    for path in sorted(_ROLES.glob("*/meta/argument_specs.yml")):
        entries.update(yaml_file.read(path, _options))
    return entries


@cache
def _prefixes() -> tuple[str, ...]:
    return tuple(f"{path.parents[1].name}_" for path in sorted(_ROLES.glob("*/meta/argument_specs.yml")))


def unknown(names: Iterable[str]) -> list[str]:
    """Return a sentence for each name that begins as the variables of a role do, and is none of them."""
    known = options()
    wrong = [name for name in map(str, names) if name.startswith(_prefixes()) and name not in known.keys() | FACTS]
    return [
        f"no role has a variable {name}; the nearest is {alike(name, known, cutoff=0.0)[0]}" for name in sorted(wrong)
    ]


def misspelled(names: Iterable[str]) -> list[str]:
    """Return a sentence for each name, of those given on the command line, that is nearly one of a role's variables.

    They begin nearly as those do, or are written in other letters, and so are no names for unknown(). What is less
    alike than NEAR may be a person's own variable.
    """
    known = options()
    said = []
    for name in sorted(map(str, names)):
        # A name of a role is none of a variable.
        if f"{name}_".startswith(_prefixes()) or name in known.keys() | FACTS:
            continue
        plain = name.lower()
        near = alike(plain, known, cutoff=NEAR)
        for role in _prefixes():
            begins = "_".join(plain.split("_")[: role.count("_")])
            if not near and alike(f"{begins}_", [role], cutoff=NEAR_PREFIX):
                near = alike(role + plain[len(begins) + 1 :], known, cutoff=0.0)
        if near:
            said.append(f"no role has a variable {name}; the nearest is {near[0]}")
    return said


def wrong_values(given: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each value that its variable cannot have on any machine.

    `given`: variables of the roles by name, without templates. The order is that of the names.
    """
    said = [*_choices(given), *_numbers(given), *_builds(given)]
    said += _search(given)
    asked = {field: given[variable.name] for field, variable in VARIABLES.items() if variable.name in given}
    try:
        request = RunRequest.of(asked)
    except RequestError as error:
        return [*said, str(error)]
    return [*said, *(f"{failure['cause']} {failure['advice']}" for failure in request.refused)]


def _search(given: Mapping[str, Any]) -> list[str]:
    """Return why a search for the best configuration cannot be meant; whoever asks for none is told too."""
    table = tune_request.VARIABLES
    try:
        tune_request.TuneRequest.of({field: given[row.name] for field, row in table.items() if row.name in given})
    except RequestError as error:
        return [str(error)]
    return []


def _choices(given: Mapping[str, Any]) -> list[str]:
    said = []
    for name, entry in options().items():
        choices = entry.get("choices")
        if choices is None or name not in given:
            continue
        values = _parts(given[name]) if entry.get("type") == "list" else [given[name]]
        said += [
            f"{name} is {value!r:.60}: choose from {', '.join(map(str, choices))}{did_you_mean(value, choices)}"
            for value in values
            if value not in choices
        ]
    return said


def _parts(value: Any) -> Sequence[Any]:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    return value if isinstance(value, Sequence) else [value]


def _numbers(given: Mapping[str, Any]) -> list[str]:
    said = []
    for name, least in LEAST.items():
        if name not in given:
            continue
        try:
            number = float(given[name])
        except (OverflowError, TypeError, ValueError):
            number = float("nan")
        if not number >= least:
            said.append(f"{name} must be {least:g} or more, not {given[name]!r:.40}")
    return said


def _builds(given: Mapping[str, Any]) -> list[str]:
    """Return why builds cannot be made anywhere; one that has no name is refused by the request."""
    entries = given.get(VARIABLES["builds"].name, [])
    # What is wrong with a variable that stands for all builds is told once.
    defaults = {
        key: given[name]
        for key in _BUILD_DEFAULTS
        if (name := f"llama_cpp_{key}") in given and not _choices({name: given[name]})
    }
    said = []
    for entry in entries if isinstance(entries, list) else [entries]:
        try:
            name = catalog.build_name(entry)
        except catalog.BuildError:
            continue
        if isinstance(entry, Mapping) and not isinstance(entry.get("cmake_options", {}), Mapping):
            said.append(f"cmake_options of build {name} is a mapping, not {entry['cmake_options']!r:.60}")
            continue
        try:
            catalog.resolve(entry, defaults)
        except catalog.BuildError as error:
            said.append(str(error))
    return said
