# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One set of variables, planned for EC2 and on a host, as ansible-playbook plans it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from support.aws.server import AwsServer

from ansible_collections.cloudbench.llama.plugins.plugin_utils.request.run_request import defaults

ROOT = Path(__file__).resolve().parents[2]

# After playbooks/plan.yml: the plan of a host, and both in a file.
PLAYBOOK = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - ansible.builtin.import_role:
        name: cloudbench.llama.llama_bench
        tasks_from: plan
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - ansible.builtin.copy:
        dest: "{{ playbook_dir }}/plans.json"
        content: "{{ {'ec2': ec2_environment_plan, 'host': llama_bench_plan} | to_json }}"
        mode: "0600"
"""


class Planned(NamedTuple):
    """How ansible-playbook ended, what it said, and the plans for EC2 and for the host, {} where there is none."""

    code: int
    output: str
    ec2: dict[str, Any]
    host: dict[str, Any]


def played(folder: Path, more: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ansible-playbook with `more` in its environment, apart from the settings and the account of whoever tests."""
    settings = (
        f"[defaults]\ncollections_path = {ROOT / 'collections'}\nlocalhost_warning = false\n"
        "callbacks_enabled = cloudbench.llama.bench_report\n"
    )
    (folder / "ansible.cfg").write_text(settings)
    foreign = ("ANSIBLE_", "AWS_", "CLOUDBENCH_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    environment = {
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_HOME": str(folder / "home"),
        "ANSIBLE_REMOTE_TEMP": str(folder / "home" / "tmp"),
        "AWS_CONFIG_FILE": str(folder / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "none"),
        "CLOUDBENCH_PRICES": str(folder / "prices.json"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_REGION": "us-east-1",
        "LC_ALL": "C.UTF-8",
    }
    program = Path(sys.executable).with_name("ansible-playbook")
    return subprocess.run(
        [str(program), "-e", f"ansible_python_interpreter={sys.executable}", *arguments],
        cwd=folder, env={**kept, **environment, **more}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, encoding="utf-8", timeout=300, check=False,
    )  # fmt: skip


def planned(folder: Path, *arguments: str) -> Planned:
    """Plan with these arguments of ansible-playbook."""
    (folder / "host.yml").write_text(PLAYBOOK)
    done = played(folder, {}, *arguments, str(ROOT / "playbooks" / "plan.yml"), "host.yml")
    written = folder / "plans.json"
    plans = json.loads(written.read_text("utf-8")) if written.is_file() else {"ec2": {}, "host": {}}
    return Planned(done.returncode, done.stdout, plans["ec2"], plans["host"])


def asked_of(plan: dict[str, Any]) -> list[str]:
    return list(dict.fromkeys(cell["test"] for cell in plan["cells"]))


def test_without_variables_both_plan_what_the_roles_ask_for(tmp_path: Path) -> None:
    made = planned(tmp_path)
    assert made.code == 0, made.output
    assert (made.ec2["errors"], made.host["failures"]) == ([], [])
    assert asked_of(made.host) == defaults()["tests"]
    assert [cell["test"] for cell in made.host["cells"] if cell.get("purpose") == "twin"] == ["tg128"]
    assert made.host["launches_most"] == 30


def test_users_for_whom_the_server_has_slots_are_planned_on_ec2_as_on_the_host(tmp_path: Path) -> None:
    # On the command line every value is a text.
    asked = ["llama_bench_slots=8", '{"llama_bench_tests": ["serve128+64@c8", "tg8"], "llama_model_seed": 2}']
    made = planned(tmp_path, *[part for value in asked for part in ("-e", value)])
    assert made.code == 0, made.output
    assert (made.ec2["errors"], made.ec2["remarks"], made.host["failures"]) == ([], [], [])
    assert asked_of(made.host) == ["serve128+64@c8", "tg8"]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("llama_bench_launches=0", "llama_bench_launches must be 1 or more, not 0"),
        ("llama_bench_minutes=soon", "llama_bench_minutes is a number, not 'soon'"),
    ],
)
def test_what_cannot_be_meant_is_said_before_anything_is_rented(tmp_path: Path, value: str, words: str) -> None:
    made = planned(tmp_path, "-e", value)
    assert made.code == 2, made.output
    assert words in " ".join(made.output.split())
    assert "Traceback" not in made.output
    assert made.ec2 == {}


def test_prices_that_were_asked_for_are_those_of_the_next_plan(tmp_path: Path) -> None:
    """`make prices` with an account, and a plan without one."""
    asked = '{"ec2_environment_prices_regions": "us-east-1,eu-west-1"}'
    with AwsServer() as server:
        of_regions = [{"regionCode": name, "instanceType": "c7g.16xlarge"} for name in ("us-east-1", "eu-west-1")]
        server.configure(prices=[{**row, "usd": 2.3 + number} for number, row in enumerate(of_regions)])
        environment = {**server.environment, "CLOUDBENCH_PRICES": str(tmp_path / "prices.json")}
        done = played(tmp_path, environment, "-e", asked, str(ROOT / "playbooks" / "prices.yml"))
    assert done.returncode == 0, done.stdout
    assert "eu-west-1: 1 types, AWS Pricing API" in done.stdout
    made = planned(tmp_path)
    assert made.code == 0, made.output
    (row,) = made.ec2["rows"]
    assert (row["usd_h"]["on_demand"], row["usd_h"]["source"]) == (2.3, "AWS Pricing API")
    (tmp_path / "prices.json").write_text("{")
    made = planned(tmp_path)
    assert made.code == 2
    assert "remove it, and make prices writes it anew" in " ".join(made.output.split())
