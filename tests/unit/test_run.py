# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The count at the end of make test is what people and machines believe: it must not lose a failure."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import run
import sanity
from run import Counts

PYTEST_REPORT = """<?xml version="1.0"?><testsuites><testsuite name="pytest" tests="4">
<testcase classname="a" name="good"/>
<testcase classname="a" name="bad"><failure message="no">x</failure></testcase>
<testcase classname="a" name="broken fixture"><error message="no">x</error></testcase>
<testcase classname="a" name="left out"><skipped message="why"/></testcase>
</testsuite></testsuites>"""


@pytest.mark.parametrize(
    ("status", "reported", "counts_itself", "expected"),
    [
        pytest.param(0, Counts(), True, Counts(1, 0, 0), id="linter passes"),
        pytest.param(2, Counts(), True, Counts(0, 1, 0), id="linter fails"),
        pytest.param(0, Counts(7), True, Counts(8, 0, 0), id="scenario and its testinfra tests pass"),
        pytest.param(1, Counts(6, 1), True, Counts(6, 2, 0), id="scenario fails with its testinfra test"),
        pytest.param(0, Counts(5), False, Counts(5, 0, 0), id="pytest passes"),
        pytest.param(1, Counts(4, 1), False, Counts(4, 1, 0), id="pytest fails once, not twice"),
        pytest.param(3, Counts(5), False, Counts(5, 1, 0), id="pytest breaks after its tests"),
        pytest.param(127, Counts(), False, Counts(0, 1, 0), id="pytest is missing"),
        pytest.param(0, Counts(), False, Counts(0, 1, 0), id="nothing ran"),
        pytest.param(0, Counts(0, 0, 3), False, Counts(0, 1, 3), id="everything was skipped"),
    ],
)
def test_judge(status: int, reported: Counts, counts_itself: bool, expected: Counts) -> None:
    assert run.judge(status, reported, counts_itself) == expected


def test_reports_are_added_up(tmp_path: Path) -> None:
    (tmp_path / "one.xml").write_text(PYTEST_REPORT, "utf-8")
    (tmp_path / "two.xml").write_text("<testsuite><testcase name='good'/></testsuite>", "utf-8")
    assert run.count_reports(tmp_path) == Counts(2, 2, 1)
    assert run.count_reports(tmp_path / "absent") == Counts()


