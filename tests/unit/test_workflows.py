# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What GitHub is told to run: whose code with which rights, for how long, and that no part of the suite is left out."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
import run
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.y*ml"))
ACTIONS = sorted((ROOT / ".github" / "actions").glob("*/action.y*ml"))
CALL = "./.github/workflows/test.yml"

each = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def load(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.load(path.read_text("utf-8"), Loader=yaml.CSafeLoader)
    # YAML 1.1 takes the key `on` for a boolean.
    return {"on" if key is True else key: value for key, value in content.items()}


@pytest.fixture(scope="module")
def jobs() -> dict[str, Any]:
    """The jobs of test.yml."""
    by_name: dict[str, Any] = load(ROOT / CALL)["jobs"]
    return by_name


def uses(text: str) -> list[str]:
    """What stands behind `uses:`, the comment included."""
    return re.findall(r"^\s*(?:- )?uses: *(.+?) *$", text, re.MULTILINE)


def is_pinned(words: str) -> bool:
    return bool(re.fullmatch(r"[\w.-]+(/[\w.-]+)+@[0-9a-f]{40} +# v\d+(\.\d+){1,2}", words))


@pytest.mark.parametrize("path", [*WORKFLOWS, *ACTIONS], ids=lambda path: f"{path.parent.name}/{path.name}")
def test_actions_are_pinned_by_commit_and_say_their_version(path: Path) -> None:
    named = uses(path.read_text("utf-8"))
    assert len(named) == path.read_text("utf-8").count("uses:")
    assert [words for words in named if not (words.startswith("./") or is_pinned(words))] == []
    for words in named:
        if words.startswith("./"):
            assert (ROOT / words).exists(), words


@pytest.mark.parametrize(
    "words",
    [
        "actions/checkout@v6",
        "actions/checkout@main  # v6.0.2",
        "actions/checkout@de0fac2  # v6.0.2",
        "actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd",
        "actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd  # v6",
        "docker://debian:12",
    ],
)
def test_what_is_not_pinned(words: str) -> None:
    assert not is_pinned(words)


def test_an_action_has_one_commit_everywhere() -> None:
    pins = {words for path in (*WORKFLOWS, *ACTIONS) for words in uses(path.read_text("utf-8")) if "@" in words}
    assert len(pins) == len({words.partition("@")[0] for words in pins})


@each
def test_jobs_end_in_time(path: Path) -> None:
    for name, job in load(path)["jobs"].items():
        # A job that calls a workflow cannot have a limit; those of the workflow have theirs.
        if "uses" in job:
            assert job["uses"] == CALL, name
        else:
            assert 0 < job["timeout-minutes"] <= 120, name


@each
def test_rights_are_named_and_few(path: Path) -> None:
    workflow = load(path)
    assert workflow["permissions"] == {"contents": "read"}
    granted = {
        (name, right)
        for name, job in workflow["jobs"].items()
        for right, level in job.get("permissions", {}).items()
        if level == "write"
    }
    expected = {
        "pages": {("publish", "pages"), ("publish", "id-token")},
        "release": {("release", "contents")},
    }
    assert granted == expected.get(path.stem, set())
    assert "pull_request_target" not in workflow["on"]


@each
def test_jobs_that_may_write_run_nothing_of_the_checkout(path: Path) -> None:
    for name, job in load(path)["jobs"].items():
        used = [step.get("uses", "").partition("@")[0] for step in job.get("steps", [])]
        if "write" in job.get("permissions", {}).values():
            assert "actions/checkout" not in used, name


@each
def test_no_checkout_keeps_credentials(path: Path) -> None:
    steps = [step for job in load(path)["jobs"].values() for step in job.get("steps", [])]
    for step in steps:
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@each
def test_no_shell_gets_an_expression(path: Path) -> None:
    """A value that somebody else may choose reaches a shell through its environment, never as part of its program."""
    for job in load(path)["jobs"].values():
        for step in job.get("steps", []):
            assert "${{" not in step.get("run", "")


@each
def test_runs_of_one_thing_do_not_pile_up(path: Path) -> None:
    assert load(path)["concurrency"]["group"]


def test_pushes_and_pull_requests_are_tested_and_nights_are_for_all_of_it() -> None:
    assert {"push", "pull_request", "workflow_call"} <= set(load(ROOT / CALL)["on"])
    for name, job in (("nightly", "everything"), ("release", "checks")):
        called = load(ROOT / f".github/workflows/{name}.yml")["jobs"][job]
        assert called["uses"] == CALL
        assert called["with"] == {"thorough": True}
    assert load(ROOT / CALL)["env"] == {"CLOUDBENCH_THOROUGH": "${{ inputs.thorough && '1' || '' }}"}


def test_a_release_says_what_it_needs_and_nights_hold_that_against_advisories() -> None:
    steps = load(ROOT / ".github/workflows/release.yml")["jobs"]["tarball"]["steps"]
    programs = [step.get("run", "") for step in steps]
    (bill,) = [program for program in programs if "cyclonedx-py" in program]
    assert re.search(r"\bcyclonedx-bom==[\d.]+\s", bill)
    assert re.search(r"--output-file \S+/sbom\.cdx\.json\S? requirements\.txt\s", bill)
    assert "sha256sum -- *.tar.gz sbom.cdx.json" in bill
    published = load(ROOT / ".github/workflows/release.yml")["jobs"]["release"]["steps"][-1]["run"]
    assert "*.tar.gz sbom.cdx.json SHA256SUMS" in published
    audit = load(ROOT / ".github/workflows/nightly.yml")["jobs"]["audit"]["steps"][-1]["run"]
    assert all(f"--requirement {name}" in audit for name in ("requirements.txt", "requirements-dev.txt"))


def test_every_group_of_the_suite_has_a_job(jobs: dict[str, Any]) -> None:
    listed = {entry["group"] for entry in jobs["group"]["strategy"]["matrix"]["include"]}
    assert listed | {"molecule"} == set(run.GROUPS)


def test_every_scenario_has_a_job(jobs: dict[str, Any]) -> None:
    scenarios = sorted(path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml"))
    assert jobs["molecule"]["strategy"]["matrix"]["scenario"] == scenarios


def test_the_suite_runs_as_a_whole_on_debian(jobs: dict[str, Any]) -> None:
    assert [step["uses"] for step in jobs["suite"]["steps"]][1:] == ["./.github/actions/debian"]
    assert ".ci/container" in ACTIONS[0].read_text("utf-8")
    assert "debian:12" in (ROOT / ".ci/container").read_text("utf-8")


def test_the_oldest_python_is_the_one_that_is_promised(jobs: dict[str, Any]) -> None:
    tested = {entry["python"] for entry in jobs["group"]["strategy"]["matrix"]["include"]}
    oldest = min(tested, key=lambda version: int(version.partition(".")[2]))
    assert f"sys.version_info < ({oldest.replace('.', ', ')})" in (ROOT / "Makefile").read_text("utf-8")
    for name in ("README.md", "CONTRIBUTING.md", "Makefile"):
        promised = set(re.findall(r"(3\.\d+) or newer", (ROOT / name).read_text("utf-8")))
        # The other one is what measured hosts need.
        assert promised - {"3.8"} == {oldest}, name
    pages = load(ROOT / ".github/workflows/pages.yml")["jobs"]["site"]["steps"]
    assert {step["with"]["python-version"] for step in pages if "python-version" in step.get("with", {})} <= tested


@pytest.fixture(scope="module")
def release() -> Any:
    spec = importlib.util.spec_from_file_location("release", ROOT / ".ci" / "release.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("tag", "released", "fragments", "said"),
    [
        pytest.param("v1.2.0", ["1.2.0"], [], [], id="as it should be"),
        pytest.param("v1.2.1", ["1.2.0"], [], ["the tag is v1.2.1 and galaxy.yml has the version 1.2.0"], id="tag"),
        pytest.param("1.2.0", ["1.2.0"], [], ["tag v1.2.0, or change galaxy.yml"], id="tag without v"),
        pytest.param("v1.2.0", ["1.1.0"], ["a.yml"], ["has no release 1.2.0: antsibull-changelog"], id="no entry"),
        pytest.param("v1.2.0", [], [], ["has no release 1.2.0"], id="no release at all"),
        pytest.param("v1.2.0", ["1.2.0"], ["b.yml", "a.yml"], ["still holds a.yml, b.yml"], id="forgotten fragments"),
    ],
)
def test_what_keeps_a_tag_from_being_released(
    release: Any, tmp_path: Path, tag: str, released: list[str], fragments: list[str], said: list[str]
) -> None:
    folder = tmp_path / "changelogs" / "fragments"
    folder.mkdir(parents=True)
    (tmp_path / "galaxy.yml").write_text("version: 1.2.0\n", "utf-8")
    releases = {version: {} for version in released}
    (tmp_path / "changelogs" / "changelog.yaml").write_text(yaml.safe_dump({"releases": releases}), "utf-8")
    for name in fragments:
        (folder / name).write_text("bugfixes: [x]\n", "utf-8")
    wrong = release.problems(tmp_path, tag)
    assert len(wrong) == len(said)
    for sentence, part in zip(wrong, said, strict=True):
        assert part in sentence
