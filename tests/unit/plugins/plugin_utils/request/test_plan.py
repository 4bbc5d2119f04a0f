# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import shlex

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.cell import BY_LADDER
from ansible_collections.cloudbench.llama.plugins.plugin_utils.request.plan import (
    command,
    default_seed,
    make_plan,
    run_payload,
    unrecorded,
)
from ansible_collections.cloudbench.llama.plugins.plugin_utils.request.run_request import (
    OF_QUALITY,
    VARIABLES,
    RequestError,
    RunRequest,
)

MACHINE = {"name": "local-test", "cpu_count": 8, "physical_cores": 4, "emulated": False}


def plan(machine=None, **changes):
    asked = {"models": ["tiny-synthetic"], "tests": ["pp512", "tg128"], "twin": False}
    return make_plan(RunRequest.of({**asked, **changes}), machine or MACHINE)


def shown(model):
    """A model as the command of a run record names it."""
    return RunRequest.of({"models": [model]}).variables(1)["llama_model_models"][0]


def test_without_thread_counts_the_ladder_of_the_run_chooses():
    cells = plan()["cells"]
    assert [(cell["test"], cell["threads"], cell["n_prompt"], cell["n_gen"]) for cell in cells] == [
        ("pp512", BY_LADDER, 512, 0), ("tg128", BY_LADDER, 0, 128),
    ]  # fmt: skip


def variants(cells):
    return [(cell["test"], cell.get("variant")) for cell in cells]


def test_variants_are_cells_beside_each_other():
    cells = plan(variants=["default", {"fa": False}, "fa=off"])["cells"]
    assert variants(cells) == [("pp512", None), ("pp512", "fa=off"), ("tg128", None), ("tg128", "fa=off")]


def test_a_test_that_says_a_setting_is_not_combined_with_a_variant_of_it():
    cells = plan(variants=["default", "repack=off"], tests=["tg8", "tg8,repack=off"])["cells"]
    assert variants(cells) == [("tg8", None), ("tg8", "repack=off"), ("tg8,repack=off", None)]
    assert variants(plan(variants=["repack=on"], tests=["tg8,repack=off"])["cells"]) == [("tg8,repack=off", None)]


def test_a_variant_that_cannot_be_meant_stops_no_other():
    made = plan(variants=["fa=of", "fa=off"])
    assert variants(made["cells"]) == [("pp512", "fa=off"), ("tg128", "fa=off")]
    (failure,) = made["failures"]
    assert "did you mean off?" in failure["cause"]
    assert plan(variants=["fa=of"])["cells"] == []


def test_a_server_measures_the_usual_tests_without_flash_attention_too():
    server = {**MACHINE, "cpu_count": 64}
    tests = ["pp512", "tg128", "pp2048", "load"]
    assert variants(plan(server, tests=tests)["cells"]) == [
        ("pp512", None), ("pp512", "fa=off"), ("tg128", None), ("tg128", "fa=off"), ("pp2048", None), ("load", None),
    ]  # fmt: skip
    plain = [(test, None) for test in tests]
    for machine, changes in (
        (MACHINE, {}),
        ({**server, "emulated": True}, {}),
        (server, {"launches": 1}),
        (server, {"variants": ["default"]}),
    ):
        assert variants(plan(machine, tests=tests, **changes)["cells"]) == plain
    legacy = plan(server, tests=["pp512"], quantizations=["Q4_0_8_8"])["cells"]
    assert variants(legacy) == [("pp512", None)]


def ways(made):
    return [
        tuple((pair[side]["build"], pair[side].get("variant")) for side in ("a", "b")) + (pair["a"]["test"],)
        for pair in made["duets"]
    ]


