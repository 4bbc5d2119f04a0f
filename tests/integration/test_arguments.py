# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot be meant ends a playbook of ours before anything is built, rented or recorded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(sys.executable).with_name("ansible-playbook")


class Done(NamedTuple):
    """How ansible-playbook ended, what it said (with single spaces), and the files it left in the results."""

    code: int
    output: str
    left: list[str]


def play(folder: Path, *arguments: str, cwd: Path = ROOT, config: Path | None = ROOT / "ansible.cfg") -> Done:
    """Run ansible-playbook apart from the settings and the account of whoever tests."""
    foreign = ("ANSIBLE_", "AWS_", "CLOUDBENCH_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    settings = {
        "ANSIBLE_HOME": str(folder / "home"),
        "AWS_CONFIG_FILE": str(folder / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_REGION": "us-east-1",
        "CLOUDBENCH_RESULTS_DIR": str(folder / "results"),
        "LC_ALL": "C.UTF-8",
        **({"ANSIBLE_CONFIG": str(config)} if config else {}),
    }
    done = subprocess.run(
        [str(PROGRAM), *arguments],
        cwd=cwd, env={**kept, **settings}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        encoding="utf-8", timeout=120, check=False,
    )  # fmt: skip
    left = [str(path) for path in (folder / "results").rglob("*") if path.is_file()]
    return Done(done.returncode, " ".join(done.stdout.split()), left)


def refused(done: Done, words: str) -> None:
    assert done.code == 2, done.output
    assert words in done.output
    assert "Traceback" not in done.output
    assert "Describe the machine" not in done.output
    assert done.left == []


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("llama_bench_thread=4", "no role has a variable llama_bench_thread; the nearest is llama_bench_threads"),
        ("lama_bench_minutes=4", "no role has a variable lama_bench_minutes; the nearest is llama_bench_minutes"),
        ('{"llama_bench_threads": [2.5]}', "threads must be a whole number, not 2.5"),
        ("llama_cpp_way=nativ", "did you mean native?"),
        ("llama_bench_tests=pp512,tg12x", "tg12x"),
        ("llama_bench_minutes=-3", "llama_bench_minutes must be 0 or more, not -3"),
        ('{"llama_bench_time_limit": "soon"}', "llama_bench_time_limit must be 0.001 or more"),
        ("llama_cpp_jobs=2.5", "llama_cpp_jobs"),
    ],
)
def test_a_run_is_refused_before_anything_is_recorded(tmp_path: Path, value: str, words: str) -> None:
    refused(play(tmp_path, "site.yml", "-e", value), words)


def test_a_plan_of_another_matrix_than_was_meant_is_not_shown(tmp_path: Path) -> None:
    matrix = '{"ec2_environment_instance": [{"type": "c7g.large"}]}'
    done = play(tmp_path, "-i", "inventory/aws/hosts.yml", "playbooks/plan.yml", "-e", matrix)
    refused(done, "the nearest is ec2_environment_instances")
    assert "USD" not in done.output


def test_what_hosts_that_are_not_rented_yet_will_have_is_looked_at_too(tmp_path: Path) -> None:
    inventory = tmp_path / "aws"
    (inventory / "group_vars").mkdir(parents=True)
    (inventory / "hosts.yml").write_text((ROOT / "inventory" / "aws" / "hosts.yml").read_text("utf-8"))
    (inventory / "group_vars" / "aws_ec2.yml").write_text("llama_bench_thread: [4]\n")
    done = play(tmp_path, "-i", str(inventory), "playbooks/plan.yml")
    refused(done, "no role has a variable llama_bench_thread; the nearest is llama_bench_threads")


@pytest.mark.parametrize(
    ("playbook", "value", "words"),
    [
        ("explain", "llama_cpp_explain_typ=c8g.large", "llama_cpp_explain_type"),
        ("advise", "bench_report_advise_usrs=8", "bench_report_advise_users"),
        ("report", "bench_report_result_dir=elsewhere", "bench_report_results_dir"),
        ("compare", "bench_report_fail_in=never", "bench_report_fail_on"),
        ("teardown", "ec2_environment_rn=x", "ec2_environment_run"),
    ],
)
def test_no_playbook_takes_a_variable_that_no_role_has(tmp_path: Path, playbook: str, value: str, words: str) -> None:
    refused(play(tmp_path, f"playbooks/{playbook}.yml", "-e", value), f"the nearest is {words}")


def test_an_inventory_without_hosts_to_measure_is_a_failure(tmp_path: Path) -> None:
    inventory = tmp_path / "hosts.yml"
    inventory.write_text("all: {hosts: {somewhere: {ansible_connection: local}}}\n")
    refused(play(tmp_path, "-i", str(inventory), "site.yml"), "has no host in the group bench")


def test_a_limit_without_the_host_that_reports_is_a_failure(tmp_path: Path) -> None:
    """What fails on a host is rescued there: without a report such a run would end as if all were well."""
    inventory = tmp_path / "hosts.yml"
    inventory.write_text("bench: {hosts: {near: {ansible_connection: local}, far: {ansible_connection: local}}}\n")
    done = play(tmp_path, "-i", str(inventory), "playbooks/prepare.yml", "--limit", "near")
    refused(done, "use --limit near,localhost")
    # With it only what is wrong on purpose is told.
    wrong = play(
        tmp_path, "-i", str(inventory), "playbooks/prepare.yml", "--limit", "near,localhost", "-e", "llama_cpp_wy=x"
    )
    refused(wrong, "no role has a variable llama_cpp_wy")
    assert "--limit" not in wrong.output


def test_an_inventory_that_is_not_there_is_a_failure(tmp_path: Path) -> None:
    missing = str(tmp_path / "nowhere.yml")
    refused(play(tmp_path, "-i", missing, "site.yml"), f"there is no {missing}")


def test_measuring_what_nobody_planned_is_a_failure(tmp_path: Path) -> None:
    refused(play(tmp_path, "playbooks/measure.yml"), "no host was planned; use the playbook site")


@pytest.mark.parametrize("playbook", ["site.yml", "playbooks/measure.yml"])
def test_tags_that_leave_out_everything_are_a_failure(tmp_path: Path, playbook: str) -> None:
    done = play(tmp_path, playbook, "--tags", "nosuch")
    assert done.code == 2, done.output
    assert "no host was planned with --tags nosuch" in done.output
    assert done.left == []


def test_tags_that_leave_out_everything_of_rented_hosts_are_a_failure(tmp_path: Path) -> None:
    inventory = tmp_path / "hosts.yml"
    inventory.write_text("bench: {}\nec2_environment: {hosts: {localhost: {ansible_connection: local}}}\n")
    done = play(tmp_path, "-i", str(inventory), "site.yml", "--tags", "nosuch")
    refused(done, "no host was planned with --tags nosuch")


@pytest.mark.parametrize("option", ["--list-tasks", "--syntax-check"])
def test_tags_that_leave_out_everything_do_not_hinder_what_runs_nothing(tmp_path: Path, option: str) -> None:
    assert play(tmp_path, "site.yml", "--tags", "nosuch", option).code == 0


def test_a_checkout_whose_settings_ansible_ignores_is_told(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for name in ("ansible.cfg", "site.yml", "playbooks", "collections", "inventory"):
        (checkout / name).symlink_to(ROOT / name)
    checkout.chmod(0o777)
    refused(play(tmp_path, "site.yml", cwd=checkout, config=None), f"chmod o-w {checkout}")
