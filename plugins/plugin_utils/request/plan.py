# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a run on one host: which cells it promises, and what was asked for that cannot be measured."""

from __future__ import annotations

import zlib
from typing import Any

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import workload
from ansible_collections.cloudbench.llama.plugins.module_utils.models.quantizations import QuantizationError, lookup
from ansible_collections.cloudbench.llama.plugins.module_utils.models.source import (
    ModelSourceError,
    parse,
    public_entry,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.record.envelope import failure
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.progress import cell_text
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import ENOUGH_LAUNCHES, by_ladder
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import builds as llama_cpp


class PlanError(ValueError):
    """Something that was asked for is not possible; the message names it, the rule and the remedy."""


def parse_test(text: Any, slots: int) -> dict[str, Any]:
    """Return the fields of a cell that a test's name stands for; see kinds/workload.py. Raises PlanError."""
    try:
        cell = workload.parse_test(text)
    except workload.WorkloadError as error:
        raise PlanError(str(error)) from error
    users = cell.get("concurrency", 1)
    if workload.kind(cell) == workload.SERVE and users > slots:
        raise PlanError(
            f"{text} has {users} users at once, and the server {slots} slots: the others would wait for a slot, not "
            "for the processor; raise llama_bench_slots or ask for fewer"
        )
    return cell


def model_name(model: Any) -> str:
    """Return the name of a model as llama_model_models may hold it: a preset's name or a mapping. Raises PlanError."""
    try:
        return parse(model).name
    except ModelSourceError as error:
        raise PlanError(str(error)) from error


def _threads(value: Any, machine: dict[str, Any]) -> int:
    most = machine["cpu_count"]
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise PlanError(f"threads must be a whole number, not {value!r}") from None
    if number < 1:
        raise PlanError(f"threads must be 1 or more, not {number}")
    if number > most:
        raise PlanError(
            f"{number} threads are more than the {most} processors of {machine['name']}: choose 1 to {most}"
        )
    return number


def default_seed(run: str) -> int:
    """Return the seed of a run that was given none: it differs from run to run and can be had again from the id."""
    return zlib.crc32(run.encode("utf-8")) & 0x7FFFFFFF


def most_launches(launches: int, most: int) -> int:
    """Return the launches at which a cell is given up as UNSTABLE; a quick run launches what it was asked to."""
    return max(launches, most) if launches >= ENOUGH_LAUNCHES else launches


def public_model(model: Any) -> Any:
    """Return a model as it was asked for, short of what may be a secret."""
    return public_entry(model)


# The word for the file type that llama.cpp once had for the very processor.
LEGACY = "legacy"


def quantization_name(name: Any, machine: dict[str, Any]) -> str:
    """Return the name of a quantization; LEGACY is the removed file type that was made for this machine's processor.

    Raises PlanError and QuantizationError.
    """
    if name != LEGACY:
        return lookup(str(name)).name
    known = machine.get("processor") or {}
    if not known.get("legacy_type"):
        who = known.get("title") or f"the processor of {machine['name']}"
        raise PlanError(
            f"llama.cpp never had a file type of its own for {who}: leave {LEGACY!r} out, or name Q4_0_4_4, Q4_0_4_8 "
            "or Q4_0_8_8"
        )
    return str(known["legacy_type"])


def unrecorded(records: list[dict[str, Any]], promised: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Return a line for each promised cell of which the store says nothing: no launch, no failure, no omission.

    `records`: those of one run. `promised`: the cells the hosts of this run remember, by machine name; they count
    beside those of the run records, so that a store that took nothing does not pass for one where all is well.
    """
    cells = [(machine, cell) for machine, own in promised.items() for cell in own]
    told = []
    for record in records:
        payload = record["payload"]
        if record["kind"] == "run":
            cells += [(record["machine"], cell) for cell in payload["cells"]]
        elif record["kind"] in ("launch", "failure", "omitted"):
            cell = payload.get("cell")
            told += [(record["machine"], cell), (record["machine"], cell and by_ladder(cell))]
    missing: dict[str, None] = {}
    for machine, cell in cells:
        if (machine, cell) not in told:
            missing[f"{machine}: nothing is on record of {cell_text(cell)}"] = None
    return list(missing)


class _Sorter:
    """Keeps what can be measured and turns what cannot into failures, so that one bad value stops no other."""

    def __init__(self) -> None:
        self.failures: list[dict[str, Any]] = []

    def sort(self, values: list[Any], check: Any, advice: str) -> list[Any]:
        good: list[Any] = []
        for value in values:
            try:
                checked = check(value)
            except (PlanError, QuantizationError, llama_cpp.BuildError) as error:
                cause = str(error) if str(error).endswith("?") else f"{error}."
                self.failures.append(failure("plan", cause, advice, asked_for=str(public_model(value))[:200]))
            else:
                if checked not in good:
                    good.append(checked)
        return good

    def sort_named(self, values: list[Any], name_of: Any, advice: str) -> dict[str, Any]:
        """Return what is valid by its name; two different things of one name are a mistake."""
        named: dict[str, Any] = {}

        def check(value: Any) -> str:
            name = name_of(value)
            if named.setdefault(name, value) != value:
                raise PlanError(f"two different entries are called {name!r}: give each a name of its own")
            return name

        return {name: named[name] for name in self.sort(values, check, advice)}


def _understood(build: Any, test: dict[str, Any]) -> bool:
    """Say whether a build may be asked for a test: one that reads removed file types knows none of what came later."""
    plain = workload.kind(test) == workload.BENCH and not test["n_depth"] and not {"load", "repack"} & set(test)
    return plain or not llama_cpp.reads_legacy(build)


def with_twin(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the cells, with a second copy of the first one of generation beside it.

    Both are measured in the same blocks: what differs between them differs for no reason, and is the noise floor.
    """
    for index, cell in enumerate(cells, start=1):
        if workload.headline(cell) == "tg_tps":
            return [*cells[:index], {**cell, "purpose": workload.TWIN}, *cells[index:]]
    return cells


def make_plan(
    models: list[Any],
    quantizations: list[str],
    threads: list[Any],
    tests: list[str],
    builds: list[Any],
    machine: dict[str, Any],
    slots: int = 4,
    twin: bool = False,
) -> dict[str, Any]:
    """Return {"cells", "models", "quantizations", "builds", "programs", "failures"} for one machine.

    `cells` is every combination of what is valid, test by test in the order given (what comes first matters most),
    except that a file type that llama.cpp removed is measured by the builds that read it: those asked for that do, else
    the ready build of that purpose, which then joins `builds`; such builds get the tests that they know. `models`,
    `quantizations` and `builds` are what is valid as it was given, the quantizations by their own names; `programs` are
    those of llama.cpp that tests need beside llama-bench; `failures` are payloads of failure records, one for each
    value that is not valid. `machine` is the payload of its record; an empty `threads` leaves them to the ladder of the
    run (workload.BY_LADDER). `slots` are those of the server; with `twin` one cell of generation has a second copy.
    """
    sorter = _Sorter()
    good_models = sorter.sort_named(models, model_name, "Correct llama_model_models.")
    good_quantizations = sorter.sort(
        quantizations, lambda name: quantization_name(name, machine), "Correct llama_model_quantizations."
    )
    good_builds = sorter.sort_named(builds, llama_cpp.build_name, "Correct llama_cpp_builds.")
    good_threads = sorter.sort(threads, lambda value: _threads(value, machine), "Correct llama_bench_threads.")
    if not threads:
        good_threads = [workload.BY_LADDER]
    good_tests = sorter.sort(tests, lambda name: parse_test(name, slots), "Correct llama_bench_tests.")
    legacy = [name for name, entry in good_builds.items() if llama_cpp.reads_legacy(entry)]
    if not legacy and any(lookup(name).legacy for name in good_quantizations):
        legacy = [llama_cpp.LEGACY]
        good_builds[llama_cpp.LEGACY] = llama_cpp.LEGACY
        everyday = [name for name in good_builds if name != llama_cpp.LEGACY]
    else:
        everyday = list(good_builds)
    cells = [
        {"model": model, "quantization": quantization, "build": build, "threads": count, **test}
        for test in good_tests
        for model in good_models
        for quantization in good_quantizations
        for build in (legacy if lookup(quantization).legacy else everyday)
        if _understood(good_builds[build], test)
        for count in good_threads
    ]
    used = {cell["build"] for cell in cells}
    return {
        "cells": with_twin(cells) if twin else cells,
        "models": list(good_models.values()),
        "quantizations": good_quantizations,
        "builds": [entry for name, entry in good_builds.items() if name in used],
        "programs": sorted({workload.KINDS[workload.kind(cell)].program for cell in cells} - {"llama-bench"}),
        "failures": sorter.failures,
    }
