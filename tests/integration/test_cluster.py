# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What playbook cluster refuses, and the rule of the security group between the instances of a run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
from support.aws.server import AwsServer

ROOT = Path(__file__).resolve().parents[2]

# The rules as the role has them, given to the module that the role uses.
GROUP = f"""
- hosts: localhost
  connection: local
  gather_facts: false
  vars_files: [{ROOT}/roles/ec2_environment/defaults/main.yml, {ROOT}/roles/ec2_environment/vars/main.yml]
  tasks:
    - amazon.aws.ec2_security_group:
        name: "{{{{ __ec2_environment_name }}}}"
        description: a test
        vpc_id: "{{{{ vpc }}}}"
        rules: "{{{{ __ec2_environment_rules }}}}"
"""


def play(folder: Path, playbook: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run ansible-playbook apart from the settings and the account of whoever tests."""
    (folder / "ansible.cfg").write_text(
        f"[defaults]\ncollections_path = {ROOT / 'collections'}\nlocalhost_warning = false\n"
        "callbacks_enabled = cloudbench.llama.bench_report\n"
    )
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ANSIBLE_", "AWS_", "CLOUDBENCH_"))}
    environment = {
        **kept, "ANSIBLE_CONFIG": str(folder / "ansible.cfg"), "CLOUDBENCH_RESULTS_DIR": str(folder / "results"), **more
    }  # fmt: skip
    return subprocess.run(
        ["ansible-playbook", playbook, *arguments], cwd=folder, env=environment, capture_output=True, text=True,
        stdin=subprocess.DEVNULL, timeout=300, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("hosts", [{}, {"localhost": {"ansible_connection": "local"}}])
def test_a_cluster_of_fewer_than_two_hosts_is_refused(tmp_path, hosts):
    (tmp_path / "hosts.json").write_text(json.dumps({"bench": {"hosts": hosts}}))
    done = play(tmp_path, str(ROOT / "playbooks" / "cluster.yml"), "-i", str(tmp_path / "hosts.json"))
    assert done.returncode != 0
    said = " ".join(done.stdout.split())
    assert "cluster needs two hosts in group bench" in said or "no host" in said
    assert not list(tmp_path.glob("results/*/records/*"))


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"llama_rpc_prot": 50053}, "no role has a variable llama_rpc_prot; the nearest is llama_rpc_port"),
        ({"llama_rpc_port": 22}, "llama_rpc_port must be 1024 or more, not 22"),
        ({"llama_rpc_patience": 5}, "llama_rpc_patience must be 60 or more, not 5"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path, variables, words):
    hosts = {name: {"ansible_connection": "local"} for name in ("first", "second")}
    (tmp_path / "hosts.json").write_text(json.dumps({"bench": {"hosts": hosts}}))
    done = play(
        tmp_path,
        str(ROOT / "playbooks" / "cluster.yml"),
        "-i",
        str(tmp_path / "hosts.json"),
        "-e",
        json.dumps(variables),
    )
    assert done.returncode != 0
    assert words in " ".join(done.stdout.split())


def rules(tmp_path: Path, **variables: Any) -> list[dict[str, Any]]:
    """The rules of a group, and its id, as the account has them once the role's module has made it."""
    with AwsServer() as server:
        ec2 = boto3.client(
            "ec2", endpoint_url=server.endpoint, region_name="us-east-1", aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )  # fmt: skip
        vpc = ec2.create_vpc(CidrBlock="10.83.0.0/16")["Vpc"]["VpcId"]
        (tmp_path / "group.yml").write_text(GROUP)
        account = {
            "AWS_ENDPOINT_URL": server.endpoint, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
        }  # fmt: skip
        given = {"__ec2_environment_name": "cloudbench-r1", "ec2_environment_ssh_from": "203.0.113.7",
                 "ansible_python_interpreter": sys.executable}  # fmt: skip
        asked = json.dumps({"vpc": vpc, **given, **variables})
        done = play(tmp_path, str(tmp_path / "group.yml"), "-i", "localhost,", "-e", asked, **account)
        assert done.returncode == 0, done.stdout
        (group,) = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["cloudbench-r1"]}])[
            "SecurityGroups"
        ]
    return [
        {
            "port": (row["FromPort"], row["ToPort"]),
            "addresses": [each["CidrIp"] for each in row["IpRanges"]] + row.get("Ipv6Ranges", []),
            "itself": [each["GroupId"] == group["GroupId"] for each in row["UserIdGroupPairs"]],
        }
        for row in group["IpPermissions"]
    ]


SSH = {"port": (22, 22), "addresses": ["203.0.113.7/32"], "itself": []}


def test_the_instances_of_a_run_reach_each_other_where_a_cluster_is_asked_for_and_nobody_else_does(tmp_path):
    between = {"port": (50052, 50053), "addresses": [], "itself": [True]}
    assert sorted(rules(tmp_path, ec2_environment_cluster_port=50052), key=str) == sorted([SSH, between], key=str)


def test_otherwise_no_such_port_is_open(tmp_path):
    assert rules(tmp_path) == [SSH]


def test_with_the_session_manager_it_is_the_only_rule(tmp_path):
    told = rules(tmp_path, ec2_environment_cluster_port=50052, ec2_environment_connection="ssm")
    assert told == [{"port": (50052, 50053), "addresses": [], "itself": [True]}]
