# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Some faults of `make chaos`, others for each commit, on a real run over ssh; all the short ones where asked for."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from support import rotation
from support.hosts import chaos, clones, emulated
from support.hosts.clones import Spec

ROOT = Path(__file__).resolve().parents[2]
# So many of them are a minute or two.
COUNT = 2
SHORT = [fault.name for fault in chaos.FAULTS if not fault.long]
CHOSEN = SHORT if rotation.everything() else random.Random(rotation.digest()).sample(SHORT, COUNT)

pytestmark = pytest.mark.skipif(clones.obstacle() is not None, reason=str(clones.obstacle()))


@pytest.fixture(scope="module")
def prepared():
    """llama.cpp and a small model; minutes where no run of this machine has compiled it, seconds otherwise."""
    chaos.prepare()


@pytest.mark.parametrize("name", CHOSEN)
def test_a_fault_loses_nothing_doubles_nothing_and_leaves_nothing(prepared, name):
    outcome = chaos.suffer(chaos.BY_NAME[name])
    assert outcome.problems == [], outcome.output


def test_a_host_is_apart_from_this_machine_and_from_another_and_leaves_nothing(tmp_path):
    before = {path.name for path in Path("/sys/class/net").iterdir()}
    with clones.clones([Spec("one", 64, {"/srv/small": 1}), Spec("two", 64)]) as hosts:
        one, two = hosts["one"], hosts["two"]
        options = one.inventory()["ansible_ssh_common_args"].split()
        ssh = ["ssh", "-F", "/dev/null", "-i", str(one.directory / "key"), *options]

        def said(host, command):
            done = subprocess.run([*ssh, f"root@{host.address}", command], capture_output=True, text=True, check=False)
            return done.stdout.strip() or done.stderr.strip()

        assert (said(one, "hostname"), said(two, "hostname")) == ("one", "two")
        assert said(one, f"test -d {emulated.cache()} && echo there") == "there"
        assert said(one, "echo mine > /etc/of-one; cat /etc/of-one") == "mine"
        assert "No such file" in said(two, "cat /etc/of-one")
        assert not Path("/etc/of-one").exists()
        assert one.path("/etc/of-one").read_text() == "mine\n"
        assert "No space left" in said(one, "head -c 2000000 /dev/zero > /srv/small/file")
        assert said(one, "ls /sys/class/net") == "eth0\nlo"
        two.kill()
        assert said(one, "echo alive") == "alive"
        two.boot()
        two.wait()
        assert said(two, "hostname") == "two"
    assert {path.name for path in Path("/sys/class/net").iterdir()} == before
    assert not one.directory.exists()


def test_a_name_that_is_no_fault_is_refused_with_the_nearest():
    done = subprocess.run(
        [sys.executable, "tools/chaos.py", "--only", "ssh-1"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "there is no fault 'ssh-1'; did you mean ssh-1s?" in done.stderr
