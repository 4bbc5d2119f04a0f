# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first script of an instance, as the role renders it, run by a shell with its surroundings replaced."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from jinja2 import Template

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.known_hosts import host_keys

TEMPLATE = Path(__file__).resolve().parents[2] / "roles/ec2_environment/templates/user_data.sh.j2"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDduK+2i6ufIPu4rXlnobuXzQdlEYZgnMQ+tPmJo/SWX"
# Each writes down that it was called; time passes by it alone.
STUB = '#!/bin/sh\necho "{name} $*" >> "$CALLS"\n{more}\n'


def rendered(connection: str) -> str:
    template = Template(TEMPLATE.read_text("utf-8"), trim_blocks=True, keep_trailing_newline=True)
    return template.render(ec2_environment_ttl_minutes=240, ec2_environment_connection=connection)


@pytest.fixture
def boot(tmp_path):
    """Run the script to the end of what it leaves in the background; return what was called, and the console."""

    def run(connection: str, **stubs: str) -> tuple[list[str], str]:
        console, keys, programs = tmp_path / "console", tmp_path / "ssh", tmp_path / "bin"
        console.touch()
        for directory in (keys, programs):
            directory.mkdir()
        (keys / "ssh_host_ed25519_key.pub").write_text(f"{KEY} root@ip-10-83-0-7\n")
        for name in ("shutdown", "sleep", "pgrep", "systemctl"):
            (programs / name).write_text(STUB.format(name=name, more=stubs.get(name, "")))
            (programs / name).chmod(0o755)
        script = rendered(connection).replace("> /dev/console", f">> {console}").replace("/etc/ssh/", f"{keys}/")
        assert "/dev/console" not in script
        calls = tmp_path / "calls"
        environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "CALLS": str(calls)}
        # The background has no output of the script's, so what is waited for is the group.
        subprocess.run(["sh", "-c", script + "\nwait\n"], env=environment, check=True, timeout=60)
        return calls.read_text().splitlines(), console.read_text()

    return run


def test_its_end_comes_first_then_the_keys_twice(boot):
    calls, console = boot("ssh")
    assert calls == ["shutdown -P +240", "sleep 15"]
    assert console == f"\ncloudbench-host-key {KEY}\n" * 2
    assert host_keys(console) == (KEY,)


def test_the_agent_is_restarted_until_its_worker_runs(boot, tmp_path):
    # The third look finds it; Ubuntu has the unit of the snap alone.
    calls, console = boot(
        "ssm",
        pgrep=f'test "$(grep -c pgrep "{tmp_path}/calls")" -ge 3',
        systemctl='case "$2" in snap.*) exit 0;; *) exit 1;; esac',
    )
    assert calls[0] == "shutdown -P +240"
    assert calls.count("pgrep -f ssm-agent-worker") == 3
    restarts = [call for call in calls if call.startswith("systemctl restart")]
    assert restarts == ["systemctl restart snap.amazon-ssm-agent.amazon-ssm-agent"] * 2
    assert host_keys(console) == (KEY,)
    assert "no-ssm-agent" not in console


def test_an_agent_that_never_gets_through_is_left_alone_after_ten_minutes(boot):
    calls, _console = boot("ssm", pgrep="exit 1", systemctl='test "$2" = amazon-ssm-agent')
    assert calls.count("systemctl restart amazon-ssm-agent") == 20
    waited = sum(int(re.sub(r"\D", "", call)) for call in calls if call.startswith("sleep"))
    assert waited == 20 * 30 + 15


def test_an_image_without_agent_says_so_once(boot):
    calls, console = boot("ssm", pgrep="exit 1", systemctl="exit 1")
    assert not [call for call in calls if call.startswith("systemctl restart")]
    assert console.count("cloudbench-no-ssm-agent\n") == 1


def test_nothing_of_it_is_done_where_nobody_connects_through_the_session_manager():
    assert "ssm" not in rendered("ssh")


def test_what_it_leaves_in_the_background_keeps_nobody_waiting():
    """cloud-init waits for whoever has the output of the script."""
    for job in re.findall(r"^\)(.*)&$", rendered("ssm"), re.MULTILINE):
        assert job.split() == ["<", "/dev/null", ">", "/dev/null", "2>&1"]
