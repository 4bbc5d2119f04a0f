# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits of control groups: from planted files of both versions, and of real groups where this machine lets us."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.probe import cgroup

GIB = 2**30
V2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = (
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
)
# As Docker shows it with version 1: the container's group is the root of the mount.
DOCKER = "35 31 0:32 /docker/4f /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"


def plant(root: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, "utf-8")
    return str(root)


@pytest.mark.parametrize(
    ("mounts", "groups", "files", "expected"),
    [
        (V2, "0::/\n", {}, None),
        (
            V2,
            "0::/system.slice/bench.service\n",
            {"system.slice/bench.service/memory.max": "max\n", "system.slice/bench.service/cpu.max": "max 100000\n"},
            None,
        ),
        (
            V2,
            "0::/system.slice/bench.service\n",
            {
                "system.slice/bench.service/memory.max": f"{4 * GIB}\n",
                "system.slice/bench.service/cpu.max": "150000 100000",
            },
            {"cpus": 1.5, "memory_bytes": 4 * GIB},
        ),
        # The least limit on the way up counts.
        (
            V2,
            "0::/a/b\n",
            {"a/memory.max": f"{GIB}\n", "a/b/memory.max": f"{2 * GIB}\n", "a/cpu.max": "200000 100000"},
            {"cpus": 2.0, "memory_bytes": GIB},
        ),
        (
            V1,
            "4:memory:/jobs/1\n1:cpu,cpuacct:/jobs/1\n0::/\n",
            {
                "memory/jobs/1/memory.limit_in_bytes": f"{3 * GIB}\n",
                "memory/memory.limit_in_bytes": "9223372036854771712\n",
                "cpu,cpuacct/jobs/1/cpu.cfs_quota_us": "50000\n",
                "cpu,cpuacct/jobs/1/cpu.cfs_period_us": "100000\n",
            },
            {"cpus": 0.5, "memory_bytes": 3 * GIB},
        ),
        (
            V1,
            "4:memory:/\n1:cpu,cpuacct:/\n",
            {
                "memory/memory.limit_in_bytes": "9223372036854771712\n",
                "cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
                "cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            },
            None,
        ),
        (
            DOCKER,
            "4:memory:/docker/4f\n",
            {"memory/memory.limit_in_bytes": f"{GIB}\n"},
            {"cpus": None, "memory_bytes": GIB},
        ),
        (V2, "0::/../../x\n", {"memory.max": "nonsense\n", "cpu.max": "1\n"}, None),
        ("broken\n", "broken\n", {}, None),
    ],
)
def test_limits_of_planted_groups(tmp_path, mounts, groups, files, expected):
    root = plant(
        tmp_path,
        {
            "proc/self/mountinfo": mounts,
            "proc/self/cgroup": groups,
            **{f"sys/fs/cgroup/{name}": text for name, text in files.items()},
        },
    )
    assert cgroup.limits(root, 16 * GIB) == expected


def test_a_machine_without_control_groups_has_no_limits(tmp_path):
    assert cgroup.limits(str(tmp_path), GIB) is None


@pytest.mark.parametrize(("cpus", "expected"), [(None, 8), (0.5, 1), (1.5, 1), (3.0, 3), (64.0, 8)])
def test_threads_that_a_quota_pays_for(cpus, expected):
    assert cgroup.whole_cpus(8, {"cpus": cpus, "memory_bytes": None}) == expected
    assert cgroup.whole_cpus(8, None) == 8


def test_memory_that_may_be_used():
    assert cgroup.memory({"memory_bytes": 8 * GIB, "cgroup": None}) == 8 * GIB
    assert cgroup.memory({"memory_bytes": 8 * GIB, "cgroup": {"cpus": 1.0, "memory_bytes": GIB}}) == GIB
    assert cgroup.memory({"memory_bytes": None}) is None


@pytest.fixture
def real_groups() -> Iterator[list[Path]]:
    """A group of this machine with 1 GiB of memory and one of one and a half cores, version 1 or 2."""
    name = f"cloudbench-test-{os.getpid()}"
    made: list[Path] = []
    try:
        for base, known, limits in (
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", {"memory.limit_in_bytes": str(GIB)}),
            (
                "/sys/fs/cgroup/cpu",
                "cpu.cfs_quota_us",
                {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "150000"},
            ),
        ):
            if Path(base, known).exists():
                made.append(Path(base, name))
                made[-1].mkdir()
                for file, text in limits.items():
                    (made[-1] / file).write_text(text, "ascii")
        if not made and Path("/sys/fs/cgroup/cgroup.controllers").exists():
            made.append(Path("/sys/fs/cgroup", name))
            made[-1].mkdir()
            (made[-1] / "memory.max").write_text(str(GIB), "ascii")
            (made[-1] / "cpu.max").write_text("150000 100000", "ascii")
        if not made:
            pytest.skip("no control group hierarchy is mounted under /sys/fs/cgroup")
        yield made
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    finally:
        for group in made:
            if group.exists():
                group.rmdir()


def test_limits_of_a_real_group(real_groups):
    code = (
        "import json, os\n"
        "from ansible_collections.cloudbench.llama.plugins.module_utils.probe import machine\n"
        "found = machine.fingerprint()\n"
        "print(json.dumps([found['cgroup'], found['cpu_count'], len(os.sched_getaffinity(0))]))\n"
    )
    entries = " && ".join(f"echo $$ > {group}/cgroup.procs" for group in real_groups)
    done = subprocess.run(
        ["sh", "-c", f'{entries} && exec "$0" -c "$1"', sys.executable, code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "AWS_EC2_METADATA_DISABLED": "true"},
    )
    assert done.returncode == 0, done.stderr
    limits, cpus, affinity = json.loads(done.stdout)
    asked = {(group / name).exists() for group in real_groups for name in ("cpu.max", "cpu.cfs_quota_us")}
    assert limits["memory_bytes"] == GIB
    if True in asked:
        assert limits["cpus"] == 1.5
        assert cpus == min(1, affinity)


@pytest.mark.parametrize("quota", ["² 100000", "1 ²", f"{'9' * 5000} 1", f"{'9' * 400} 1", "1 0", "1", "max max"])
def test_a_quota_that_is_none_limits_nothing(tmp_path, quota):
    files = {"proc/self/mountinfo": V2, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": f"{quota}\n"}
    assert cgroup.limits(plant(tmp_path, files)) is None


def test_a_mount_whose_place_is_no_path_is_passed_over(tmp_path):
    files = {
        "proc/self/mountinfo": V2.replace("/sys/fs/cgroup", "/sys/\\000fs/cgroup") + V2,
        "proc/self/cgroup": "0::/\n",
        "sys/fs/cgroup/memory.max": f"{GIB}\n",
    }
    assert cgroup.limits(plant(tmp_path, files)) == {"cpus": None, "memory_bytes": GIB}