def test_variants_are_set_against_the_first_in_duets():
    made = plan(variants=["default", "fa=off"], tests=["pp512", "tg32,repack=off"])
    assert ways(made) == [(("default", None), ("default", "fa=off"), "pp512")]
    named = plan(variants=["default", "fa=off+ubatch=128"], duets=[{"a": "default", "b": "default ubatch=128+fa=off"}])
    assert [pair[1:] for pair in ways(named)] == [
        (("default", "fa=off+ubatch=128"), test) for test in ("pp512", "tg128")
    ]
    assert ways(plan(variants=["fa=off", "default"], duets=[{"a": "default", "b": "fa=off", "tests": ["pp8"]}])) == [
        (("default", None), ("default", "fa=off"), "pp8")
    ]
    (failure,) = plan(duets=[{"a": "default", "b": "fa=of"}])["failures"]
    assert "did you mean off?" in failure["cause"]
    (failure,) = plan(duets=[{"a": "default", "b": "fa=off"}])["failures"]
    assert "no cell of this run has fa=off" in failure["cause"]


def test_several_hosts_are_no_side_of_a_duet():
    """Their RPC servers serve one client at a time."""
    made = plan(variants=["default", "repack=off", "hosts=2"])
    assert {pair[1][1] for pair in ways(made)} == {"repack=off"}
    assert ("tg128", "hosts=2") in variants(made["cells"])
    assert plan(variants=["hosts=2", "hosts=3"])["duets"] == []
    for duet in ({"a": "default", "b": "hosts=2"}, {"a": "hosts=2", "b": "default"}):
        (failure,) = plan(variants=["default", "hosts=2"], duets=[duet])["failures"]
        assert "is of several hosts, whose RPC servers serve one client at a time" in failure["cause"]


def test_servers_that_share_requests_are_measured_by_what_sends_some():
    made = plan(tests=["tg128", "serve128+64@c4"], variants=["default", "servers=2", "servers=3"], twin=False)
    assert variants(made["cells"]) == [
        ("tg128", None), ("serve128+64@c4", None), ("serve128+64@c4", "servers=2"), ("serve128+64@c4", "servers=3"),
    ]  # fmt: skip
    with pytest.raises(RequestError, match="has servers that share requests, and no test of this run sends any"):
        plan(tests=["tg128"], variants=["default", "servers=2"])
    with pytest.raises(RequestError, match="a host has one server, of one file and with one set of settings"):
        plan(tests=["serve128+64@c4"], variants=["servers=2"], quantizations=["Q4_0", "Q8_0"])


def test_the_command_of_a_cluster_is_that_of_its_playbook():
    words = shlex.split(command(RunRequest.of({"variants": ["default", "hosts=2"], "builds": ["rpc"]}), 7))
    assert words[:3] == ["ansible-playbook", "playbooks/cluster.yml", "-e"]
    assert json.loads(words[3])["llama_bench_variants"] == ["default", "hosts=2"]


def test_what_matters_most_comes_first():
    cells = plan(tests=["tg8", "load"], quantizations=["Q8_0", "Q4_0"])["cells"]
    assert [(cell["test"], cell["quantization"]) for cell in cells] == [
        ("tg8", "Q8_0"), ("tg8", "Q4_0"), ("load", "Q8_0"), ("load", "Q4_0"),
    ]  # fmt: skip


def test_the_second_copy_of_a_cell_stands_beside_the_first():
    cells = plan(tests=["pp8", "tg8", "tg16"], twin=True)["cells"]
    assert [(cell["test"], cell.get("purpose")) for cell in cells] == [
        ("pp8", None), ("tg8", None), ("tg8", "twin"), ("tg16", None),
    ]  # fmt: skip
    assert len(plan(tests=["pp8", "load"], twin=True)["cells"]) == 2
    # A quick run has no time for it.
    assert len(plan(tests=["pp8", "tg8"], twin=True, launches=2)["cells"]) == 2


def test_more_users_than_slots_are_refused_by_name():
    made = plan(tests=["serve8+8@c2", "serve8+8@c3"], slots=2)
    assert [cell["concurrency"] for cell in made["cells"]] == [2]
    assert "serve8+8@c3 has 3 users at once, and the server 2 slots" in made["failures"][0]["cause"]
    assert made["failures"][0]["advice"] == "Raise llama_bench_slots, or ask for fewer users."


