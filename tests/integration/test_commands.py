# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands that need no host, as the Makefile gives them: playbook, role, action and core in one."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "tests" / "fixtures" / "imports"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A results directory with the records of one real run."""
    lines = (ROOT / "tests" / "fixtures" / "records" / "schema-2.jsonl").read_text("utf-8")
    first = json.loads(lines.splitlines()[0])
    path = tmp_path / "results" / first["machine"] / "records" / f"{first['run']}.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text(lines)
    return tmp_path / "results"


def play(results: Path, name: str, **variables: object) -> subprocess.CompletedProcess[str]:
    """Run a playbook of the collection on the controller."""
    environment = {**os.environ, "CLOUDBENCH_RESULTS_DIR": str(results), "LC_ALL": "C.UTF-8", "ANSIBLE_NOCOLOR": "1"}
    command = [shutil.which("ansible-playbook", path=str(Path(sys.executable).parent)) or "ansible-playbook"]
    command += [f"playbooks/{name}.yml", "-e", json.dumps(variables)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=180, check=False)


def test_explain_prints_the_line_of_an_instance_type(tmp_path: Path) -> None:
    done = play(tmp_path, "explain", llama_cpp_explain_type="c7g.16xlarge", llama_cpp_explain_gcc="12")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "cmake -S llama.cpp" in done.stdout
    assert "GGML_CPU_ARM_ARCH=armv8.4-a+sve+i8mm+bf16+dotprod+fp16" in done.stdout


def test_the_plan_that_the_documents_show_is_the_one_that_is_printed() -> None:
    """By `make plan`, without an account: what it leaves out depends on credentials, the estimate does not."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {"AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true", "LC_ALL": "C.UTF-8"}
    environment |= {"AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent"}
    recipe = re.search(r"^plan: .*\n\t(.+)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert recipe
    words = recipe.group(1).replace("$(ARGS)", "").split()
    command = [str(Path(sys.executable).parent / Path(words[0]).name), *words[1:]]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for document in ("README.md", "docs/aws.md"):
        text = (ROOT / document).read_text("utf-8")
        shown = re.findall(r"^(?:0    1 x|USD an hour|expected,|at most,) .*$", text, re.MULTILINE)
        assert len(shown) == 4
        assert all(line in done.stdout for line in shown), document
    minutes, usd = re.findall(r"^expected, (\d+) minutes +([\d.]+)", done.stdout, re.MULTILINE)[0]
    assert f"for about {minutes} minutes, costs about {usd} USD" in (ROOT / "docs/aws.md").read_text("utf-8")


def test_the_advice_that_the_readme_shows_is_the_one_that_is_printed(tmp_path: Path) -> None:
    page = tmp_path / "advice.md"
    targets = {"users": "8", "token_ms": "100", "first_s": "2", "rows": "5", "page": str(page)}
    done = play(tmp_path, "advise", **{f"bench_report_advise_{name}": value for name, value in targets.items()})
    assert done.returncode == 0, done.stdout + done.stderr
    text = (ROOT / "README.md").read_text("utf-8")
    shown = text.partition("$ make advise USERS=8 MS=100 FIRST=2 ROWS=5\n...\n")[2].partition("\n...\n")[0]
    assert "c8g.24xlarge" in shown
    assert shown in done.stdout
    assert "| c8g.24xlarge<br><sub>Graviton4, Neoverse V2</sub> | 96 | 192.0 |" in page.read_text("utf-8")
    refused = play(tmp_path, "advise", bench_report_advise_model="llama-3.1-8bb")
    assert refused.returncode == 2
    assert "did you mean llama-3.1-8b?" in " ".join(refused.stdout.split())
    assert "Traceback" not in refused.stdout + refused.stderr


def test_site_report_and_export_are_made_of_the_records(results: Path, tmp_path: Path) -> None:
    done = play(results, "html", bench_report_site=str(tmp_path / "site"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "site" / "index.html").is_file()
    again = play(results, "html", bench_report_site=str(tmp_path / "site"))
    assert "changed=0" in again.stdout
    assert "changed=0" in play(results, "report").stdout
    for form, begins in (("csv", b"machine,"), ("parquet", b"PAR1")):
        target = tmp_path / f"figures.{form}"
        assert play(results, "export", bench_report_format=form, bench_report_export=str(target)).returncode == 0
        assert target.read_bytes().startswith(begins)


def test_import_makes_pages_once(results: Path) -> None:
    files = [str(SAMPLES / "llama-bench-new.jsonl"), str(SAMPLES / "llama-bench-pg.md")]
    done = play(results, "import", bench_report_files=files, bench_report_machine="my-box")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "imported-my-box/tiny-synthetic/q4.md" in done.stdout
    assert "pp16+tg4 is the speed of both at once" in done.stdout
    assert (results / "imported-my-box" / "tiny-synthetic" / "q4.md").is_file()
    assert "changed=0" in play(results, "import", bench_report_files=files, bench_report_machine="my-box").stdout


def test_one_command_imports_many_machines(results: Path, tmp_path: Path) -> None:
    for at, name in enumerate(("c8g.4xlarge", "my-box")):
        (tmp_path / name).mkdir()
        shutil.copy(SAMPLES / f"llama-bench-{('old', 'new')[at]}.md", tmp_path / name / "stdout")
        (tmp_path / name / "stderr").write_text("hello")
    given = {"bench_report_files": [str(tmp_path / "*" / "std*")], "bench_report_machine_from": "parent"}
    done = play(results, "import", **given)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Files: 2 imported, 2 skipped; 2 machines" in done.stdout
    for name in ("c8g-4xlarge", "my-box"):
        assert f"imported-{name}/" in done.stdout
    assert "changed=0" in play(results, "import", **given).stdout


@pytest.mark.parametrize(
    ("name", "variables", "words"),
    [
        ("import", {"bench_report_files": ["/nowhere.jsonl"]}, "/nowhere.jsonl cannot be read: No such file"),
        ("import", {"bench_report_files": [str(ROOT / "README.md")]}, "is neither an output of llama-bench"),
        ("import", {"bench_report_files": ["*"], "bench_report_machine_from": "up"}, "is no place of a machine's name"),
        ("export", {"bench_report_export": ""}, "no file is named to write them to: make export FORMAT=csv OUT="),
        ("export", {"bench_report_export": str(ROOT)}, "is a directory; name a file: make export FORMAT=csv OUT="),
        ("compare", {}, "A and B must say what to compare: key=value of machine, model,"),
        ("compare", {"bench_report_a": "build=default"}, "B must say what to compare"),
        ("html", {"bench_report_site": str(ROOT / "docs")}, "holds files that are no site of ours"),
    ],
)
def test_what_cannot_be_done_is_said_without_a_traceback(
    results: Path, name: str, variables: dict[str, object], words: str
) -> None:
    done = play(results, name, **variables)
    assert done.returncode == 2
    said = " ".join((done.stdout + done.stderr).split())
    assert words in said
    assert "Traceback" not in said
