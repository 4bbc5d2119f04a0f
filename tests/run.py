# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the project's checks and end with one truthful count: N passed, N failed.

What needs nothing of this machine but a core runs beside the scenarios, which leave one idle most of the time; it is
shown when it has ended. A failing stage does not hide the next one. A linter and a molecule scenario count as one test
by their exit status; pytest, ansible-test and testinfra count by the JUnit files they write.
"""

from __future__ import annotations

import argparse
import contextlib
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
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
GROUPS = ("lint", "unit", "browser", "sanity", "molecule")


class Stage(NamedTuple):
    """One command. Its exit status is a test of its own (counts_itself), or only its JUnit reports are."""

    name: str
    command: list[str]
    counts_itself: bool = True
    environment: dict[str, str] | None = None


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


def stages(groups: Iterable[str], reports: Path) -> list[Stage]:
    """The stages of these groups, or of these names, in order; each writes JUnit files into reports/<its name>."""
    asked = set(groups)
    python = sys.executable
    docs_lint = ["antsibull-docs", "lint-collection-docs", "--plugin-docs", "--validate-collection-refs", "dependent"]
    scenarios = sorted(path.parent.name for path in ROOT.glob("molecule/*/molecule.yml"))
    by_group = {
        "lint": [
            Stage("ruff", [python, "-m", "ruff", "check", "."]),
            Stage("mypy", [python, "-m", "mypy"]),
            Stage("yamllint", [python, "-m", "yamllint", "--strict", "."]),
            Stage("ansible-lint", ["ansible-lint", "--strict"]),
            Stage("antsibull-changelog", ["antsibull-changelog", "lint"]),
            Stage(
                "antsibull-docs",
                [*docs_lint, "--disallow-unknown-collection-refs", "."],
                # It copies amazon.aws too, but for what git ignores: all of it, where git takes .venv for ours.
                environment={"GIT_CEILING_DIRECTORIES": str(ROOT)},
            ),
        ],
        "unit": [Stage("unit", [python, "-m", "pytest", f"--junit-xml={reports}/unit/unit.xml"], counts_itself=False)],
        "browser": [
            Stage(
                "browser",
                [python, "-m", "pytest", "tests/browser", f"--junit-xml={reports}/browser/browser.xml"],
                counts_itself=False,
            )
        ],
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


def measured(stage: Stage, reports: Path, output: IO[bytes] | None = None) -> tuple[Outcome, bool]:
    """Run a stage; return what it came to, and whether it was interrupted."""
    start, interrupted = time.monotonic(), False
    try:
        status = run(stage, output)
    except KeyboardInterrupt:
        interrupted, status = True, 130
    counts = judge(status, count_reports(reports / stage.name), stage.counts_itself)
    failed = failures(reports / stage.name)
    if counts.failed > len(failed):
        failed.append(f"ended with status {status}: {shlex.join(stage.command)}")
    return Outcome(stage.name, time.monotonic() - start, counts, failed), interrupted


class Beside(threading.Thread):
    """Stages that run one after the other beside others; what they print is kept until it is asked for."""

    def __init__(self, stages: list[Stage], reports: Path) -> None:
        super().__init__(daemon=True)
        self.stages, self.reports = stages, reports
        self.outcomes: list[Outcome] = []
        self.stop = False
        self._printed: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def run(self) -> None:
        """In the thread."""
        for stage in self.stages:
            if self.stop:
                return
            with tempfile.TemporaryFile() as output:
                self.outcomes.append(measured(stage, self.reports, output)[0])
                output.seek(0)
                self._printed.put(output.read())

    def show(self) -> None:
        """Print what the stages that have ended since the last time have printed."""
        while not self._printed.empty():
            print(self._printed.get().decode(errors="replace"), flush=True)

    def end(self) -> bool:
        """Wait for the stages, or for the one at work where they are to stop; return whether that was interrupted."""
        try:
            self.join()
            return False
        except KeyboardInterrupt:
            self.stop = True
            self.join()
            return True
        finally:
            self.show()


def run(stage: Stage, output: IO[bytes] | None = None) -> int:
    """Run a stage with its output shown as it comes, or written to `output`; return its exit status.

    That is 127 if the command does not exist.
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
        return 127
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.wait()  # the terminal has interrupted it too; it may have hosts and processes to remove
        raise


def emulates(scenarios: Iterable[Stage]) -> bool:
    """Whether one of these scenarios creates its hosts."""
    folders = [ROOT / "molecule" / stage.name.removeprefix("molecule-") for stage in scenarios]
    return any((folder / "create.yml").exists() for folder in folders)


@contextlib.contextmanager
def emulated_root() -> Iterator[None]:
    """Make the Debian root of the emulated hosts beside the first stages, which leave a core idle.

    It takes minutes where it is in no cache. Whatever becomes of it here, the scenario asks for it again and tells.
    """
    command = shlex.join([sys.executable, "tests/emulated_hosts.py"])
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    shell = ["sh", "-c", f"{command} packages && exec {command} root"]
    process = subprocess.Popen(["nice", *shell], cwd=ROOT, start_new_session=True, **quiet)  # type: ignore[call-overload]
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
    lines.append(f"{'stage':<{width}}  seconds  passed  failed")
    for name, seconds, counts, _failures in outcomes:
        line = f"{name:<{width}}  {seconds:7.1f}  {counts.passed:6d}  {counts.failed:6d}"
        lines.append(line + (f"  ({counts.skipped} not run)" if counts.skipped else ""))
    passed = sum(outcome.counts.passed for outcome in outcomes)
    failed = sum(outcome.counts.failed for outcome in outcomes)
    return "\n".join([*lines, f"{passed} passed, {failed} failed"])


def main() -> int:
    """Return 0 if all passed, 1 if any failed, 130 after an interrupt."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    # Not argparse's own choices: up to Python 3.11 it holds an empty list against them as one value.
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"{', '.join(GROUPS)}, or one stage; default: all")
    groups = parser.parse_args().groups or GROUPS
    known = dict.fromkeys([*GROUPS, *(stage.name for stage in stages(GROUPS, Path()))])
    if unknown := set(groups) - set(known):
        parser.error(f"there is no {', '.join(sorted(unknown))}: choose from {', '.join(known)}")

    outcomes: list[Outcome] = []
    interrupted = False
    with contextlib.ExitStack() as stack:
        reports = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="reports-")))
        asked = stages(groups, reports)
        scenarios = [stage for stage in asked if stage.name.startswith("molecule-")]
        beside = Beside([stage for stage in asked if scenarios and stage not in scenarios], reports)
        beside.start()
        if emulates(scenarios):
            stack.enter_context(emulated_root())
        for stage in scenarios or asked:
            outcome, interrupted = measured(stage, reports)
            outcomes.append(outcome)
            beside.show()
            if interrupted:
                beside.stop = True
                break
        interrupted = beside.end() or interrupted
        outcomes = beside.outcomes + outcomes
    if "molecule" in groups and not any(ROOT.glob("molecule/*/molecule.yml")):
        print("\nmolecule/ holds no scenario")
        outcomes.append(Outcome("molecule", 0.0, Counts(failed=1), ["there is no scenario"]))

    print("\n" + summary(outcomes), flush=True)
    if interrupted:
        return 130
    return 1 if any(outcome.counts.failed for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