def test_a_llama_cpp_of_2024_is_asked_for_what_it_knows():
    made = plan(
        quantizations=["Q4_0_8_8"], tests=["pp8", "tg8@d8", "tg8,repack=off", "load", "batch8+8@c2", "serve8+8@c1"]
    )
    assert [(cell["build"], cell["test"]) for cell in made["cells"]] == [("legacy", "pp8")]
    assert made["failures"] == []


@pytest.mark.parametrize(("launches", "most", "at_most"), [(6, 30, 30), (2, 30, 2), (40, 30, 40), (6, 6, 6)])
def test_a_quick_run_launches_what_it_was_asked_to(launches, most, at_most):
    request = RunRequest.of({"launches": launches, "launches_most": most})
    assert request.launches_most == at_most
    # Who asks for the same again asks for what was asked for.
    assert request.variables(1)["llama_bench_launches_most"] == most


def test_every_combination_is_a_cell_of_its_own():
    cells = plan(quantizations=["Q4_0", "q8_0", "Q4_0"], threads=[1, "2"], builds=["default", "lto"])["cells"]
    assert len(cells) == 2 * 2 * 2 * 2
    assert len({str(cell) for cell in cells}) == 16
    assert {cell["quantization"] for cell in cells} == {"Q4_0", "Q8_0"}


@pytest.mark.parametrize(
    ("changes", "words", "cells"),
    [
        (dict(quantizations=["Q4_0", "Q4_9"]), ["'Q4_9'", "Q4_0", "Q8_0"], 2),
        (dict(models=["tiny-synthetic", "llama-3.2-1"]), ["'llama-3.2-1'", "llama-3.2-1b", "tiny-synthetic"], 2),
        (dict(models=[{"path": "/x"}]), ["neither the name of a preset nor a mapping with a name"], 0),
        (dict(models=[{"name": "../../etc", "path": "/x"}]), ["'../../etc'", "becomes a directory"], 0),
        (dict(threads=[4, 999]), ["999 threads are more than the 8 processors", "choose 1 to 8"], 2),
        (dict(threads=[0]), ["must be 1 or more, not 0"], 0),
        (dict(threads=["many"]), ["must be a whole number, not 'many'"], 0),
        (dict(builds=["default", "fast"]), ["'fast' is no build", "no-repack"], 2),
        (dict(builds=["default", {"name": "default", "version": "0.3.0"}]), ["two different entries"], 2),
        (dict(quantizations=["Q4_0", "legacy"]), ["never had a file type of its own", "leave 'legacy' out"], 2),
        (dict(tests=["tg128", "pp0", "xx9"]), ["'pp0' is no test", "pp512, tg128"], 1),
    ],
)
def test_what_cannot_be_measured_becomes_a_failure_and_the_rest_a_plan(changes, words, cells):
    made = plan(**changes)
    assert len(made["cells"]) == cells
    assert made["failures"]
    for word in words:
        assert word in made["failures"][0]["cause"]
    for failed in made["failures"]:
        assert failed["phase"] == "plan"
        assert failed["advice"].startswith("Correct llama_")


def test_two_models_of_one_name_are_refused():
    made = plan(models=[{"name": "mine", "path": "/a"}, {"name": "mine", "path": "/b"}])
    assert "two different entries are called 'mine'" in made["failures"][0]["cause"]
    assert made["models"] == [{"name": "mine", "path": "/a"}]


GRAVITON3 = dict(MACHINE, processor={"title": "Arm Neoverse V1", "legacy_type": "Q4_0_8_8"})


