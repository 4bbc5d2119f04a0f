# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the project's checks and end with one truthful count: N passed, N failed.

Two stages run at a time, for each leaves cores idle; one is shown as it goes, the other when it has ended. A failing
stage does not hide the next one. A linter and a molecule scenario count as one test by their exit status; pytest,
ansible-test and testinfra count by the JUnit files they write. CLOUDBENCH_TIMES=FILE keeps the table as JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import hashlib
import importlib.metadata
import json
import os
import queue
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, NamedTuple

from sanity import checkout_files

ROOT = Path(__file__).resolve().parent.parent
GROUPS = ("lint", "unit", "integration", "browser", "sanity", "molecule")
LANES = 2
# Those that take longest begin, so that none of them is the only one at work in the end; the others follow in their
# order. Source: the table that a run ends with.
BEGIN = ("molecule-aws", "molecule-default", "molecule-graviton", "sanity", "unit", "ansible-lint", "integration")


class Stage(NamedTuple):
    """One command. Its exit status is a test of its own (counts_itself), or only its JUnit reports are.

    `reads` tells a file of the checkout that its verdict depends on from others, where that is known: such a stage is
    not run again while those files and the tools are what they were when it last passed.
    """

    name: str
    command: list[str]
    counts_itself: bool = True
    environment: dict[str, str] | None = None
    reads: Callable[[Path], bool] | None = None


