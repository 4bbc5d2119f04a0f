# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of the best configurations and its file; and that no other page shows what a search launched."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.cell import tune_purpose
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog.metrics import NO_BREAK
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import pages, terminal
from ansible_collections.cloudbench.llama.plugins.plugin_utils.request import arguments
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records

Record = dict[str, Any]
RUN = "20261129T220000Z-7a5e"
ARGV = [".cache/cloudbench/llama.cpp/build-1/bin/llama-bench", "-m", "models/a b.gguf", "-t", "2"]


def of_kind(every: list[Record], kind: str) -> list[Record]:
    return [record for record in every if record["kind"] == kind]


@pytest.fixture
def searched(real: list[Record]) -> list[Record]:
    """A search for two objectives on the machine of the real records, with a launch that was refused."""
    launch = next(one for one in of_kind(real, "launch") if one["payload"]["cell"]["test"].startswith("tg"))
    plain = {key: value for key, value in launch["payload"]["cell"].items() if key not in ("purpose", "load", "repack")}
    cell = {**plain, "test": "tg128", "n_gen": 128, "purpose": tune_purpose("generation")}
    best = {**cell, "variant": "fa=off+thp=on"}
    mean = {"mean": 31.2, "low": 30.9, "high": 31.5, "n": 6}
    payload = {
        "objective": "generation", "machine": launch["payload"]["machine"], "model": launch["payload"]["model"],
        "build": launch["payload"]["build"], "cell": best, "default": cell, "argv": ARGV, "ended": "verdicts",
        "figure": mean, "default_figure": {**mean, "mean": 25.0},
        "ratio": {"mean": 1.25, "low": 1.22, "high": 1.28, "n": 6},
        "metrics": {"tg_tps": 31.2, "rss_peak_bytes": 700 << 20},
        "default_metrics": {"tg_tps": 25.0, "rss_peak_bytes": 1400 << 20},
        "launches": 40, "seconds": 80.0, "search_s": 95.0, "disturbed": 3, "blocks": 6,
        "tried": [
            {"build": cell["build"], "threads": 1, "step": "threads", "fate": "dropped",
             "ratio": {"mean": 0.6, "low": None, "high": None, "n": 1}},
            {"build": cell["build"], "threads": 2, "step": "fa", "fate": "taken", "variant": "fa=off",
             "ratio": {"mean": 1.2, "low": 1.1, "high": 1.3, "n": 4}},
            {"build": cell["build"], "threads": 2, "step": "load", "fate": "refused", "variant": "load=dio",
             "why": "it *broke*"},
        ],
    }  # fmt: skip
    memory = {
        **payload, "objective": "memory", "cell": None, "why": "no configuration needs so little",
        "default": {**cell, "purpose": tune_purpose("memory")}, "limit_bytes": 1 << 29, "tried": [],
    }  # fmt: skip
    refused = {"phase": "measure", "cause": "it broke", "advice": "Mend it.", "cell": {**cell, "variant": "load=dio"},
               "detail": {}}  # fmt: skip
    plan = copy.deepcopy(of_kind(real, "run")[0]["payload"])
    plan.update(
        cells=[{**payload["default"], "threads": 0}, {**memory["default"], "threads": 0}],
        tune={
            "objectives": ["generation", "memory"],
            "variables": {"llama_model_models": [cell["model"]], "llama_cpp_builds": ["lto", cell["build"]]},
        },
        command="ansible-playbook playbooks/tune.yml",
    )
    payloads = [("run", plan), ("tuned", payload), ("tuned", memory), ("failure", refused)]
    payloads += [("launch", {**launch["payload"], "cell": {**one, "test": launch["payload"]["cell"]["test"], "n_gen":
                  launch["payload"]["cell"]["n_gen"]}}) for one in (cell, best)]  # fmt: skip
    things = [one for one in real if one["kind"] in ("machine", "build", "model")]
    made = [{**launch, "kind": kind, "payload": given} for kind, given in payloads] + things
    return [records.decode(json.dumps({**one, "run": RUN}).encode()) for one in made]


def path_of(searched: list[Record]) -> str:
    (run,) = summary.runs(searched)
    paths = list(summary.tuned(run))
    assert len(paths) == 1
    return paths[0]


def test_the_page_says_first_what_is_best_and_what_was_not_found(searched):
    path = path_of(searched)
    assert path.rpartition("/")[2].startswith("tuned-")
    text = pages.render(searched)[path]
    head, _rest = text.split("## Beside the defaults")
    assert "<b>1.25x (1.22 to 1.28)</b> of the defaults, 31.20 token/s" in head
    assert "fa=off+thp=on" in head
    assert "No configuration needs so little." in head
    assert f"| 1.37{NO_BREAK}GiB |" in text
    assert f"| 700{NO_BREAK}MiB |" in text
    assert "it \\*broke\\*" in text
    assert "3 of them disturbed" in text