@pytest.mark.parametrize(
    ("builds", "pairs", "entries"),
    [
        # The build that reads a removed type joins by itself, for that type alone.
        (["default"], {("Q4_0", "default"), ("Q4_0_8_8", "legacy")}, ["default", "legacy"]),
        # Asked for, it measures everything.
        (["default", "legacy"], {("Q4_0", "default"), ("Q4_0", "legacy"), ("Q4_0_8_8", "legacy")},
         ["default", "legacy"]),
        # One of a person's own takes its place.
        ([{"name": "b4184", "git_ref": "b4184", "source_type": "git", "legacy": True}],
         {("Q4_0", "b4184"), ("Q4_0_8_8", "b4184")},
         [{"name": "b4184", "git_ref": "b4184", "source_type": "git", "legacy": True}]),
    ],
)  # fmt: skip
def test_a_removed_file_type_gets_a_build_that_reads_it(builds, pairs, entries):
    made = plan(quantizations=["Q4_0", "legacy"], builds=builds, machine=GRAVITON3)
    assert {(cell["quantization"], cell["build"]) for cell in made["cells"]} == pairs
    assert made["builds"] == entries
    assert made["quantizations"] == ["Q4_0", "Q4_0_8_8"]
    assert made["failures"] == []


def test_only_builds_that_are_needed_are_built():
    made = plan(quantizations=["Q4_0_4_4"], builds=["default"])
    assert made["builds"] == ["legacy"]


def test_what_is_no_name_of_a_test():
    (refused,) = RunRequest.of({"tests": ["PP512"]}).refused
    assert "'PP512' is no test" in refused["cause"]


def sides(made):
    return [(pair["a"]["build"], pair["b"]["build"], pair["b"]["test"]) for pair in made["duets"]]


def test_builds_are_measured_against_the_first_at_the_same_moment():
    made = plan(builds=["default", "lto", "no-repack"], quantizations=["Q8_0", "Q4_0"], threads=[1, 2],
                tests=["load", "pp512", "tg128", "pp128"])  # fmt: skip
    assert sides(made) == [
        ("default", "lto", "pp512"), ("default", "no-repack", "pp512"),
        ("default", "lto", "tg128"), ("default", "no-repack", "tg128"),
    ]  # fmt: skip
    assert made["duets"][0]["a"] == {
        "model": "tiny-synthetic", "quantization": "Q8_0", "build": "default", "threads": BY_LADDER, "test": "pp512",
        "n_prompt": 512, "n_gen": 0, "n_depth": 0,
    }  # fmt: skip
    assert made["failures"] == []


@pytest.mark.parametrize(
    ("changes", "machine"),
    [
        pytest.param({}, MACHINE, id="one build"),
        pytest.param({"builds": ["default", "lto"], "launches": 2}, MACHINE, id="quick"),
        pytest.param({"builds": ["default", "lto"], "duets": []}, MACHINE, id="none asked for"),
        pytest.param({"builds": ["default", "lto"], "tests": ["pp128", "load"]}, MACHINE, id="no usual test"),
        pytest.param({"builds": ["default", "lto"]}, dict(MACHINE, emulated=True), id="emulated"),
        pytest.param({"builds": ["default", "lto"]}, dict(MACHINE, physical_cores=1), id="two threads of one core"),
        pytest.param({"builds": ["default", "lto"]}, dict(MACHINE, cpu_count=1), id="a quota of one"),
        pytest.param({"builds": ["default", "lto"], "models": []}, MACHINE, id="nothing to measure"),
    ],
)
def test_nothing_suggests_a_duet(changes, machine):
    made = plan(machine, **changes)
    assert (made["duets"], made["failures"]) == ([], [])


def test_a_duet_of_what_a_person_names():
    asked = {"builds": ["default", "lto"], "quantizations": ["Q4_0", "Q8_0"], "launches": 2}
    made = plan(**asked, duets=[{"a": "q4_0", "b": "Q8_0"}, {"a": "default", "b": "lto Q8_0", "tests": ["tg32"]}])
    assert [(pair["a"]["quantization"], pair["b"]["quantization"], *side) for pair, side in
            zip(made["duets"], sides(made), strict=True)] == [
        ("Q4_0", "Q8_0", "default", "default", "pp512"), ("Q4_0", "Q8_0", "default", "default", "tg128"),
        ("Q4_0", "Q8_0", "default", "lto", "tg32"),
    ]  # fmt: skip
    # A cell with itself is the noise of the machine; what is asked for twice is measured once.
    same = {"a": "default", "b": "default", "tests": "tg128"}
    assert sides(plan(duets=[same, same])) == [("default", "default", "tg128")]


