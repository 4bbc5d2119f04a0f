# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person reads while it compiles: a whole playbook, a real Ninja, and steps that wait until somebody looked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

# The role has installed the tool chain by now.
testinfra_hosts = ["local://"]

ROOT = Path(__file__).resolve().parents[3]
NINJA = shutil.which("ninja") or "ninja"

BUILD = """rule work
  command = touch start; until find . -name '*.seen' -newer start | grep -q .; do sleep 0.2; done; touch $out
build a: work
build b: work a
rule broken
  command = echo 'x.cpp:1: error: no such thing' && exit 3
build c: broken
"""
PLAY = [
    {
        "hosts": "all",
        "gather_facts": False,
        "tasks": [
            {
                "name": name,
                "cloudbench.llama.llama_cpp_compile": {
                    "directory": "{{ place }}", "targets": [target], "jobs": 1, "name": build,
                },
                # As a cross build is compiled.
                "delegate_to": "localhost",
                "throttle": 1,
                "ignore_errors": True,
            }
            for name, target, build in (("Compile", "b", "default"), ("Again", "b", "lto"), ("Fail", "c", "lto"))
        ],
    }
]  # fmt: skip


def test_the_steps_are_shown_and_a_failure_keeps_the_last_words(tmp_path):
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "CMakeCache.txt").write_text(f"CMAKE_MAKE_PROGRAM:FILEPATH={NINJA}\n")
    (tmp_path / "build" / "build.ninja").write_text(BUILD)
    (tmp_path / "play.yml").write_text(json.dumps(PLAY))
    program = shutil.which("ansible-playbook", path=str(Path(sys.executable).parent)) or "ansible-playbook"
    command = [program, "-i", "gv3,", "-c", "local", "-e", f"place={tmp_path}/build", tmp_path / "play.yml"]
    # By the configuration of this checkout, not by the scenario's.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "MOLECULE_"))}
    environment = {**kept, "LC_ALL": "C.UTF-8", "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "gv3: compiling llama.cpp (build default): step " in said
    assert "gv3: compiled llama.cpp (build default): 2 steps in " in said
    assert "compiled llama.cpp (build lto)" not in said
    assert "x.cpp:1: error: no such thing" in said
    assert "ok=3    changed=2    unreachable=0    failed=0    skipped=0    rescued=0    ignored=1" in said
    assert not list((tmp_path / "build").glob("compile-*"))
