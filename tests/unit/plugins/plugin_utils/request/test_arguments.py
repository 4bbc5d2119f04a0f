# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What none of the roles takes, and what is possible on no machine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.cloudbench.llama.plugins.plugin_utils.request import arguments

ROOT = Path(__file__).resolve().parents[5]


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("llama_bench_thread", "llama_bench_threads"),
        ("ec2_environment_instance", "ec2_environment_instances"),
        ("llama_cpp_build", "llama_cpp_builds"),
        ("llama_model_quantisations", "llama_model_quantizations"),
        ("bench_report_formt", "bench_report_format"),
    ],
)
def test_a_variable_that_no_role_has_is_told_with_the_nearest(name: str, nearest: str) -> None:
    assert arguments.unknown([name]) == [f"no role has a variable {name}; the nearest is {nearest}"]


def test_names_of_nobody_else_are_looked_at() -> None:
    others = ["keep", "ansible_user", "__llama_bench_described", "__llama_cpp_key", "ec2_instance_type", "llama_farm"]
    assert arguments.unknown([*others, *arguments.options(), *arguments.FACTS]) == []


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("bench_reports_results_dir", "bench_report_results_dir"),
        ("bench_reports_dir", "bench_report_"),
        ("llama_benchminutes", "llama_bench_minutes"),
        ("lama_bench_minutes", "llama_bench_minutes"),
        ("LLAMA_BENCH_MINUTES", "llama_bench_minutes"),
        ("ec2_enviroment_budget_usd", "ec2_environment_budget_usd"),
    ],
)
def test_a_name_on_the_command_line_that_begins_nearly_as_ours_is_told(name: str, nearest: str) -> None:
    (said,) = arguments.misspelled([name])
    assert said.startswith(f"no role has a variable {name}; the nearest is {nearest}")


def test_names_of_a_persons_own_are_no_misspellings() -> None:
    own = ["llama_dir", "benchmark_user", "bench_hosts", "llama_threads", "llama_batch_size", "bench_user", "keep"]
    own += [
        "bench_reporter_url",
        "llama_server_port",
        "results_dir",
        "ansible_user",
        "aws_region",
        "ec2_region",
        "name",
    ]
    assert arguments.misspelled([*own, *arguments.options(), *arguments.FACTS]) == []


def facts(node: Any) -> set[str]:
    """The names that tasks set as facts, and that playbooks give to playbooks they import, at any depth."""
    names: set[str] = set()
    if isinstance(node, dict):
        names |= set(node.get("ansible.builtin.set_fact") or {})
        if "ansible.builtin.import_playbook" in node:
            names |= set(node.get("vars") or {})
    for part in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        names |= facts(part)
    return names


def test_the_facts_are_those_that_roles_and_playbooks_hand_on() -> None:
    files = [*ROOT.glob("roles/*/tasks/**/*.yml"), *ROOT.glob("playbooks/*.yml")]
    handed = set().union(*(facts(yaml.safe_load(path.read_text("utf-8"))) for path in files))
    assert {name for name in handed if not name.startswith("__") and name not in arguments.options()} == set(
        arguments.FACTS
    )


def test_what_inventories_scenarios_and_documents_give_is_known() -> None:
    """Whatever the collection itself shows or uses must pass."""
    names: set[str] = set()
    for path in [*ROOT.glob("inventory/**/*.yml"), *ROOT.glob("molecule/**/*.yml"), *ROOT.glob("molecule/**/*.py")]:
        names |= set(re.findall(r"""^[ #]*["']?([a-z0-9_]+)["']?(?::|=\[)""", path.read_text("utf-8"), re.MULTILINE))
    for path in [ROOT / "README.md", *ROOT.glob("docs/*.md")]:
        names |= set(re.findall(r"(?<![\w-])([a-z0-9_]+)\\*[\"']?[=:] ?", path.read_text("utf-8")))
    assert {name for name in names if name in arguments.options()} > {"llama_cpp_way", "llama_bench_minutes"}
    assert arguments.unknown(names) == []
    assert arguments.misspelled(names) == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"llama_cpp_way": "nativ"}, "llama_cpp_way is 'nativ': choose from native, cross; did you mean native?"),
        ({"bench_report_fail_on": ["slow"]}, "bench_report_fail_on is 'slow': choose from"),
        ({"bench_report_fail_on": "slower,slow"}, "did you mean slower?"),
        ({"llama_bench_tests": ["pp512", "tg12x"]}, "'tg12x' is no test"),
        ({"llama_bench_minutes": -3}, "llama_bench_minutes must be 0 or more, not -3"),
        ({"llama_bench_time_limit": "-1"}, "llama_bench_time_limit must be 0.001 or more, not '-1'"),
        ({"llama_cpp_jobs": "many"}, "llama_cpp_jobs must be 0 or more, not 'many'"),
        ({"llama_bench_threads": [2.5]}, "threads must be a whole number, not 2.5"),
        ({"llama_bench_threads": [True]}, "threads must be a whole number, not True"),
        ({"llama_bench_launches": 5, "llama_bench_launches_most": 2}, "llama_bench_launches_most is 2, below the 5"),
        ({"llama_bench_launches": 9, "llama_bench_launches_most": 8}, "or for 8 launches or fewer"),
        ({"llama_model_quantizations": "Q4_9"}, "'Q4_9'"),
        ({"llama_model_models": ["llama-3.2-1c"]}, "did you mean llama-3.2-1b"),
        ({"llama_cpp_builds": ["no-repak"]}, "did you mean no-repack?"),
        ({"llama_cpp_builds": [{"name": "mine", "way": "nativ"}]}, "way of build mine (llama_cpp_way) is 'nativ'"),
        ({"llama_cpp_builds": [{"name": "mine", "cmake_options": ["x"]}]}, "cmake_options of build mine is a mapping"),
        ({"llama_bench_slots": 2, "llama_bench_tests": ["serve128+64@c4"]}, "llama_bench_slots"),
    ],
)
def test_what_is_possible_nowhere_is_told(given: dict[str, Any], words: str) -> None:
    (said,) = arguments.wrong_values(given)
    assert words in said


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"llama_bench_threads": [9999], "llama_model_quantizations": ["legacy"], "llama_cpp_jobs": "4"},
        {"llama_cpp_builds": ["default", "legacy", {"name": "mine", "source_type": "tree", "path": "tree"}]},
        {"llama_cpp_source_type": "git", "llama_cpp_git_ref": "master", "llama_cpp_builds": ["lto"]},
        {"bench_report_fail_on": ["never"]},
        {"llama_bench_launches": 40, "llama_bench_threads": [2.0, "4"]},
    ],
)
def test_what_only_a_machine_can_refuse_passes(given: dict[str, Any]) -> None:
    assert arguments.wrong_values(given) == []


def test_the_defaults_of_all_roles_pass() -> None:
    given: dict[str, Any] = {}
    for path in ROOT.glob("roles/*/defaults/main.yml"):
        given |= yaml.safe_load(path.read_text("utf-8"))
    plain = {name: value for name, value in given.items() if "{{" not in str(value)}
    assert arguments.wrong_values(plain) == []


def test_every_least_value_is_that_of_a_variable() -> None:
    kinds = {arguments.options()[name]["type"] for name in arguments.LEAST}
    assert kinds <= {"int", "float"}