@pytest.mark.parametrize(
    ("duets", "words"),
    [
        (
            [{"a": "default", "b": "lot"}],
            ["'lot' in b of a duet is no build, model or quantization", "did you mean lto?"],
        ),
        (["autos"], ["a duet is a mapping with a and b, not 'autos'", "did you mean auto?"]),
        ([{"a": "default"}], ["b of a duet names what is measured, not None"]),
        ([{"a": "default", "b": "lto", "test": ["pp8"]}], ["not 'test'; did you mean tests?"]),
        ([{"a": "default", "b": "lto", "tests": ["load"]}], ["load cannot be measured in a duet"]),
        ([{"a": "default", "b": "lto", "tests": ["tg8@d64"]}], ["tg8@d64 cannot be measured in a duet"]),
        ([{"a": "default", "b": "lto", "tests": ["xx8"]}], ["'xx8' is no test"]),
        ([{"a": "default", "b": "flash_atn=0"}], ["sets 'flash_atn', which is no setting"]),
    ],
)
def test_a_duet_that_cannot_be_meant_is_a_failure_and_the_rest_a_plan(duets, words):
    made = plan(builds=["default", "lto"], duets=[*duets, "auto"])
    assert len(made["duets"]) == 2
    (failed,) = made["failures"]
    assert failed["advice"] == "Correct llama_bench_duets."
    for word in words:
        assert word in failed["cause"]


@pytest.mark.parametrize(
    ("variants", "duet", "words"),
    [
        (["fa=on"], {"a": "default", "b": "fa=on"}, "both sides of a duet, default and fa=on, are default tiny-synth"),
        (["default", "ubatch=256+fa=on"], {"a": "default", "b": "ubatch=256"}, "no cell of this run has ubatch=256"),
        (
            ["default", "repack=off"],
            {"a": "default", "b": "repack=off", "tests": ["tg32,repack=off"]},
            "has nothing to measure: tg32,repack=off says itself what a side sets",
        ),
    ],
)
def test_a_duet_of_something_else_than_was_asked_for_is_a_failure(variants, duet, words):
    made = plan(variants=variants, duets=[duet])
    assert made["duets"] == []
    (failed,) = made["failures"]
    assert words in failed["cause"]


def test_a_duet_is_measured_in_one_direction():
    pair = {"a": "default", "b": "lto", "tests": ["tg128"]}
    made = plan(builds=["default", "lto"], duets=[pair, {**pair, "a": "lto", "b": "default"}])
    assert sides(made) == [("default", "lto", "tg128")]


def test_a_duet_that_is_asked_for_needs_two_cores_and_a_test():
    pair = {"a": "default", "b": "lto"}
    made = plan(dict(MACHINE, physical_cores=1), builds=["default", "lto"], duets=[pair])
    assert "a duet needs two cores, one for each side, and local-test has 1" in made["failures"][0]["cause"]
    made = plan(builds=["default", "lto"], duets=[pair], tests=["pp128"])
    assert "the run asks for neither pp512 nor tg128, and the duet names none in tests" in made["failures"][0]["cause"]
    assert len(made["cells"]) == 2


def test_no_secret_of_a_url_is_planned_aloud():
    secret = {"name": "mine", "url": "https://me:pass@host/m.gguf?token=abc#x", "sha256": "0" * 64}
    assert shown(secret)["url"] == "https://host/m.gguf"
    assert shown("tiny-synthetic") == "tiny-synthetic"
    failures = plan(models=[{"url": secret["url"]}, dict(secret, name="No Name")])["failures"]
    assert len(failures) == 2
    assert not [word for word in ("pass", "token", "abc") if word in str(failures)]
    # Where nobody looks for one: in a key that means nothing, or instead of a mapping.
    failures = plan(models=[{"name": "mine", "path": "/x", "token": "hf_abc"}, secret["url"]])["failures"]
    assert "'token', which means nothing" in failures[0]["cause"]
    assert "'https://host/m.gguf' is no preset model" in failures[1]["cause"]
    assert not [word for word in ("pass", "abc") if word in str(failures)]


