# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run is asked for: one table, that the roles, the documentation and the planners agree with."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.cloudbench.llama.plugins.doc_fragments.run_request import ModuleDocFragment
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings
from ansible_collections.cloudbench.llama.plugins.plugin_utils.request.run_request import (
    OPTION,
    VARIABLES,
    RequestError,
    RunRequest,
    defaults,
)

ROOT = Path(__file__).resolve().parents[5]


def of_role(name: str, path: str) -> Any:
    """A file of the role that a variable belongs to."""
    role = next(role for role in sorted((ROOT / "roles").iterdir()) if name.startswith(f"{role.name}_"))
    return yaml.safe_load((role / path).read_text("utf-8"))


def bare(options: dict[str, Any], inner: str) -> dict[str, Any]:
    """Options short of their descriptions; `inner`: the key of the options of a mapping."""
    kept = ("type", "elements", "default", "required")
    return {
        name: {
            **{key: option[key] for key in kept if option.get(key) is not None},
            **({"options": bare(option[inner], inner)} if inner in option else {}),
        }
        for name, option in options.items()
    }


OPTIONS = bare({field: dict(variable.specification) for field, variable in VARIABLES.items()}, "options")


@pytest.mark.parametrize(("field", "name"), [(field, variable.name) for field, variable in VARIABLES.items()])
def test_the_roles_have_the_same_types_and_defaults(field: str, name: str) -> None:
    option = OPTIONS[field]
    default = of_role(name, "defaults/main.yml")[name]
    assert default == option.get("default")
    specified = of_role(name, "meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    assert bare({name: specified[name]}, "options") == {name: option}


def test_the_documentation_has_the_same_options() -> None:
    documented = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    assert bare(documented, "suboptions") == {"request": {**OPTION, "options": OPTIONS}}


def test_an_empty_request_is_the_default_one() -> None:
    request = RunRequest.of({})
    assert request == RunRequest.of(defaults())
    assert [model.name for model in request.models] == ["llama-3.2-1b-synthetic"]
    assert request.settings == LaunchSettings(repetitions=2, slots=4, requests=4, slo_ttft_s=2.0, slo_tpot_s=0.1)
    assert (request.launches, request.launches_most, request.minutes, request.twin) == (6, 30, 60, True)
    assert (request.price, request.seed, request.refused) == (None, None, ())


def test_a_request_is_not_changed_once_it_is_made() -> None:
    request = RunRequest.of({})
    with pytest.raises(dataclasses.FrozenInstanceError):
        request.launches = 1  # type: ignore[misc]  # what the test is about
    defaults()["tests"].append("pp1")
    assert RunRequest.of({}) == request


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"slotz": 8}, "a run is not asked for by 'slotz', but by models, .*; did you mean slots?"),
        ({"launches": 0}, "llama_bench_launches must be 1 or more, not 0"),
        ({"launches_most": 0}, "llama_bench_launches_most must be 1 or more, not 0"),
        ({"repetitions": -1}, "llama_bench_repetitions must be 1 or more, not -1"),
        ({"minutes": -1}, "llama_bench_minutes must be 0 or more, not -1"),
        ({"minutes": float("nan")}, "llama_bench_minutes is a number, not nan"),
        ({"minutes": "soon"}, "llama_bench_minutes is a number, not 'soon'"),
        ({"minutes": True}, "llama_bench_minutes is a number, not True"),
        ({"twin": "perhaps"}, "llama_bench_twin is true or false, not 'perhaps'"),
        ({"tests": {}}, r"llama_bench_tests is a list, not \{\}"),
        ({"seed": "x"}, "llama_bench_seed is a number, not 'x'"),
        ({"slots": 0}, "llama_bench_slots must be 1 or more, not 0"),
        ({"requests": 1.5}, "llama_bench_requests is a whole number, not 1.5"),
        ({"slo": {"ttft_s": 1}}, "llama_bench_slo needs tpot_s, a number of seconds above 0"),
        ({"slo": {"ttft_s": 0, "tpot_s": 1}}, "ttft_s of llama_bench_slo must be above 0, not 0"),
        ({"slo": "fast"}, "llama_bench_slo is a mapping, not 'fast'"),
        ({"price": {"usd_hour": 1}}, "the price of a host has no date"),
        ({"slots": -(10**400)}, "llama_bench_slots must be 1 or more, not -1000"),
        ({"slo": {"ttft_s": -(10**400), "tpot_s": 1}}, "ttft_s of llama_bench_slo must be above 0, not -1000"),
        ({"variants": [{"fa": float("inf")}]}, "llama_bench_variants holds .inf, .nan or a list that is nested"),
        ({"reference": 16}, "llama_model_reference: '16' is no quantization"),
        (
            {"price": {"usd_hour": 1, "date": "2026-11-27", "boot_s": 10**400}},
            "boot_s is seconds, 0 to 86400, not 1000",
        ),
        ({"environment": "OMP"}, "llama_bench_environment is a mapping, not 'OMP'"),
        ({"environment": {"A-B": "x"}}, "llama_bench_environment has 'A-B', which is no name of a variable"),
        ({"environment": {"HF_TOKEN": "x"}}, "llama_bench_environment.HF_TOKEN looks like a secret"),
    ],
)
def test_what_stops_a_run_names_the_variable_the_rule_and_the_value(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(RequestError, match=words):
        RunRequest.of(changes)


def test_the_environment_is_asked_for_again_and_only_where_there_is_any() -> None:
    request = RunRequest.of({"environment": {"MALLOC_ARENA_MAX": 1}})
    assert request.environment == {"MALLOC_ARENA_MAX": "1"}
    assert request.variables(1)["llama_bench_environment"] == {"MALLOC_ARENA_MAX": "1"}
    assert "llama_bench_environment" not in RunRequest.of({}).variables(1)


def test_values_may_be_texts_as_on_a_command_line() -> None:
    texts = {
        "tests": "pp8, tg8",
        "threads": "2",
        "launches": "2",
        "minutes": "1.5",
        "slo": '{"ttft_s": 1, "tpot_s": "0.5"}',
        "twin": "False",
        "environment": '{"OMP_PROC_BIND": "close"}',
        "price": "{}",
        "seed": "7",
    }
    values = {
        "tests": ["pp8", "tg8"],
        "threads": [2],
        "launches": 2,
        "minutes": 1.5,
        "slo": {"ttft_s": 1.0, "tpot_s": 0.5},
        "twin": False,
        "environment": {"OMP_PROC_BIND": "close"},
        "price": {},
        "seed": 7,
    }
    request = RunRequest.of(texts)
    assert dataclasses.replace(request, asked={}) == dataclasses.replace(RunRequest.of(values), asked={})
    assert request.threads == (2,)


@pytest.mark.parametrize(
    ("entry", "name"),
    [
        ("llama-3.1-8b", "llama-3.1-8b-synthetic"),
        ("llama-3-8b", "llama-3.1-8b-synthetic"),
        ("llama-3.3-70b", "llama-3.1-70b-synthetic"),
        ("llama-3.2-1b-synthetic", "llama-3.2-1b-synthetic"),
        ("tiny-synthetic", "tiny-synthetic"),
        ({"name": "mine", "path": "/models/Llama-3.2-3B-Instruct.gguf"}, "llama-3.2-3b-synthetic"),
        ({"name": "mine", "path": "/models/other-13b.gguf"}, None),
        ({"name": "mine", "path": "/models/m.gguf"}, None),
    ],
)
def test_what_tells_the_size_of_a_model(entry: Any, name: str | None) -> None:
    (model,) = RunRequest.of({"models": [entry]}).models
    assert (model.shape and model.shape.name) == name


def test_what_is_no_model_has_no_size() -> None:
    request = RunRequest.of({"models": ["no-preset"]})
    assert request.models == ()
    assert "'no-preset' is no preset model" in request.refused[0]["cause"]
    assert request.refused[0]["advice"] == "Correct llama_model_models."


def test_a_number_is_a_list_of_one_as_ansible_has_it() -> None:
    assert RunRequest.of({"threads": 8}).threads == (8,)


@pytest.mark.parametrize("seed", [2**53 + 1, -(2**63), 0])
def test_a_seed_is_kept_to_its_last_digit(seed: int) -> None:
    assert RunRequest.of({"seed": seed}).seed == seed
    assert RunRequest.of({"seed": str(seed)}).seed == seed


def test_a_number_that_no_float_holds_is_no_traceback() -> None:
    assert RunRequest.of({"seed": 10**400}).seed == 10**400
    with pytest.raises(RequestError, match="is a number, not"):
        RunRequest.of({"minutes": "1e999"})


@pytest.mark.parametrize(("word", "truth"), [("y", True), ("t", True), ("1.0", True), (" n ", False), ("F", False)])
def test_the_words_for_true_and_false_are_those_of_ansible(word: str, truth: bool) -> None:
    assert RunRequest.of({"twin": word}).twin is truth