class Counts(NamedTuple):
    """Numbers of tests."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0


class Outcome(NamedTuple):
    """What a stage came to."""

    name: str
    seconds: float
    counts: Counts
    failures: list[str]
    cpu_s: float = 0.0


def read_by_ansible_lint(name: Path) -> bool:
    """All but results and the Python that no play imports: it runs modules for their arguments, and filters."""
    return name.parts[0] != "results" and (name.suffix != ".py" or name.parts[0] == "plugins")


def read_by_antsibull_docs(name: Path) -> bool:
    """The documentation of plugins and roles, and what the collection says of itself."""
    if name.parts[0] == "plugins":
        return name.parts[1] not in ("module_utils", "plugin_utils")
    return name.parts[0] in ("docs", "galaxy.yml", "meta", "roles") or name.name.startswith("requirements")


def verdict(stage: Stage) -> Path | None:
    """The file that says that the stage has passed as things are now; None where that cannot be told.

    Its name is a digest of the files that the stage reads, of its command, of this program and of what is installed.
    """
    if stage.reads is None:
        return None
    try:
        names = checkout_files(ROOT)
    except (OSError, subprocess.CalledProcessError):
        return None  # no git here
    whole = hashlib.sha256(repr((sys.version, stage.name, stage.command[1:], sorted(installed()))).encode())
    for name in [*filter(stage.reads, names), Path("tests/run.py")]:
        content = os.readlink(ROOT / name).encode() if (ROOT / name).is_symlink() else (ROOT / name).read_bytes()
        whole.update(f"{name.as_posix()} {hashlib.sha256(content).hexdigest()}\n".encode())
    caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(caches, "cloudbench", "lint", whole.hexdigest()).expanduser()


@functools.cache
def installed() -> frozenset[tuple[str, str]]:
    """Names and versions of all distributions of this Python."""
    return frozenset((one.metadata["Name"], one.version) for one in importlib.metadata.distributions())


def stages(groups: Iterable[str], reports: Path) -> list[Stage]:
    """The stages of these groups, or of these names, in order; each writes JUnit files into reports/<its name>."""
    asked = set(groups)
    python = sys.executable
    docs_lint = ["antsibull-docs", "lint-collection-docs", "--plugin-docs", "--validate-collection-refs", "dependent"]
    # The tests of a file stay together, with what they share.
    processes = {"unit": ["--numprocesses=2", "--dist=loadfile"]}
    scenarios = sorted(path.parent.name for path in ROOT.glob("molecule/*/molecule.yml"))
    by_group = {
        "lint": [
            Stage("ruff", [python, "-m", "ruff", "check", "."]),
            Stage("mypy", [python, "-m", "mypy"]),
            Stage("yamllint", [python, "-m", "yamllint", "--strict", "."]),
            Stage("ansible-lint", ["ansible-lint", "--strict"], reads=read_by_ansible_lint),
            Stage("antsibull-changelog", ["antsibull-changelog", "lint"]),
            Stage(
                "antsibull-docs",
                [*docs_lint, "--disallow-unknown-collection-refs", "."],
                # It copies amazon.aws too, but for what git ignores: all of it, where git takes .venv for ours.
                environment={"GIT_CEILING_DIRECTORIES": str(ROOT)},
                reads=read_by_antsibull_docs,
            ),
        ],
        **{
            name: [
                Stage(
                    name,
                    [
                        *[python, "-m", "pytest", f"tests/{name}", f"--junit-xml={reports}/{name}/{name}.xml"],
                        *processes.get(name, []),
                    ],
                    counts_itself=False,
                )
            ]
            for name in ("unit", "integration", "browser")
        },
        "sanity": [Stage("sanity", [python, "tests/sanity.py", "--junit", f"{reports}/sanity"], counts_itself=False)],
        "molecule": [
            Stage(
                f"molecule-{name}",
                ["molecule", "test", "--scenario-name", name],
                environment={"PYTEST_ADDOPTS": f"--junit-xml={reports}/molecule-{name}/testinfra.xml"},
            )
            for name in scenarios
        ],
    }
    return [stage for group in GROUPS for stage in by_group[group] if asked & {group, stage.name}]


def count_reports(folder: Path) -> Counts:
    """Add up the test cases of all JUnit files in folder; no folder, no cases."""
    passed = failed = skipped = 0
    for path in sorted(folder.glob("*.xml")):
        for case in ET.parse(path).getroot().iter("testcase"):
            if case.find("failure") is not None or case.find("error") is not None:
                failed += 1
            elif case.find("skipped") is not None:
                skipped += 1
            else:
                passed += 1
    return Counts(passed, failed, skipped)


def failures(folder: Path) -> list[str]:
    """What failed in the JUnit files of folder, a line each: the name of the test and the first line of its message."""
    lines = []
    for path in sorted(folder.glob("*.xml")):
        for case in ET.parse(path).getroot().iter("testcase"):
            for found in [*case.findall("failure"), *case.findall("error")]:
                message = (found.get("message") or found.text or "").strip()
                name = "::".join(filter(None, (case.get("classname"), case.get("name"))))
                lines.append(f"{name}: {message.splitlines()[0] if message else found.tag}")
    return lines


def judge(status: int, reported: Counts, counts_itself: bool) -> Counts:
    """Combine an exit status with the reported tests.

    A stage that counts only by its reports still fails once when its status contradicts them (it crashed, or it says
    success and ran nothing), so that no failure is lost.
    """
    passed, failed, skipped = reported
    if counts_itself:
        return Counts(passed + (status == 0), failed + (status != 0), skipped)
    if failed == 0 and (status != 0 or passed == 0):
        failed = 1
    return Counts(passed, failed, skipped)


def say(line: str, output: IO[bytes] | None = None) -> None:
    """Print a line, or write it to `output`."""
    if output:
        output.write(f"{line}\n".encode())
        output.flush()
    else:
        print(line, flush=True)


def measured(stage: Stage, reports: Path, output: IO[bytes] | None = None) -> Outcome:
    """Run a stage, unless it has passed with the very same input; return what it came to."""
    start = time.monotonic()
    passed = verdict(stage)
    if passed and passed.exists():
        say(f"\n==> {stage.name}: has passed with the same files and tools ({passed})", output)
        return Outcome(stage.name, time.monotonic() - start, Counts(passed=1), [])
    status, cpu_s = run(stage, output)
    if passed and status == 0:
        passed.parent.mkdir(parents=True, exist_ok=True)
        passed.touch()
    counts = judge(status, count_reports(reports / stage.name), stage.counts_itself)
    failed = failures(reports / stage.name)
    if counts.failed > len(failed):
        failed.append(f"ended with status {status}: {shlex.join(stage.command)}")
    return Outcome(stage.name, time.monotonic() - start, counts, failed, cpu_s)


class Lanes:
    """Stages side by side, `count` at a time.

    Of those at work the one that began when none was shown is shown as it goes; what another prints is kept until it
    has ended and nobody is shown.
    """

    def __init__(self, stages: list[Stage], reports: Path, count: int = LANES) -> None:
        self.outcomes: dict[str, Outcome] = {}
        self.interrupted = False
        self._reports = reports
        self._waiting = sorted(stages, key=lambda stage: BEGIN.index(stage.name) if stage.name in BEGIN else len(BEGIN))
        self._at_work: list[Stage] = []
        self._shown: str | None = None
        self._printed: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._threads = [threading.Thread(target=self._lane, daemon=True) for _lane in range(min(count, len(stages)))]

    def run(self) -> None:
        """Run all of them; after an interrupt, wait for those at work and begin no other."""
        for thread in self._threads:
            thread.start()
        for thread in self._threads:
            while thread.is_alive():
                try:
                    thread.join()
                except KeyboardInterrupt:
                    with self._changed:
                        self.interrupted = True
                        self._waiting.clear()
                        self._changed.notify_all()

    def _next(self) -> Stage | None:
        """Take the next stage, one with emulated hosts when nobody else has such; None when there is none.

        A machine has one set of emulated hosts at a time.
        """
        with self._changed:
            while self._waiting:
                taken = emulates(self._at_work)
                for stage in self._waiting:
                    if not (taken and emulates([stage])):
                        self._waiting.remove(stage)
                        self._at_work.append(stage)
                        self._shown = self._shown or stage.name
                        return stage
                self._changed.wait()
        return None

    def _lane(self) -> None:
        """In a thread."""
        while stage := self._next():
            try:
                if self._shown == stage.name:
                    outcome = measured(stage, self._reports)
                else:
                    with tempfile.TemporaryFile() as output:
                        outcome = measured(stage, self._reports, output)
                        output.seek(0)
                        self._printed.put(output.read())
            except Exception as error:  # a lane that ends without a word would lose its stages from the count
                outcome = Outcome(stage.name, 0.0, Counts(failed=1), [f"{type(error).__name__}: {error}"])
            with self._changed:
                self.outcomes[stage.name] = outcome
                self._at_work.remove(stage)
                if self._shown in (stage.name, None):
                    while not self._printed.empty():
                        print(self._printed.get().decode(errors="replace"), flush=True)
                    self._shown = None
                self._changed.notify_all()


def run(stage: Stage, output: IO[bytes] | None = None) -> tuple[int, float]:
    """Run a stage with its output shown as it comes, or written to `output`; return its exit status and processor time.

    The time is in seconds, of the command and of all that it waited for. The status is 127 if the command does not
    exist. Ctrl-C interrupts the command too, which may have hosts and processes to remove: it is waited for.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    environment = {
        **os.environ,
        "LC_ALL": "C.UTF-8",
        "PATH": path,
        # ansible-core reports an exception in a callback as a warning; in the project's tests it is an error.
        "_ANSIBLE_CALLBACK_DISPATCH_ERROR_BEHAVIOR": "error",
        **(stage.environment or {}),
    }
    say(f"\n==> {stage.name}: {shlex.join(stage.command)}", output)
    try:
        process = subprocess.Popen(
            stage.command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT if output else None
        )
    except OSError as error:
        say(f"{stage.command[0]}: {error}", output)
        return 127, 0.0
    _pid, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_utime + usage.ru_stime


