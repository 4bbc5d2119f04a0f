# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts with which something is wrong, and one that gets the build of another processor, in one run of site.yml.

Each must end as a failure record with its cause in words, on a page, with an exit code that is not 0, and without a
measurement; and none may keep another host from being measured.
"""

from __future__ import annotations

import json
import os
import subprocess
from typing import NamedTuple

import pytest

testinfra_hosts = ["local://"]


class Run(NamedTuple):
    """How site.yml ended: exit code, output, payloads of all failures and launches by host, all pages as one text."""

    code: int
    output: str
    failures: dict[str, list[dict]]
    launches: dict[str, list[dict]]
    pages: str


@pytest.fixture(scope="module")
def bad(base, project, started, tmp_path_factory) -> Run:
    """One run on all hosts with which something is wrong, and on one that is all right."""
    directory = tmp_path_factory.mktemp("site")
    options = f"-o UserKnownHostsFile={started['known_hosts']} -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes"
    hosts = {
        name: {
            "ansible_host": started["hosts"][name]["address"],
            "ansible_user": started["user"],
            "ansible_ssh_private_key_file": started["identity_file"],
            "ansible_ssh_common_args": options,
            "llama_bench_machine_name": f"emulated-{name}",
        }
        for name in ("gv2", "no-python", "no-sudo", "full-disk", "old-arm", "armv7", "not-v1")
    }
    hosts["not-v1"]["llama_cpp_processor"] = "neoverse-v1"
    (directory / "hosts.json").write_text(json.dumps({"bench": {"hosts": hosts}}))
    # A test that needs all programs that the scenario has built: another set of them would be compiled anew.
    tests = ["agree11x20"]
    variables = {"llama_model_quantizations": ["Q4_0"], "llama_bench_tests": tests, "llama_bench_launches": 1}
    scenario = project / "molecule" / "graviton" / "group_vars"
    results = directory / "results"
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(project / "ansible.cfg"),
        "CLOUDBENCH_RESULTS_DIR": str(results),
    }
    environment.pop("CLOUDBENCH_RUN", None)
    done = subprocess.run(
        ["ansible-playbook", "site.yml", "-i", str(directory / "hosts.json"), "-e", f"@{scenario}/all.yml",
         "-e", f"@{scenario}/bench.yml", "-e", json.dumps(variables)],
        cwd=project, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=900, check=False,
    )  # fmt: skip
    found: dict[str, dict[str, list[dict]]] = {"failure": {}, "launch": {}}
    for path in results.glob("*/records/*.jsonl"):
        for line in path.read_text().splitlines():
            record = json.loads(line)
            # Of a host that could not even be described, only its name in the inventory is known.
            name = path.parent.parent.name.removeprefix("unknown-").removeprefix("emulated-")
            found.setdefault(record["kind"], {}).setdefault(name, []).append(record["payload"])
    pages = "\n".join(path.read_text() for path in sorted(results.rglob("*.md")))
    return Run(done.returncode, done.stdout, found["failure"], found["launch"], pages)


def test_nothing_crashes_and_the_run_fails(bad):
    assert bad.code != 0, bad.output
    assert "Traceback" not in bad.output


def test_the_host_that_is_all_right_is_measured_and_no_other(bad):
    assert {host: len(launches) for host, launches in bad.launches.items()} == {"gv2": 1}
    assert "gv2" not in bad.failures


@pytest.mark.parametrize(
    ("host", "phase", "words"),
    [
        ("no-python", "plan", ["python"]),
        ("no-sudo", "build", ["libgomp", "sudo"]),
        ("full-disk", "build", ["100,000,000 bytes", "are free in /home/admin"]),
        ("old-arm", "build", ["0xd03", "is not in the catalog", "llama_cpp_processor"]),
        ("armv7", "build", ["armv7l", "32-bit", "64-bit system"]),
        # The binary for neoverse-v1 is shipped and dies of SIGILL when it is tried, before anything is measured.
        ("not-v1", "build", ["illegal instruction", "built for neoverse-v1", "this processor has no sve, i8mm"]),
    ],
)
def test_each_host_tells_what_is_wrong_with_it(bad, host, phase, words):
    told = {failure["cause"] for failure in bad.failures[host] if failure["phase"] == phase}
    assert len(told) == 1, bad.failures[host]
    (cause,) = told
    for word in words:
        assert word in cause
    assert f"-{host}" in bad.pages