def test_a_promised_cell_that_nobody_tells_of_is_missing():
    cells = plan(threads=[4])["cells"]
    records = [
        {"kind": "run", "machine": "a", "payload": {"cells": cells}},
        {"kind": "launch", "machine": "a", "payload": {"cell": cells[0]}},
    ]
    assert unrecorded(records, {}) == ["a: nothing is on record of tiny-synthetic Q4_0 tg128, 4 threads"]
    records.append({"kind": "failure", "machine": "a", "payload": {"cell": cells[1]}})
    assert unrecorded(records, {"a": cells}) == []
    # A store that took nothing at all.
    assert len(unrecorded([], {"a": cells})) == 2


def test_a_cell_whose_threads_the_ladder_chose_is_the_one_that_was_promised():
    promised = plan(tests=["tg8", "serve8+8@c1", "pp8"])["cells"]
    measured = [{**promised[0], "threads": 4}, {**promised[1], "threads": 4, "threads_batch": 8}]
    records = [{"kind": "launch", "machine": "a", "payload": {"cell": cell}} for cell in measured]
    records.append({"kind": "omitted", "machine": "a", "payload": {"cell": {**promised[2], "threads": 8}}})
    assert unrecorded(records, {"a": promised}) == []
    assert len(unrecorded(records[1:], {"a": promised})) == 1


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("llama-3.3-70b", "llama-3.3-70b"),
        ({"name": "llama-3.2-1b", "convert": True}, "llama-3.2-1b"),
        ({"name": "mine", "repository": "org/name", "file": "m-{quantization}.gguf", "revision": "v1"}, "mine"),
        ({"name": "mine", "s3": "s3://bucket/m.gguf", "sha256": "0" * 64}, "mine"),
    ],
)
def test_models_that_are_published(model, name):
    assert plan(models=[model])["models"] == [model]
    assert {cell["model"] for cell in plan(models=[model])["cells"]} == {name}
    assert shown(model) == model


def test_a_seed_follows_from_the_run():
    assert default_seed("a") == default_seed("a") != default_seed("b")
    (model,) = RunRequest.of({"models": [{"name": "mine.v2", "path": "/x"}]}).models
    assert model.name == "mine.v2"


def test_a_record_says_how_to_ask_for_the_same_again():
    secret = {"name": "mine", "url": "https://me:pass@host/m.gguf?token=abc", "sha256": "0" * 64}
    price = {"usd_hour": 0.85, "date": "2026-11-27"}
    given = {"models": [secret], "tests": ["pp8", "it's"], "launches": 2, "price": price, "environment": {"A": "b"}}
    request = RunRequest.of(given)
    payload = run_payload(request, make_plan(request, MACHINE), 7, MACHINE, {"python": "3.11"}, None)
    assert payload["command"] == command(request, 7)
    program, playbook, option, variables = shlex.split(payload["command"])
    assert (program, playbook, option) == ("ansible-playbook", "site.yml", "-e")
    asked = json.loads(variables)
    # What nothing is measured by says nothing.
    assert set(asked) == {row.name for field, row in VARIABLES.items() if field not in OF_QUALITY}
    assert asked["llama_bench_tests"] == ["pp8", "it's"]
    assert asked["llama_bench_seed"] == 7
    assert asked["llama_bench_price"]["usd_hour"] == 0.85
    assert "pass" not in variables
    assert (payload["quick"], payload["launches"], payload["launches_most"], payload["time_limit_s"]) == (
        True, 2, 2, 3600,
    )  # fmt: skip
    assert payload["environment"] == {"A": "b"}
    assert "price" not in payload
    assert "fleet" not in payload
    fleet = {"asked": 20, "enough": 15, "there": 15}
    of_fewer = run_payload(request, make_plan(request, MACHINE), 7, MACHINE, {"python": "3.11"}, None, fleet)
    assert of_fewer == {**payload, "fleet": fleet}
    assert "llama_bench_price" not in command(RunRequest.of({}), 7)