def emulates(scenarios: Iterable[Stage]) -> bool:
    """Whether one of these scenarios creates its hosts."""
    folders = [ROOT / "molecule" / stage.name.removeprefix("molecule-") for stage in scenarios]
    return any((folder / "create.yml").exists() for folder in folders)


@contextlib.contextmanager
def emulated_root() -> Iterator[None]:
    """Make the Debian root of the emulated hosts beside the first stages.

    It takes minutes where it is in no cache, and the two longest stages wait for it, one after the other. Whatever
    becomes of it here, the scenario asks for it again and tells.
    """
    command = shlex.join([sys.executable, "tests/support/hosts/emulated.py"])
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    shell = ["sh", "-c", f"{command} packages && exec {command} root"]
    process = subprocess.Popen(shell, cwd=ROOT, start_new_session=True, **quiet)  # type: ignore[call-overload]
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        process.wait()


def summary(outcomes: list[Outcome]) -> str:
    """What failed, a line for each stage and the closing line.

    The failures come here again, since their stage's own words are thousands of lines above by now.
    """
    width = max([len("stage"), *(len(outcome.name) for outcome in outcomes)])
    lines = [f"FAILED {outcome.name}: {line}" for outcome in outcomes for line in outcome.failures]
    lines.append(f"{'stage':<{width}}  seconds    cpu s  passed  failed")
    for name, seconds, counts, _failures, cpu_s in outcomes:
        line = f"{name:<{width}}  {seconds:7.1f}  {cpu_s:7.1f}  {counts.passed:6d}  {counts.failed:6d}"
        lines.append(line + (f"  ({counts.skipped} not run)" if counts.skipped else ""))
    passed = sum(outcome.counts.passed for outcome in outcomes)
    failed = sum(outcome.counts.failed for outcome in outcomes)
    return "\n".join([*lines, f"{passed} passed, {failed} failed"])


def table(outcomes: list[Outcome]) -> str:
    """The stages as JSON: a list of objects with stage, seconds, cpu_s, passed, failed and skipped."""
    rows = [
        {"stage": one.name, "seconds": round(one.seconds, 1), "cpu_s": round(one.cpu_s, 1), **one.counts._asdict()}
        for one in outcomes
    ]
    return json.dumps(rows, indent=1) + "\n"


def main() -> int:
    """Return 0 if all passed, 1 if any failed, 130 after an interrupt."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    # Not argparse's own choices: up to Python 3.11 it holds an empty list against them as one value.
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"{', '.join(GROUPS)}, or one stage; default: all")
    groups = parser.parse_args().groups or GROUPS
    known = dict.fromkeys([*GROUPS, *(stage.name for stage in stages(GROUPS, Path()))])
    if unknown := set(groups) - set(known):
        parser.error(f"there is no {', '.join(sorted(unknown))}: choose from {', '.join(known)}")

    with contextlib.ExitStack() as stack:
        reports = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="reports-")))
        asked = stages(groups, reports)
        if emulates(asked):
            stack.enter_context(emulated_root())
        lanes = Lanes(asked, reports)
        lanes.run()
    outcomes = [lanes.outcomes[stage.name] for stage in asked if stage.name in lanes.outcomes]
    if "molecule" in groups and not any(ROOT.glob("molecule/*/molecule.yml")):
        print("\nmolecule/ holds no scenario")
        outcomes.append(Outcome("molecule", 0.0, Counts(failed=1), ["there is no scenario"]))

    if kept := os.environ.get("CLOUDBENCH_TIMES"):
        Path(kept).write_text(table(outcomes), "utf-8")
    print("\n" + summary(outcomes), flush=True)
    if lanes.interrupted:
        return 130
    return 1 if any(outcome.counts.failed for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
