# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A word on the command line of make that its target does not take ends the command; one that it takes reaches it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.cloudbench.llama.plugins.plugin_utils.export import forms

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "Makefile").read_text("utf-8")
# Words of each target, as the Makefile lists them.
WORDS = {name: words.split() for name, words in re.findall(r"^WORDS_(\w+) := (.*)$", TEXT, re.MULTILINE)}


def make(*words: str) -> subprocess.CompletedProcess[str]:
    """Ask make what it would do, apart from the make that may run the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        ["make", "--no-print-directory", "-n", *words], cwd=ROOT, env=kept, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("explain", "TYP=c8g.4xlarge"), "make explain does not take TYP; did you mean TYPE?"),
        (("bench", "ARG=-v"), "make bench does not take ARG; did you mean ARGS?"),
        (("bench", "TYPE=c8g.4xlarge"), "make bench does not take TYPE. It takes ARGS PYTHON"),
        (("import", "FILE=a.jsonl"), "did you mean FILES?"),
        (("export", "out=figures.csv", "FORMAT=csv"), "make export does not take out"),
        (("export",), "make export needs OUT, the file to write: make export FORMAT=csv OUT=figures.csv"),
        (("export", "OUT= ", "FORMAT=parquet"), "make export FORMAT=parquet OUT=figures.parquet"),
        (("unit", "ARGS=-v"), "make unit does not take ARGS"),
    ],
)
def test_a_word_that_the_target_does_not_take_ends_it(words: tuple[str, ...], said: str) -> None:
    done = make(*words)
    assert done.returncode == 2, done.stdout
    assert said in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("form", forms.FORMATS)
def test_an_export_without_a_file_is_told_the_ending_of_its_form(form: str) -> None:
    done = make("export", f"FORMAT={form}")
    assert done.returncode == 2
    assert f"make export FORMAT={form} OUT=figures.{forms.FORMATS[form].suffix}.  Stop." in done.stderr


@pytest.mark.parametrize("target", [*WORDS, "unit", "molecule-aws", "help"])
def test_every_word_that_a_target_takes_is_taken(target: str) -> None:
    done = make(target, "PYTHON=python3", *(f"{word}=some words" for word in WORDS.get(target, [])))
    assert done.returncode == 0, done.stderr


def test_the_words_of_a_target_are_those_that_its_recipe_reads() -> None:
    for target in [*re.findall(r"^([a-z]+): \$\(RUN\)$", TEXT, re.MULTILINE), "fuzz"]:
        lines = re.findall(rf"^{target}: .*(?:\n\t.*)*", TEXT, re.MULTILINE)
        read = set(re.findall(r"\$\((?:if \$\()?([A-Z_]+)\)", "\n".join(lines))) - {"RUN", "DEV"}
        assert set(WORDS[target]) == read, target


def test_what_a_link_leads_to_is_not_emptied(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "kept").touch()
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    (checkout / ".venv").symlink_to(other)
    for name in ("Makefile", "requirements.txt", "requirements-dev.txt"):
        shutil.copy(ROOT / name, checkout)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(
        ["make", "site"], cwd=checkout, env=kept, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "remove the link" in done.stderr
    assert [path.name for path in other.iterdir()] == ["kept"]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ("a.jsonl  b.log", ["a.jsonl", "b.log"]),
        ("'my run.jsonl' data/*/stdout", ["my run.jsonl", "data/*/stdout"]),
        ('"it\'s.log" a\\ b', ["it's.log", "a b"]),
        ("", []),
    ],
)
def test_a_name_may_hold_spaces_where_it_is_quoted(files: str, words: list[str]) -> None:
    done = word_tool(files)
    assert json.loads(done.stdout) == {"bench_report_files": words}


def test_a_quotation_mark_without_its_other_is_told_the_remedy() -> None:
    done = word_tool("it's.log")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("it's.log: a quotation mark has no other; put each such name in the other kind")


def word_tool(files: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "tools/words.py", "FILES", "bench_report_files"]
    environment = {**os.environ, "FILES": files}
    return subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