def test_the_server_is_told_the_configuration_and_listens_to_this_machine_alone(searched):
    text = pages.render(searched)[path_of(searched)]
    line = next(line for line in text.splitlines() if "/llama-server -m" in line and "$HOME" in line)
    assert line.startswith('GLIBC_TUNABLES=glibc.malloc.hugetlb=1 "$HOME"/.cache/cloudbench/llama.cpp/build-1/bin/')
    assert "-m \"$HOME\"/'models/a b.gguf' -t 2 -tb 2" in line
    assert "-fa 0" in line
    assert line.endswith("--host 127.0.0.1 --port 8080")
    (start,) = [line for line in text.splitlines() if line.startswith("ExecStart=")]
    assert start.startswith('ExecStart=%h/.cache/cloudbench/llama.cpp/build-1/bin/llama-server -m "%h/models/a b.gguf"')
    assert "Environment=GLIBC_TUNABLES=glibc.malloc.hugetlb=1" in text


def test_the_file_asks_make_bench_for_the_defaults_and_the_best(searched):
    path = path_of(searched)
    text = pages.render(searched)[summary.tuned_file(path)]
    assert text.startswith(pages.YAML_MARKER)
    variables = yaml.safe_load(text)
    assert variables["llama_bench_variants"] == ["default", "fa=off+thp=on"]
    assert variables["llama_bench_tests"] == ["tg128"]
    assert "lto" not in variables["llama_cpp_builds"]
    assert arguments.unknown(variables) == []
    assert arguments.wrong_values(variables) == []


def test_what_records_from_elsewhere_hold_is_no_template_in_the_file(searched, tmp_path: Path):
    evil = "{{ lookup('pipe', 'touch marked') }}"
    (run,) = of_kind(searched, "run")
    (tuned, *_rest) = of_kind(searched, "tuned")
    named = [{"name": tuned["payload"]["cell"]["build"], "git_url": evil, "cmake_options": {"A": ["{% x", "{# y", 1]}}]
    run["payload"]["tune"]["variables"]["llama_cpp_builds"] = named
    path = path_of(searched)
    file = tmp_path / "variables.yml"
    file.write_text(pages.render(searched)[summary.tuned_file(path)], "utf-8")
    loader = DataLoader()
    read = Templar(loader).template(loader.load_from_file(str(file)))
    assert read["llama_cpp_builds"] == named
    assert read["llama_bench_tests"] == ["tg128"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (("cell", "variant"), "x"),
        (("default",), None),
        (("figure", "low"), 10**400),
        (("ratio", "high"), 10**400),
        (("metrics", "rss_peak_bytes"), 10**400),
        (("default_metrics", "rss_peak_bytes"), 10**400),
    ],
)
def test_a_strange_record_spoils_no_page(searched, field, value):
    (tuned, *_rest) = of_kind(searched, "tuned")
    *path, last = field
    place = tuned["payload"]
    for step in path:
        place = place[step]
    place[last] = value
    try:
        tuned.update(records.decode(json.dumps(tuned).encode()))
    except records.RecordError:
        # Left out with its reason, and all other pages are made.
        searched.remove(tuned)
    assert pages.render(searched)


@pytest.mark.parametrize(
    ("word", "quoted"), [("", '""'), ("a$b c", '"a$$b c"'), ("a%b", "a%%b"), ("%h/a b", '"%h/a b"')]
)
def test_words_are_what_systemd_reads(word, quoted):
    assert pages.tuned._quoted(word) == quoted


def test_a_dollar_of_the_environment_is_one():
    assert pages.tuned._quoted("FOO=a$b c", dollar="$") == '"FOO=a$b c"'


def test_no_other_page_shows_what_a_search_launched(real, searched, tmp_path: Path):
    before, after = pages.render(real), pages.render([*real, *searched])
    path = path_of(searched)
    new = {path, summary.tuned_file(path)}
    assert set(after) - set(before) == new
    machine = summary.machine_path(searched[0]["machine"])
    changed = {one for one in before if before[one] != after[one]}
    assert changed == {machine, summary.INDEX}
    assert "## Best configurations" in after[machine]
    whole = after[summary.INDEX].replace(after[summary.INDEX].split("## Best configurations")[1].split("\n## ")[0], "")
    assert whole.replace("## Best configurations\n## ", "## ") == before[summary.INDEX]


def test_files_are_written_and_taken_away_again(searched, tmp_path: Path):
    rendered = pages.render(searched)
    written = pages.write(tmp_path, rendered)
    file = summary.tuned_file(path_of(searched))
    assert file in written
    assert pages.write(tmp_path, {}) == sorted(rendered)
    assert not (tmp_path / file).exists()


def test_a_search_that_found_nothing_is_told_and_a_refusal_on_its_way_is_no_failure(searched):
    (run,) = summary.runs(searched)
    assert summary.tuning(run)
    assert run.failures == []
    assert summary.not_found(run) == ["the best configuration for memory: no configuration needs so little"]
    promised = pages.promised_pages(of_kind(searched, "run")[0])
    assert set(promised) <= set(pages.render(searched))
    assert path_of(searched) in promised


def test_defaults_that_fail_are_a_failure(searched):
    failure = of_kind(searched, "failure")[0]
    failure["payload"]["cell"].pop("variant")
    failure["time"] = "2026-12-01T00:00:00Z"
    (run,) = summary.runs(searched)
    assert len(run.failures) == 1


def test_the_end_of_the_terminal_has_the_answers(searched):
    told = terminal.lines(searched, RUN, "results")
    assert any("generation  1.25x (1.22 to 1.28) of the defaults: build" in line for line in told)
    assert any("memory      no configuration: no configuration needs so little" in line for line in told)
    assert not any("nothing was measured" in line for line in told)