def test_a_run_shows_every_stage_and_fails_if_one_does(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def stages(groups: object, reports: Path) -> list[run.Stage]:
        write = f"import pathlib; p = pathlib.Path({str(reports)!r}, 'two'); p.mkdir(); "
        write += f"(p / 'r.xml').write_text({PYTEST_REPORT!r}); raise SystemExit(1)"
        return [
            run.Stage("absent", ["no-such-command-here"]),
            run.Stage("two", [sys.executable, "-c", write], counts_itself=False),
            run.Stage("three", [sys.executable, "-c", "print('the output of three')"]),
        ]

    monkeypatch.setattr(run, "stages", stages)
    monkeypatch.setattr(sys, "argv", ["run.py", "lint", "unit"])
    assert run.main() == 1
    shown = capfd.readouterr().out
    assert "the output of three" in shown
    assert [line.split()[:1] + line.split()[3:5] for line in shown.splitlines()[-4:-1]] == [
        ["absent", "0", "1"],
        ["two", "1", "2"],
        ["three", "1", "0"],
    ]
    assert shown.endswith("\n2 passed, 3 failed\n")
    assert [line for line in shown.splitlines() if line.startswith("FAILED")] == [
        "FAILED absent: ended with status 127: no-such-command-here",
        "FAILED two: a::bad: no",
        "FAILED two: a::broken fixture: no",
    ]


def test_what_runs_beside_a_scenario_is_shown_and_counted(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    met = tmp_path / "met"
    # Each waits until the other has begun: one after the other neither would end.
    wait = f"import pathlib, time; p = pathlib.Path({str(met)!r}); p.mkdir(exist_ok=True); (p / '%s').touch()\n"
    wait += "while not (p / '%s').exists(): time.sleep(0.01)\nprint('the output of %s'); raise SystemExit(%d)"
    stages = [
        run.Stage("linter", [sys.executable, "-c", wait % ("a", "b", "linter", 1)]),
        run.Stage("molecule-one", [sys.executable, "-c", wait % ("b", "a", "molecule-one", 0)]),
    ]
    monkeypatch.setattr(run, "stages", lambda groups, reports: stages)
    monkeypatch.setattr(run, "emulated_root", contextlib.nullcontext)
    monkeypatch.setattr(sys, "argv", ["run.py"])
    assert run.main() == 1
    shown = capfd.readouterr().out
    assert shown.index("==> linter") < shown.index("the output of linter")
    assert "the output of molecule-one" in shown
    assert shown.endswith("\n1 passed, 1 failed\n")
    assert [line.split()[0] for line in shown.splitlines()[-3:-1]] == ["linter", "molecule-one"]


def test_two_stages_never_have_the_emulated_hosts_at_once(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    hosts = ("molecule-aws", "molecule-graviton")
    held = tmp_path / "held"
    hold = f"import pathlib, time; p = pathlib.Path({str(held)!r}); p.mkdir(); time.sleep(0.05); p.rmdir()"
    stages = [run.Stage(name, [sys.executable, "-c", hold]) for name in hosts]
    lanes = run.Lanes([*stages, run.Stage("between", [sys.executable, "-c", ""])], tmp_path)
    lanes.run()
    capfd.readouterr()
    assert {name: outcome.counts for name, outcome in lanes.outcomes.items()} == {
        **{name: Counts(1) for name in hosts},
        "between": Counts(1),
    }


def test_a_stage_whose_report_is_broken_is_a_failure_and_the_others_go_on(tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "report.xml").write_text("<testsuites>")
    stages = [run.Stage(name, [sys.executable, "-c", ""]) for name in ("broken", "good", "last")]
    lanes = run.Lanes(stages, tmp_path, count=1)
    lanes.run()
    assert [lanes.outcomes[stage.name].counts for stage in stages] == [Counts(failed=1), Counts(1), Counts(1)]
    assert lanes.outcomes["broken"].failures[0].startswith("ParseError: ")


def test_the_table_is_kept_where_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    kept = tmp_path / "times.json"
    monkeypatch.setenv("CLOUDBENCH_TIMES", str(kept))
    busy = "import time\nwhile time.process_time() < 0.25: pass"
    monkeypatch.setattr(run, "stages", lambda groups, reports: [run.Stage("one", [sys.executable, "-c", busy])])
    monkeypatch.setattr(sys, "argv", ["run.py", "lint"])
    assert run.main() == 0
    assert capfd.readouterr().out.endswith("\n1 passed, 0 failed\n")
    (row,) = json.loads(kept.read_text())
    assert row.pop("seconds") >= row.pop("cpu_s") >= 0.2
    assert row == {"stage": "one", "passed": 1, "failed": 0, "skipped": 0}


def test_a_stage_can_be_asked_for_by_its_name(tmp_path: Path) -> None:
    assert [stage.name for stage in run.stages(["molecule-default"], tmp_path)] == ["molecule-default"]
    assert [stage.name for stage in run.stages(["ruff", "molecule-aws"], tmp_path)] == ["ruff", "molecule-aws"]
    assert run.stages(run.GROUPS, tmp_path) == run.stages(iter(run.GROUPS), tmp_path)


def test_an_unknown_stage_is_refused_with_those_there_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["run.py", "molecule-azure"])
    with pytest.raises(SystemExit) as ended:
        run.main()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "there is no molecule-azure: choose from lint, unit, integration, " in said
    assert "molecule-default" in said


@pytest.mark.parametrize(("name", "hosts"), [("molecule-default", False), ("molecule-aws", True)])
def test_the_root_of_emulated_hosts_is_made_for_scenarios_that_create_hosts(name: str, hosts: bool) -> None:
    assert run.emulates(run.stages([name], Path())) is hosts


def test_a_linter_that_has_passed_is_run_again_when_what_it_reads_has_changed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    checkout, ran = tmp_path / "checkout", tmp_path / "ran"
    (checkout / "tests").mkdir(parents=True)
    (checkout / "tests" / "run.py").write_text("")
    (checkout / "play.yml").write_text("- hosts: all\n")
    subprocess.run(["git", "init", "--quiet", str(checkout)], check=True)
    monkeypatch.setattr(run, "ROOT", checkout)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    code = f"open({str(ran)!r}, 'a').write('x'); raise SystemExit('bad' in open('play.yml').read())"
    linter = run.Stage("linter", [sys.executable, "-c", code], reads=lambda name: name.suffix == ".yml")

    def refused(root: Path) -> list[Path]:
        raise OSError(f"no git in {root}")

    def runs() -> tuple[int, Counts]:
        counts = run.measured(linter, tmp_path).counts
        return len(ran.read_text()), counts

    assert runs() == runs() == (1, Counts(1))
    (checkout / "notes.md").write_text("what it does not read")
    assert runs() == (1, Counts(1))
    (checkout / "play.yml").write_text("bad")
    # A failure is not kept.
    assert [runs(), runs()] == [(2, Counts(failed=1)), (3, Counts(failed=1))]
    (checkout / "play.yml").write_text("- hosts: all\n")
    assert runs() == (3, Counts(1))
    (checkout / "other.yml").write_text("")
    assert runs() == (4, Counts(1))
    monkeypatch.setattr(run, "installed", lambda: frozenset({("linter", "2")}))
    assert runs() == (5, Counts(1))
    # Without git nobody knows which files there are.
    monkeypatch.setattr(run, "checkout_files", refused)
    assert [runs(), runs()] == [(6, Counts(1)), (7, Counts(1))]


@pytest.mark.parametrize(
    ("name", "lint", "docs"),
    [
        ("roles/llama_cpp/tasks/main.yml", True, True),
        ("plugins/modules/gguf_info.py", True, True),
        ("plugins/module_utils/models/gguf.py", True, False),
        ("plugins/plugin_utils/report/pages.py", True, False),
        ("playbooks/site.yml", True, False),
        (".ansible-lint", True, False),
        ("molecule/aws/converge.yml", True, False),
        ("molecule/aws/tests/test_site.py", False, False),
        ("tests/unit/test_run.py", False, False),
        ("results/README.md", False, False),
        ("tests/fixtures/imports/README.md", True, False),
        ("requirements-dev.txt", True, True),
    ],
)
def test_what_a_verdict_depends_on(name: str, lint: bool, docs: bool) -> None:
    assert (run.read_by_ansible_lint(Path(name)), run.read_by_antsibull_docs(Path(name))) == (lint, docs)


def test_sanity_results_are_sorted_by_outcome(tmp_path: Path) -> None:
    for name, inner in {
        "compile": "",
        "pep8": "<failure message='x'>y</failure>",
        "pslint": "<skipped>No tests applicable.</skipped>",
        "shellcheck": "<skipped>Skipping sanity test: the program is missing</skipped>",
    }.items():
        text = f"<testsuites><testsuite><testcase name='{name}'>{inner}</testcase></testsuite></testsuites>"
        (tmp_path / f"ansible-test-sanity-{name}.xml").write_text(text, "utf-8")
    results = sanity.read_results(tmp_path)
    assert results.passed == ["compile"]
    assert results.failed == ["pep8"]
    assert results.not_applicable == ["pslint"]
    assert results.skipped == {"shellcheck": "Skipping sanity test: the program is missing"}
