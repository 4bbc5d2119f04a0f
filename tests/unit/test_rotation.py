# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No case may fall out of every third, and the third is the same wherever a commit is tested."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from support import rotation

CASES = list(range(52))


@pytest.fixture(autouse=True)
def a_third(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(rotation.VARIABLE, raising=False)


def test_the_thirds_are_disjoint_and_together_all_of_them() -> None:
    thirds = [rotation.chosen(CASES, commit) for commit in ("00000000ab", "00000001ab", "00000002ab")]
    assert [len(third) for third in thirds] == [18, 17, 17]
    assert sorted(case for third in thirds for case in third) == CASES


def test_the_sixths_are_disjoint_and_together_all_of_them() -> None:
    sixths = [rotation.chosen(CASES, f"0000000{number}ab", rotation.SIXTHS) for number in range(6)]
    assert sorted(case for sixth in sixths for case in sixth) == CASES


def test_all_of_them_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(rotation.VARIABLE, "1")
    assert rotation.chosen(CASES, "00000001") == CASES
    monkeypatch.setenv(rotation.VARIABLE, "every")
    with pytest.raises(ValueError, match="CLOUDBENCH_THOROUGH is 'every': it is 1 for all"):
        rotation.chosen(CASES)


def test_the_commit_decides() -> None:
    done = subprocess.run(
        ["git", "-C", str(rotation.ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip("this checkout is no git repository")
    assert rotation.digest() == done.stdout.strip()


def test_without_git_the_sources_decide(tmp_path: Path) -> None:
    digests = []
    for name, content in (("first", "a"), ("second", "a"), ("third", "b")):
        folder = tmp_path / name / "plugins" / "modules"
        folder.mkdir(parents=True)
        (folder / "module.py").write_text(content)
        digests.append(rotation.digest(tmp_path / name))
    assert digests[0] == digests[1] != digests[2]
    assert int(digests[0], 16)
