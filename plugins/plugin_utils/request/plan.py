# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a run on one host: which cells it promises, and what was asked for that cannot be measured."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypedDict

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import variant
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.cell import BY_LADDER, TWIN, tune_purpose
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.kind import Cell
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.registry import KINDS, SERVE, headline, kind_of
from ansible_collections.cloudbench.llama.plugins.module_utils.measure import cluster, ladder
from ansible_collections.cloudbench.llama.plugins.module_utils.models import imatrix
from ansible_collections.cloudbench.llama.plugins.module_utils.models.quantizations import lookup
from ansible_collections.cloudbench.llama.plugins.module_utils.models.source import (
    GENERATE,
    ModelSourceError,
    check_quantization,
    public_entry,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.record.envelope import failure
from ansible_collections.cloudbench.llama.plugins.module_utils.record.words import did_you_mean
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.progress import cell_text
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.summary import USUAL_TESTS, by_ladder
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import builds as catalog
from ansible_collections.cloudbench.llama.plugins.plugin_utils.request.run_request import (
    LEGACY,
    VARIABLES,
    Build,
    Duet,
    Model,
    Payload,
    RequestError,
    RunRequest,
    possible,
)
from ansible_collections.cloudbench.llama.plugins.plugin_utils.request.tune_request import TuneRequest

# From so many processors on a machine is a server. By a public report flash attention, llama.cpp's default, halves the
# speed of prompts on some of them (catalog/published.yml).
_SERVER_CPUS = 16
_WITHOUT_FLASH_ATTENTION = "fa=off"


class Plan(TypedDict):
    """What is promised of one machine.

    `cells` are to be measured, the most important first, and `duets` at the same moment, `b` against `a`; `models`,
    `quantizations` and `builds` are what is possible, as it was given, the quantizations by llama.cpp's spelling and
    the builds as far as cells need them; `files` are the pairs of a model's entry and a quantization that cells need,
    references before what is compared with them; `programs` are those of llama.cpp that tests need beside llama-bench;
    `failures` are payloads of failure records, one for each value that is not possible.
    """

    cells: list[Cell]
    duets: list[dict[str, Cell]]
    models: list[Any]
    quantizations: list[str]
    files: list[tuple[Any, str]]
    builds: list[Any]
    programs: list[str]
    failures: list[Payload]


def default_seed(run: str) -> int:
    """Return the seed of a run that was given none: it differs from run to run and can be had again from the id."""
    return zlib.crc32(run.encode("utf-8")) & 0x7FFFFFFF


def command(request: RunRequest, seed: int) -> str:
    """Return the command that asks for the same again.

    From what was planned, never from the command line used, which may hold a secret.
    """
    together = any(variant.hosts({"variant": text}) > 1 for text in request.variants)
    return _command("playbooks/cluster.yml" if together else "site.yml", request.variables(seed))


def _command(playbook: str, variables: Mapping[str, Any]) -> str:
    return "ansible-playbook %s -e '%s'" % (playbook, json.dumps(variables).replace("'", "'\\''"))


def run_payload(
    request: RunRequest,
    plan: Plan,
    seed: int,
    machine: Payload,
    versions: Payload,
    price: Payload | None,
    fleet: Payload | None = None,
) -> Payload:
    """Return what the run record says of a request and its plan.

    `versions`: what made the plan, by name; `price`: what an hour of the host costs, None where nobody says so;
    `fleet`: of how many instances it is one, where they are fewer than were asked for.
    """
    return {
        "cells": plan["cells"],
        "launches": request.launches,
        "launches_most": request.launches_most,
        "repetitions": request.repetitions,
        "quick": request.quick,
        "time_limit_s": request.minutes * 60,
        "slots": request.slots,
        "slo": {"ttft_s": request.slo_ttft_s, "tpot_s": request.slo_tpot_s},
        **(
            {"quality_limit_percent": request.quality_limit_percent}
            if any("reference" in cell for cell in plan["cells"])
            else {}
        ),
        "seed": seed,
        "versions": versions,
        "emulated": machine["emulated"],
        **({"environment": dict(request.environment)} if request.environment else {}),
        **({"price": price} if price else {}),
        **({"fleet": fleet} if fleet else {}),
        "command": command(request, seed),
    }


def _threads(count: int, machine: Payload) -> int:
    most = machine["cpu_count"]
    if count > most:
        raise RequestError(
            f"{count} threads are more than the {most} processors of {machine['name']}: choose 1 to {most}"
        )
    return count


def _quantization(name: str, machine: Payload) -> str:
    """Return the name of a quantization; LEGACY is the removed file type that was made for this machine's processor."""
    if name != LEGACY:
        return name
    processor = machine.get("processor") or {}
    if not processor.get("legacy_type"):
        who = processor.get("title") or f"the processor of {machine['name']}"
        raise RequestError(
            f"llama.cpp never had a file type of its own for {who}: leave {LEGACY!r} out, or name Q4_0_4_4, Q4_0_4_8 "
            "or Q4_0_8_8"
        )
    return str(processor["legacy_type"])


def unrecorded(records: list[dict[str, Any]], promised: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Return a line for each promised cell of which the store says nothing: no launch, no failure, no omission.

    `records`: those of one run. `promised`: the cells the hosts of this run remember, by machine name; they count
    beside those of the run records, so that a store that took nothing does not pass for one where all is well.
    """
    cells = [(machine, cell) for machine, remembered in promised.items() for cell in remembered]
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


def with_twin(cells: list[Cell]) -> list[Cell]:
    """Return the cells, with a second copy of the first one of generation beside it.

    Both are measured in the same blocks: what differs between them differs for no reason, and is the noise floor.
    """
    for index, cell in enumerate(cells, start=1):
        if headline(cell) == "tg_tps":
            return [*cells[:index], {**cell, "purpose": TWIN}, *cells[index:]]
    return cells


def _variants(request: RunRequest, machine: Payload, build: Build, test: Cell) -> list[str]:
    """Return the variants of a test with a build, "" for llama.cpp's defaults.

    Where none are asked for, a server measures the two usual tests without flash attention too. A test that says a
    setting itself is not combined with a variant that says the same one.
    """
    if request.asked["variants"]:
        known = [text for text in request.variants if variant.applies(text, test) and _sends(text, test)]
        return known or [""] * bool(request.variants)
    server = machine["cpu_count"] >= _SERVER_CPUS and not machine.get("emulated") and not request.quick
    usual = test["test"] in USUAL_TESTS and not build.reads_legacy
    return ["", _WITHOUT_FLASH_ATTENTION] if server and usual else [""]


def _sends(text: str, test: Cell) -> bool:
    """Say whether a test sends the requests that the servers of a variant share, if it has any."""
    return variant.servers({"variant": text}) == 1 or kind_of(test) is SERVE


def _check_servers(request: RunRequest, cells: list[Cell]) -> None:
    """Refuse servers= of which no test sends requests, or that would need several servers on a host.

    Raises RequestError.
    """
    for text in request.variants:
        if not any(_sends(text, test) for test in request.tests):
            raise RequestError(
                f"the variant {text!r} has servers that share requests, and no test of this run sends any: add one, "
                f"such as {SERVE.examples[0]}"
            )
    try:
        cluster.served(cells)
    except cluster.ClusterError as error:
        raise RequestError(str(error)) from error


def _combination(cell: Cell) -> tuple[str, ...]:
    """Return what a side of a duet names of a cell."""
    settings = variant.settings_of(cell.get("variant", ""))
    words = [f"{name}={value}" for name, value in settings.items()]
    return cell["build"], cell["model"], cell["quantization"], *words


def _side(cell: Cell, test: Cell) -> Cell:
    """Return a side of a duet of one test, of the combination of a cell. Its threads are the cores of a half."""
    names = [name for name in ("model", "quantization", "build", "variant") if name in cell]
    return {**{name: cell[name] for name in names}, "threads": BY_LADDER, **test}


def _named(words: tuple[str, ...], there: Mapping[tuple[str, ...], Cell]) -> Cell:
    """Return the first combination of the run that has all the names of a side. Raises RequestError without any.

    Settings that are named are all that it has. Where none are, one without goes before those that have some.
    """
    settings = {word for word in words if "=" in word}
    fitting = [
        (combination, cell)
        for combination, cell in there.items()
        if set(words) <= set(combination) and settings in (set(), {word for word in combination if "=" in word})
    ]
    if fitting:
        return min(fitting, key=lambda named: len(named[0]))[1]
    known = list(dict.fromkeys(name for combination in there for name in combination))
    unknown = [word for word in words if word not in known]
    hint = did_you_mean(unknown[0], known) if unknown else ""
    raise RequestError(
        f"no cell of this run has {' and '.join(words)}, a side of a duet; there is {', '.join(known) or 'none'}{hint}"
    )


def _pairs(duet: Duet, request: RunRequest, cells: list[Cell]) -> list[dict[str, Cell]]:
    """Return the pairs that an entry of the request stands for. Raises RequestError."""
    there: dict[tuple[str, ...], Cell] = {}
    for cell in cells:
        there.setdefault(_combination(cell), cell)
    tests = list(duet.tests) or [test for test in request.tests if test["test"] in USUAL_TESTS]
    if not duet.auto:
        if not tests:
            raise RequestError(
                f"a duet of {' '.join(duet.a)} and {' '.join(duet.b)} has no test: the run asks for neither "
                f"{' nor '.join(USUAL_TESTS)}, and the duet names none in tests"
            )
        a, b = _named(duet.a, there), _named(duet.b, there)
        if max(variant.hosts(a), variant.hosts(b)) > 1:
            raise RequestError(
                f"a duet of {' '.join(duet.a)} and {' '.join(duet.b)} is of several hosts, whose RPC servers serve one "
                "client at a time: leave it out of llama_bench_duets, and compare launches in turns"
            )
        if a == b and duet.a != duet.b:
            raise RequestError(
                f"both sides of a duet, {' '.join(duet.a)} and {' '.join(duet.b)}, are {' '.join(_combination(a))} in "
                "this run: name what differs, or have it measured too"
            )
        pairs = [{"a": _side(a, test), "b": _side(b, test)} for test in tests if _fits(test, a, b)]
        if not pairs:
            raise RequestError(
                f"a duet of {' '.join(duet.a)} and {' '.join(duet.b)} has nothing to measure: "
                f"{', '.join(test['test'] for test in tests)} says itself what a side sets; name another test"
            )
        return pairs
    # Whoever runs a server serves one client at a time.
    alike = [cell for cell in there.values() if _of_first(cell, cells[0]) and variant.hosts(cell) == 1]
    if not alike:
        return []
    return [
        {"a": _side(alike[0], test), "b": _side(cell, test)}
        for test in tests
        for cell in alike[1:]
        if _fits(test, alike[0], cell)
    ]


def _fits(test: Cell, *cells: Cell) -> bool:
    """Say whether a test can be combined with the variants of some cells."""
    return all(variant.applies(cell.get("variant", ""), test) for cell in cells)


def _of_first(cell: Cell, first: Cell) -> bool:
    return (cell["model"], cell["quantization"]) == (first["model"], first["quantization"])


def _duets(request: RunRequest, cells: list[Cell], machine: Payload, failures: list[Payload]) -> list[dict[str, Cell]]:
    """Return the pairs that are to be measured at the same moment.

    AUTO asks for nothing on one core, of an emulated machine or in a quick run; a person may ask for a pair there.
    """
    cores = ladder.cores(machine)

    def pairs_of(duet: Duet) -> list[dict[str, Cell]]:
        if duet.auto and (cores < 2 or machine.get("emulated") or request.quick or not cells):
            return []
        if cores < 2:
            raise RequestError(
                f"a duet needs two cores, one for each side, and {machine['name']} has {cores}: leave it out of "
                "llama_bench_duets, and compare launches in turns"
            )
        return _pairs(duet, request, cells)

    every = possible(request.duets, pairs_of, "llama_bench_duets", failures)
    pairs: list[dict[str, Cell]] = []
    for pair in (pair for of_entry in every for pair in of_entry):
        if pair not in pairs and {"a": pair["b"], "b": pair["a"]} not in pairs:
            pairs.append(pair)
    return pairs


def _without_meaning(test: Cell, model: Model) -> bool:
    """Say whether a test is of what real weights have and a model has not."""
    return kind_of(test).real_weights and model.source.way == GENERATE


def _not_to_be_had(request: RunRequest, quantizations: list[str], failures: list[Payload]) -> set[tuple[str, str]]:
    """Return the models with quantizations that cannot be had of them, after saying why of each."""
    lost = set()
    for model in request.models:
        for name in quantizations:
            try:
                check_quantization(model.source, lookup(name))
            except ModelSourceError as error:
                lost.add((model.name, name))
                advice = f"Correct {VARIABLES['quantizations'].name}."
                failures.append(failure("plan", f"{error}.", advice, asked_for=f"{model.name} {name}"))
    return lost


def _files(request: RunRequest, cells: list[Cell]) -> list[tuple[Any, str]]:
    """Return the pairs of a model's entry, as it may be shown, and a quantization that cells need, references first."""
    pairs: dict[tuple[str, str], tuple[Any, str]] = {}
    for model in request.models:
        asked = [cell for cell in cells if cell["model"] == model.name]
        references = [cell["reference"] for cell in asked if "reference" in cell]
        for name in [*references, *(cell["quantization"] for cell in asked)]:
            pairs[model.name, name] = public_entry(model.entry), name
    return list(pairs.values())


def _for_models(quantizations: list[str]) -> set[str]:
    """Return the programs that making files of these quantizations needs beside llama-quantize."""
    return {imatrix.PROGRAM} if any(lookup(name).imatrix for name in quantizations) else set()


def make_plan(request: RunRequest, machine: Payload) -> Plan:
    """Return the plan of a request on one machine, of whose record `machine` is the payload.

    Its cells are every combination of what is possible, test by test in the order given (what comes first matters
    most), except that a file type that llama.cpp removed is measured by the builds that read it: those asked for that
    do, else the ready build of that purpose, which then joins; such builds get the tests that they know. Where no
    threads are asked for, the ladder of the run chooses them (BY_LADDER); variants as _variants() says. With `twin` a
    run that is not quick measures one cell of generation twice.
    """
    failures = list(request.refused)
    quantizations = possible(
        request.quantizations, lambda name: _quantization(name, machine), "llama_model_quantizations", failures
    )
    threads = possible(request.threads, lambda count: _threads(count, machine), "llama_bench_threads", failures)
    if not request.asked["threads"]:
        threads = [BY_LADDER]
    builds = list(request.builds)
    everyday, legacy = builds, [build for build in builds if build.reads_legacy]
    if not legacy and any(lookup(name).legacy for name in quantizations):
        legacy = [Build(catalog.LEGACY, catalog.LEGACY)]
        builds = builds + legacy
    lost = _not_to_be_had(request, quantizations, failures)
    cells = [
        {
            "model": model.name,
            "quantization": quantization,
            "build": build.name,
            "threads": count,
            **test,
            **({"variant": settings} if settings else {}),
            **{name: getattr(request, name) for name in kind_of(test).needs},
        }
        for test in request.tests
        for model in request.models
        if not _without_meaning(test, model)
        for quantization in quantizations
        if (model.name, quantization) not in lost
        for build in (legacy if lookup(quantization).legacy else everyday)
        # A build that reads removed file types knows none of what came later.
        if kind_of(test).plain(test) or not build.reads_legacy
        for settings in _variants(request, machine, build, test)
        for count in threads
    ]
    _check_servers(request, cells)
    failures += [
        failure(
            "plan",
            f"{test['test']} of {model.name} has no meaning: its weights are random, which predict nothing.",
            "Ask for a model with real weights, such as smollm2-135m, or leave that test out of llama_bench_tests.",
            asked_for=f"{test['test']} of {model.name}",
        )
        for test in request.tests
        for model in request.models
        if _without_meaning(test, model)
    ]
    needed = {cell["build"] for cell in cells}
    first = next(iter(KINDS.values())).program
    return {
        "cells": with_twin(cells) if request.twin and not request.quick else cells,
        "duets": _duets(request, cells, machine, failures),
        # Ansible shows a plan at -v: what in an address may be a secret only the role has that obtains the models.
        "models": [public_entry(model.entry) for model in request.models],
        "quantizations": quantizations,
        "files": _files(request, cells),
        "builds": [build.entry for build in builds if build.name in needed],
        "programs": sorted({kind_of(cell).program for cell in cells} - {first} | _for_models(quantizations)),
        "failures": failures,
    }


# Variables of a run that say nothing to a search, which has tests and settings of its own.
_NOT_SEARCHED = ("tests", "variants", "twin", "repetitions", "minutes")


def make_search(request: RunRequest, tune: TuneRequest, machine: Payload) -> tuple[Plan, Payload]:
    """Return the plan of a search on one machine, and the option `tune` of module llama_bench.

    Its cells are the defaults of the first build, one for each objective, model and quantization: what everything that
    is tried is compared with. Raises RequestError.
    """
    if request.asked["variants"]:
        raise RequestError(
            "llama_bench_variants says nothing to a search: leave it out, or name the values to try in "
            "llama_bench_tune_space"
        )
    failures: list[Payload] = []
    counts = possible(request.threads, lambda count: _threads(count, machine), "llama_bench_threads", failures)
    cells: dict[tuple[str, str, str], Cell] = {}
    plain = {**request.asked, "threads": [], "variants": ["default"]}
    tests = {objective: tune.test(objective, request) for objective in tune.objectives}
    alone = replace(request, tests=tuple(tests.values()), threads=(), variants=("",), twin=False, asked=plain)
    plan = make_plan(alone, machine)
    for objective, test in tests.items():
        for cell in plan["cells"]:
            if cell["test"] == test["test"]:
                key = (objective, cell["model"], cell["quantization"])
                cells.setdefault(key, {**cell, "purpose": tune_purpose(objective)})
    programs = sorted({*plan["programs"], KINDS["serve"].program})
    searched: Plan = {
        **plan,
        "cells": list(cells.values()),
        "programs": programs,
        "failures": [*plan["failures"], *failures],
    }
    return searched, {"space": dict(tune.space), "threads": counts, "limit_bytes": tune.limit_bytes or 0}


def search_payload(payload: Payload, request: RunRequest, tune: TuneRequest, seed: int) -> Payload:
    """Return run_payload() as that of a search."""
    variables = request.variables(seed)
    for field in _NOT_SEARCHED:
        variables.pop(VARIABLES[field].name, None)
    repeated = (VARIABLES["models"].name, VARIABLES["builds"].name)
    asked: Payload = {
        "objectives": list(tune.objectives),
        "variables": {name: variables[name] for name in repeated if name in variables},
        **({"limit_bytes": tune.limit_bytes} if tune.limit_bytes else {}),
    }
    command = _command("playbooks/tune.yml", {**variables, **tune.variables()})
    return {**payload, "time_limit_s": tune.minutes * 60, "tune": asked, "command": command}