def test_a_test_of_real_weights_is_not_planned_of_random_ones_and_no_reference_of_them_is_made():
    asked = {
        "models": ["tiny-synthetic", "smollm2-135m"],
        "quantizations": ["Q4_0", "F16"],
        "tests": ["quality512x4", "tg8"],
    }
    plan = make_plan(RunRequest.of(asked), MACHINE)
    measured = {(cell["model"], cell["quantization"], cell["test"]) for cell in plan["cells"]}
    assert ("smollm2-135m", "Q4_0", "quality512x4") in measured
    assert ("tiny-synthetic", "Q4_0", "tg8") in measured
    assert not any(model == "tiny-synthetic" and test.startswith("quality") for model, _name, test in measured)
    assert plan["files"] == [
        ("tiny-synthetic", "Q4_0"), ("tiny-synthetic", "F16"), ("smollm2-135m", "F16"), ("smollm2-135m", "Q4_0"),
    ]  # fmt: skip
    assert [failed["cause"] for failed in plan["failures"]] == [
        "quality512x4 of tiny-synthetic has no meaning: its weights are random, which predict nothing."
    ]
    assert plan["programs"] == ["llama-perplexity"]
    cell = next(cell for cell in plan["cells"] if cell["test"] == "quality512x4")
    assert (cell["reference"], cell["text"], cell["chunks"]) == ("F16", "alice29", 4)


def test_what_needs_an_importance_matrix_is_refused_beforehand_with_what_to_write():
    asked = {"models": ["smollm2-135m"], "quantizations": ["IQ2_M", "Q4_0", "Q4_0+imatrix"], "tests": ["tg8"]}
    plan = make_plan(RunRequest.of(asked), MACHINE)
    (failed,) = plan["failures"]
    assert failed["cause"] == (
        "the model smollm2-135m: IQ2_M is made with an importance matrix only; write IQ2_M+imatrix."
    )
    assert [name for _entry, name in plan["files"]] == ["Q4_0", "Q4_0+imatrix"]
    assert plan["programs"] == ["llama-imatrix"]


def test_random_weights_have_no_importance_to_measure():
    asked = {"models": ["tiny-synthetic"], "quantizations": ["Q4_0+imatrix", "IQ2_M"], "tests": ["tg8"]}
    plan = make_plan(RunRequest.of(asked), MACHINE)
    assert plan["cells"] == plan["files"] == []
    assert len(plan["failures"]) == 2
    assert all("random weights have no importance to measure" in failed["cause"] for failed in plan["failures"])


def test_the_limit_of_quality_is_on_record_where_quality_is_measured():
    def payload(*tests):
        asked = {"models": ["smollm2-135m"], "tests": list(tests), "quality_limit_percent": 2}
        request = RunRequest.of(asked)
        return run_payload(request, make_plan(request, MACHINE), 7, MACHINE, {"python": "3.11"}, None)

    assert payload("quality512x4")["quality_limit_percent"] == 2
    assert '"llama_bench_quality_limit_percent": 2' in payload("quality512x4")["command"]
    assert "quality_limit_percent" not in payload("tg8")
    assert "quality_limit_percent" not in payload("tg8")["command"]


def test_a_plan_has_no_signature_of_an_address():
    """Ansible shows it at -v; the role that obtains the model has the entry itself."""
    entry = {"name": "mine", "url": "https://me:pass@example.com/m.gguf?Signature=secret#x", "sha256": "0" * 64}
    plan = make_plan(RunRequest.of({"models": [entry, "tiny-synthetic"], "tests": ["tg8"], "threads": [1]}), MACHINE)
    shown = {**entry, "url": "https://example.com/m.gguf"}
    assert plan["models"] == [shown, "tiny-synthetic"]
    assert [pair for pair in plan["files"] if pair[0] == shown] == [(shown, "Q4_0")]
    assert not [word for word in ("pass@", "secret") if word in str(plan)]
