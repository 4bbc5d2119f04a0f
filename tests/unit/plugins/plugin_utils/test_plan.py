# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.cloudbench.llama.plugins.plugin_utils.plan import (
    PlanError,
    default_seed,
    make_plan,
    model_name,
    parse_test,
    public_model,
    unrecorded,
)

MACHINE = {"name": "local-test", "cpu_count": 8, "physical_cores": 4}


def plan(**changes):
    asked = {
        "models": ["tiny-synthetic"], "quantizations": ["Q4_0"], "threads": [], "tests": ["pp512", "tg128"],
        "builds": ["default"], "machine": MACHINE,
    }  # fmt: skip
    return make_plan(**{**asked, **changes})


def test_the_default_is_one_thread_on_each_physical_core():
    cells = plan()["cells"]
    assert [(cell["test"], cell["threads"], cell["n_prompt"], cell["n_gen"]) for cell in cells] == [
        ("pp512", 4, 512, 0), ("tg128", 4, 0, 128),
    ]  # fmt: skip
    assert plan(machine=dict(MACHINE, physical_cores=None))["cells"][0]["threads"] == 8
    # A container or an affinity mask may leave fewer processors than the machine has cores.
    assert plan(machine=dict(MACHINE, cpu_count=2))["cells"][0]["threads"] == 2


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


@pytest.mark.parametrize(
    ("text", "prompt", "generated", "depth"),
    [("pp512", 512, 0, 0), ("tg128", 0, 128, 0), ("tg128@d4096", 0, 128, 4096), ("pp1", 1, 0, 0)],
)
def test_names_of_tests(text, prompt, generated, depth):
    assert parse_test(text) == {"test": text, "n_prompt": prompt, "n_gen": generated, "n_depth": depth}


@pytest.mark.parametrize("text", ["", "pp", "pp-1", "pp512 ", "tg128@4096", "PP512", "pp512;rm", "pp99999999"])
def test_what_is_no_name_of_a_test(text):
    with pytest.raises(PlanError, match="is no test"):
        parse_test(text)


def test_no_secret_of_a_url_is_planned_aloud():
    secret = {"name": "mine", "url": "https://me:pass@host/m.gguf?token=abc#x", "sha256": "0" * 64}
    assert public_model(secret)["url"] == "https://host/m.gguf"
    assert public_model("tiny-synthetic") == "tiny-synthetic"
    failures = plan(models=[{"url": secret["url"]}, dict(secret, name="No Name")])["failures"]
    assert len(failures) == 2
    assert not [word for word in ("pass", "token", "abc") if word in str(failures)]
    # Where nobody looks for one: in a key that means nothing, or instead of a mapping.
    failures = plan(models=[{"name": "mine", "path": "/x", "token": "hf_abc"}, secret["url"]])["failures"]
    assert "'token', which means nothing" in failures[0]["cause"]
    assert "'https://host/m.gguf' is no preset model" in failures[1]["cause"]
    assert not [word for word in ("pass", "abc") if word in str(failures)]


def test_a_promised_cell_that_nobody_tells_of_is_missing():
    cells = plan()["cells"]
    records = [
        {"kind": "run", "machine": "a", "payload": {"cells": cells}},
        {"kind": "launch", "machine": "a", "payload": {"cell": cells[0]}},
    ]
    assert unrecorded(records, {}) == ["a: nothing is on record of tiny-synthetic Q4_0 tg128, 4 threads"]
    records.append({"kind": "failure", "machine": "a", "payload": {"cell": cells[1]}})
    assert unrecorded(records, {"a": cells}) == []
    # A store that took nothing at all.
    assert len(unrecorded([], {"a": cells})) == 2


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
    assert public_model(model) == model


def test_a_seed_follows_from_the_run():
    assert default_seed("a") == default_seed("a") != default_seed("b")
    assert model_name({"name": "mine.v2", "path": "/x"}) == "mine.v2"
