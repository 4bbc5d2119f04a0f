# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a search is asked for, and the plan that is made of it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
import yaml

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.cell import BY_LADDER
from ansible_collections.cloudbench.llama.plugins.plugin_utils.request import arguments
from ansible_collections.cloudbench.llama.plugins.plugin_utils.request.plan import (
    make_search,
    run_payload,
    search_payload,
    unrecorded,
)
from ansible_collections.cloudbench.llama.plugins.plugin_utils.request.run_request import RequestError, RunRequest
from ansible_collections.cloudbench.llama.plugins.plugin_utils.request.tune_request import VARIABLES, TuneRequest

MACHINE = {"name": "local-test", "cpu_count": 8, "physical_cores": 4, "emulated": False}
SPECS = Path(__file__).resolve().parents[5] / "roles" / "llama_bench" / "meta" / "argument_specs.yml"


def search(tune=None, **asked):
    request = RunRequest.of({"models": ["tiny-synthetic"], **asked})
    return make_search(request, TuneRequest.of(tune or {}), MACHINE)


def test_the_role_asks_for_what_the_table_has():
    options = yaml.safe_load(SPECS.read_text("utf-8"))["argument_specs"]["tune"]["options"]
    for variable in VARIABLES.values():
        entry = {key: value for key, value in options[variable.name].items() if key != "description"}
        assert entry == dict(variable.specification)
    assert {name for name in options if "_tune_" in name} == {variable.name for variable in VARIABLES.values()}


def test_a_cell_for_each_objective_is_what_everything_is_compared_with():
    plan, option = search({"memory_gib": 1.5, "users": 2}, builds=["no-repack", "default"], threads=[2, 4])
    assert [(cell["test"], cell["purpose"], cell["build"], cell["threads"]) for cell in plan["cells"]] == [
        ("pp512", "tune prompts", "no-repack", BY_LADDER),
        ("tg128", "tune generation", "no-repack", BY_LADDER),
        ("serve128+64@c2", "tune users", "no-repack", BY_LADDER),
        ("tg128", "tune memory", "no-repack", BY_LADDER),
    ]
    assert plan["builds"] == ["no-repack", "default"]
    assert plan["programs"] == ["llama-server"]
    assert option == {"space": {}, "threads": [2, 4], "limit_bytes": 3 * 2**29}


def test_a_search_on_a_server_has_one_default():
    request = RunRequest.of({"models": ["tiny-synthetic"]})
    plan, _option = make_search(request, TuneRequest.of({}), {**MACHINE, "cpu_count": 64})
    assert [cell.get("variant") for cell in plan["cells"]] == [None, None, None]


def test_threads_beyond_the_machine_are_refused_and_the_others_tried():
    plan, option = search(threads=[4, 99])
    assert option["threads"] == [4]
    assert "99 threads are more than the 8 processors" in plan["failures"][0]["cause"]


def test_the_command_of_a_search_asks_for_the_same_again():
    request = RunRequest.of({"models": ["tiny-synthetic"], "seed": 7})
    tune = TuneRequest.of({"objectives": ["generation"], "space": {"kv": ["q8_0", "q4_0"]}})
    plan, _option = make_search(request, tune, MACHINE)
    payload = search_payload(run_payload(request, plan, 7, MACHINE, {}, None), request, tune, 7)
    words = shlex.split(payload["command"])
    assert words[:3] == ["ansible-playbook", "playbooks/tune.yml", "-e"]
    variables = json.loads(words[3])
    assert variables["llama_bench_tune_space"] == {"kv": ["q8_0", "q4_0"]}
    assert arguments.unknown(variables) == []
    assert arguments.wrong_values(variables) == []
    assert "llama_bench_tests" not in variables
    assert payload["tune"]["variables"] == {
        "llama_model_models": ["tiny-synthetic"],
        "llama_cpp_builds": ["default"],
    }
    assert payload["time_limit_s"] == 3600


def test_the_launches_of_a_search_are_what_was_promised():
    plan, _option = search({"objectives": ["prompts"]})
    (cell,) = plan["cells"]
    promised = {"local-test": [cell]}
    assert len(unrecorded([], promised)) == 1
    launch = {"kind": "launch", "machine": "local-test", "payload": {"cell": {**cell, "threads": 4}}}
    assert unrecorded([launch], promised) == []


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"objectives": ["generaton"]}, "'generaton': choose from prompts, .*; did you mean generation?"),
        ({"objectives": ["memory"]}, "needs a limit: set llama_bench_tune_memory_gib to a number of GiB above 0"),
        ({"objectives": []}, "llama_bench_tune_objectives is empty"),
        ({"memory_gib": -1}, "llama_bench_tune_memory_gib must be 0 or more, not -1"),
        ({"users": 0}, "llama_bench_tune_users must be 1 or more"),
        ({"space": {"fb": ["off"]}}, "llama_bench_tune_space: 'fb' is no factor of a search"),
        ({"space": {"ubatch": [0]}}, "llama_bench_tune_space: .*a whole number from 1"),
        ({"space": "none"}, "llama_bench_tune_space is a mapping"),
    ],
)
def test_what_cannot_be_meant_is_refused(asked, message):
    with pytest.raises(RequestError, match=message):
        TuneRequest.of(asked)
    named = {VARIABLES[field].name: value for field, value in asked.items()}
    assert len(arguments.wrong_values(named)) == 1


def test_more_users_than_slots_and_variants_are_refused():
    with pytest.raises(RequestError, match="5 users at once, and the server 4 slots"):
        search({"users": 5})
    with pytest.raises(RequestError, match="name the values to try in llama_bench_tune_space"):
        search(variants=["fa=off"])


@pytest.mark.parametrize(
    "asked", [{"memory_gib": 1e300}, {"users": 10**400}, {"minutes": 1e12}, {"space": {"threads": 10**18}}]
)
def test_numbers_that_nobody_means_are_refused(asked):
    with pytest.raises(RequestError, match=r"llama_bench_tune_[a-z_]+ must be 1e\+09 or less|1 to 9999"):
        TuneRequest.of(asked)


def test_however_little_memory_is_asked_for_it_is_a_limit():
    assert TuneRequest.of({"memory_gib": 1e-12}).limit_bytes == 1


def test_a_field_that_is_none_is_named_with_the_nearest() -> None:
    with pytest.raises(RequestError, match=r"a search is not asked for by 'objectivs', .*did you mean objectives"):
        TuneRequest.of({"objectivs": []})
