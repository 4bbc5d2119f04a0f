# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Launches of llama-perplexity: processes of a stand-in that prints what the real program was recorded to print."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from support.models import gguf_files

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Base, Job, jobs_of
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.kind import Kind
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.one_shot import OutputError
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.outcome import LaunchFailed, Outcome
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.perplexity import kind as perplexity_kind
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.perplexity import launch as launching
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.perplexity import parts
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings
from ansible_collections.cloudbench.llama.plugins.module_utils.models import text_place
from ansible_collections.cloudbench.llama.plugins.module_utils.system import disk

FIXTURES = Path(__file__).parents[5] / "fixtures" / "perplexity"
RECORDED = (FIXTURES / "kld-0c1e57098.txt").read_text("utf-8")
SHORT = (FIXTURES / "short-0c1e57098.txt").read_text("utf-8")
QUALITY = registry.parse_test("quality64x4")
AGREE = registry.parse_test("agree64x4")
WORDS = 512

# Asked for a base it writes a file as long as the real one does; asked to compare it prints what was recorded.
PROGRAM = """#!{python} -I
import os, pathlib, sys
seen = pathlib.Path({directory!r}, "seen")
seen.write_text(seen.read_text() + "\\n" if seen.exists() else "")
seen.open("a").write(" ".join(sys.argv[1:]) + " OMP=" + os.environ.get("OMP_PROC_BIND", ""))
argv = sys.argv
kept = pathlib.Path(argv[argv.index("--kl-divergence-base") + 1])
if "--kl-divergence" in argv:
    assert kept.stat().st_size == {size}, kept.stat().st_size
    lost = pathlib.Path({directory!r}, "lost")
    left = int(lost.read_text()) if lost.exists() else 0
    lost.write_text(str(max(0, left - 1)))
    printed = pathlib.Path({directory!r}, "printed").read_text()
    print(printed.partition("====== Perplexity")[0] if left else printed)
else:
    pathlib.Path({directory!r}, "text").write_bytes(pathlib.Path(argv[argv.index("-f") + 1]).read_bytes())
    kept.write_bytes(bytes({written}))
    sys.stderr.write(pathlib.Path({directory!r}, "said").read_text())
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a text of numbered lines, and models of 512 words."""
    for module in (launching, parts, perplexity_kind):
        monkeypatch.setattr(module, "HOME", str(tmp_path))
    monkeypatch.setattr("ansible_collections.cloudbench.llama.plugins.module_utils.kinds.one_shot.HOME", str(tmp_path))
    text = tmp_path / text_place.path_of("book")
    text.parent.mkdir(parents=True)
    text.write_text("".join(f"line {number:04d}\n" for number in range(1000)), "utf-8")
    for name in ("q4", "f16"):
        (tmp_path / f"{name}.gguf").write_bytes(gguf_files.vocabulary(WORDS))
    program(tmp_path)
    return tmp_path


def program(home: Path, printed: str = RECORDED, said: str = "", short: int = 0) -> None:
    """Put the stand-in in its place; its base file is `short` bytes too short."""
    size = launching.kept_bytes(QUALITY, WORDS)
    path = home / "llama-perplexity"
    path.write_text(PROGRAM.format(python=sys.executable, directory=str(home), size=size, written=size - short))
    path.chmod(0o755)
    (home / "printed").write_text(printed, "utf-8")
    (home / "said").write_text(said, "utf-8")


def job(home: Path, test: dict = QUALITY, **more) -> Job:
    cell = {"model": "m", "quantization": "Q4_0", "build": "default", "threads": 2, "text": "book", **test, **more}
    if test is QUALITY:
        cell["reference"] = "F16"
    base = Base(str(home), str(home / "f16.gguf"), {"id": "b"}, {"id": "f"})
    return Job(cell, str(home), str(home / "q4.gguf"), {"id": "b", "name": "default"}, {"id": "q"}, base)


def launched(task: Job, number: int = 1, **more) -> Outcome:
    kind: Kind = registry.kind_of(task.cell)
    settings = LaunchSettings(time_limit=20, number=number, environment={"OMP_PROC_BIND": "close"}, **more)
    return kind.launch(task, settings)


def failure(task: Job, number: int = 1) -> dict:
    with pytest.raises(LaunchFailed) as caught:
        launched(task, number)
    return dict(caught.value.payload)


def commands(home: Path) -> list[str]:
    return (home / "seen").read_text("utf-8").splitlines()


def test_the_figures_are_those_of_the_program(home: Path) -> None:
    outcome = launched(job(home))
    figures = {name: outcome.metrics[name]["value"] for name in registry.QUALITY.metrics}
    assert figures == {
        "ppl": 22.212447, "ppl_base": 18.842876, "ppl_ratio": 1.178825, "kld_mean": 0.278145, "kld_median": 0.225756,
        "kld_p99": 1.237072, "top1_percent": 69.412, "p_change_rms_percent": 13.282,
    }  # fmt: skip
    assert outcome.metrics["kld_mean"]["unit"] == "nat"
    assert outcome.metrics["top1_percent"]["unit"] == "%"
    assert outcome.detail["predicted"] == {"part": 1, "tokens": 124, "base": "f", "base_build": "b"}
    assert outcome.rows[0]["kld_p99"] == 1.237072


def test_the_base_is_asked_once_for_a_part_and_all_cells_read_what_it_said(home: Path) -> None:
    launched(job(home))
    launched(job(home))
    launched(job(home), number=2)
    asked = [("--kl-divergence " in line, "f16.gguf" in line) for line in commands(home)]
    assert asked == [(False, True), (True, False), (True, False), (False, True), (True, False)]
    # What a person sets is for what is measured, not for what it is compared with.
    assert [line.endswith("OMP=close") for line in commands(home)] == [False, True, True, False, True]
    assert len(list((home / launching.DIRECTORY).glob("*.logits"))) == 1
    assert not list((home / launching.DIRECTORY).glob("*.txt"))
    registry.QUALITY.clear()
    assert not (home / launching.DIRECTORY).exists()


def test_a_chunk_is_a_batch_and_the_base_gets_the_text(home: Path) -> None:
    launched(job(home))
    base, compared = commands(home)
    assert "-t 2 -tb 2 -c 64 -b 64" in base
    assert "--chunks 4" in base
    assert "-f " not in compared
    assert (home / "text").read_text("utf-8").startswith("line 0000\n")


def test_parts_are_whole_lines_and_do_not_overlap(home: Path) -> None:
    # 1280 bytes each, of lines of 10 bytes.
    first, second = (parts.part("book", 256, number) for number in (1, 2))
    assert len(first) == 1280
    assert first.splitlines()[-1] == b"line 0127"
    assert second.splitlines()[0] == b"line 0129"
    assert parts.count("book", 256) == 7


def test_a_part_is_never_cut_inside_a_character(home: Path) -> None:
    (home / text_place.path_of("long")).write_text("ä" * 2001, "utf-8")
    parts.part("long", 101, 2).decode("utf-8")


def test_agreement_is_with_the_first_build_and_not_repacked(home: Path) -> None:
    task = job(home, AGREE, variant="fa=off")
    outcome = launched(task)
    base, compared = commands(home)
    assert "--no-repack" in base
    assert "-fa" not in base
    assert "--no-repack" not in compared
    assert "-fa 0" in compared
    # What it repacked is to be in its log; of a build that cannot say it, nothing is asked.
    assert ("-lv 5" in base, "-lv 5" in compared) == (False, True)
    mute = task._replace(build={"id": "b", "name": "default", "options": {"llama-perplexity": ["-m"]}})
    assert "-lv" not in registry.AGREE.argv(mute, LaunchSettings())
    assert outcome.metrics["agree_kld_mean"]["value"] == 0.278145


def test_a_first_build_from_before_any_repacking_is_not_told_to_leave_it(home: Path) -> None:
    task = job(home, AGREE)
    assert task.base
    old = {"id": "b", "name": "legacy", "options": {"llama-perplexity": ["-m"]}}
    launched(task._replace(base=task.base._replace(build=old)))
    base, _compared = commands(home)
    assert "repack" not in base


def test_a_text_too_short_names_its_tokens_though_the_program_ends_well(home: Path) -> None:
    program(home, said=SHORT)
    told = failure(job(home))
    assert told["cause"] == "part 1 of the text book has 247 tokens, and quality64x4 takes 256"
    assert not list((home / launching.DIRECTORY).glob("*.logits"))


def test_fewer_chunks_than_asked_are_no_launch(home: Path) -> None:
    program(home, said="perplexity: calculating perplexity over 3 chunks, n_ctx=64")
    assert failure(job(home))["cause"] == "part 1 of the text book gives 3 chunks of 64 tokens, and quality64x4 takes 4"


def test_what_a_full_disk_cut_is_not_read(home: Path) -> None:
    program(home, short=8)
    size = launching.kept_bytes(QUALITY, WORDS)
    assert f"kept {size - 8} of {size} bytes" in failure(job(home))["cause"]
    assert not list((home / launching.DIRECTORY).glob("*.logits"))


def test_room_is_asked_for_before_anything_is_written(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(directory: str, needed: int, purpose: str) -> None:
        raise disk.SpaceError(f"{purpose}: needs {needed}, but only 5 are free in {directory}")

    monkeypatch.setattr(launching, "require_space", none)
    cause, _advice = registry.QUALITY.obstacle(job(home), LaunchSettings(launches=2)) or ("", "")
    assert "the log probabilities of quality64x4: needs" in cause
    assert "5 are free" in cause


@pytest.mark.parametrize("value", ["nan", "inf", "-nan"])
def test_a_perplexity_that_is_no_number_is_no_figure(home: Path, value: str) -> None:
    program(home, printed=RECORDED.replace("22.212447", value))
    told = failure(job(home))["cause"]
    assert f"its ppl is {value}" in told
    assert "the file or the build is broken" in told


@pytest.mark.parametrize("line", ["Mean PPL(Q)  ", "Same top p", "Median  KLD"])
def test_a_line_that_is_missing_is_named(line: str) -> None:
    with pytest.raises(OutputError, match="it has no line"):
        launching.parse(RECORDED.replace(line, "something else"))


@pytest.mark.parametrize("number", ["nan", "inf", "1" * 6000])
def test_a_number_that_is_none_is_told_in_short(number: str) -> None:
    broken = re.sub(r"(?m)^(Mean PPL\(Q\)  +: +)\S+", rf"\g<1>{number}", RECORDED)
    assert broken != RECORDED
    with pytest.raises(OutputError, match="is broken, for weights that are whole predict something") as caught:
        launching.parse(broken)
    assert len(str(caught.value)) < 200


def test_what_the_program_did_not_come_to_print_is_asked_for_again(home: Path) -> None:
    (home / "lost").write_text("3", "utf-8")
    assert launched(job(home)).metrics["kld_mean"]["value"] == 0.278145
    assert ["--kl-divergence " in line for line in commands(home)] == [False, True, True, True, True]


def test_it_is_not_asked_for_ever(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launching, "_ATTEMPTS", 2)
    (home / "lost").write_text("3", "utf-8")
    assert "it has no line Mean PPL(Q)" in failure(job(home))["cause"]
    assert len(commands(home)) == 3


def test_another_vocabulary_is_refused_before_a_launch(home: Path) -> None:
    (home / "f16.gguf").write_bytes(gguf_files.vocabulary(WORDS + 1))
    cause, advice = registry.QUALITY.obstacle(job(home), LaunchSettings()) or ("", "")
    assert "another vocabulary (512 tokens)" in cause
    assert "(513 tokens)" in cause
    assert "very model" in advice


def test_a_text_with_fewer_parts_than_launches_is_refused(home: Path) -> None:
    cause, _advice = registry.QUALITY.obstacle(job(home), LaunchSettings(launches=8)) or ("", "")
    assert cause == "the text book has 7 parts of 256 tokens, and 8 launches take one each"
    assert registry.QUALITY.obstacle(job(home), LaunchSettings(launches=7)) is None


def test_a_text_that_is_not_there_and_a_reference_that_is_not(home: Path) -> None:
    assert (
        "nothing.txt cannot be read"
        in (registry.QUALITY.obstacle(job(home, text="nothing"), LaunchSettings()) or "")[0]
    )
    lost = job(home)._replace(base=None)
    assert (registry.QUALITY.obstacle(lost, LaunchSettings()) or "")[0].startswith(
        "the reference of this model could not"
    )
    assert failure(lost)["cause"].startswith("the reference of this model could not")


@pytest.mark.parametrize("test", ["quality4x1", "quality64x1", "agree8x3"])
def test_too_few_tokens_for_statistics_are_refused_by_name(test: str) -> None:
    cell = registry.parse_test(test)
    cause, advice = registry.kind_of(cell).trouble(cell, LaunchSettings()) or ("", "")
    assert cause.startswith(f"{test} scores ")
    assert "512x4" in advice or "128x2" in advice


@pytest.mark.parametrize("test", ["quality512x4", "agree128x2"])
def test_a_name_reads_back(test: str) -> None:
    cell = registry.parse_test(test)
    assert registry.kind_of(cell).text(cell) == test
    assert not registry.kind_of(cell).timed


def test_what_is_scored_is_the_second_half_but_its_last_token() -> None:
    assert launching.scored({"n_prompt": 512, "chunks": 8}) == 2040
    assert launching.kept_bytes({"n_prompt": 512, "chunks": 8}, 49152) == 200572884


def test_the_base_of_a_job_is_the_first_build_and_the_reference() -> None:
    builds = [{"id": name, "name": name, "bin": f"/{name}/bin"} for name in ("default", "lto")]
    models = [{"id": name, "name": "m", "quantization": name, "path": f"/{name}.gguf"} for name in ("Q4_0", "F16")]
    cell = {"model": "m", "quantization": "Q4_0", "build": "lto", "threads": 1}
    quality, agree = jobs_of([{**cell, "reference": "F16"}, cell], builds, models)
    assert quality.base is not None
    assert agree.base is not None
    assert (quality.base.directory, quality.base.model_path) == ("/default/bin", "/F16.gguf")
    assert (agree.base.directory, agree.base.model_path) == ("/default/bin", "/Q4_0.gguf")
    assert "path" not in quality.base.model
    assert jobs_of([{**cell, "reference": "BF16"}], builds, models)[0].base is None
    assert json.dumps(quality.model) == json.dumps({"id": "Q4_0", "name": "m", "quantization": "Q4_0"})


def test_a_removed_type_is_held_against_the_type_with_its_values() -> None:
    builds = [
        {"id": "new", "name": "default", "bin": "/new", "file_types": ["Q4_0"]},
        {"id": "old", "name": "legacy", "bin": "/old", "file_types": ["Q4_0", "Q4_0_8_8"]},
    ]
    names = ("Q4_0", "Q4_0_8_8", "Q4_0+imatrix", "Q4_0_8_8+imatrix")
    models = [{"id": name, "name": "m", "quantization": name, "path": f"/{name}.gguf"} for name in names]
    cells = [{"model": "m", "quantization": name, "build": "legacy", "threads": 1, **AGREE} for name in names]
    paths = [task.base.model_path for task in jobs_of(cells, builds, models) if task.base]
    assert paths == ["/Q4_0.gguf", "/Q4_0.gguf", "/Q4_0+imatrix.gguf", "/Q4_0+imatrix.gguf"]
    (alone,) = jobs_of(cells[1:2], builds, models[1:2])
    cause, advice = registry.AGREE.obstacle(alone, LaunchSettings()) or ("", "")
    assert cause == "the first build does not read Q4_0_8_8, and there is no Q4_0 of m, which has the same values"
    assert advice == "Add Q4_0 to llama_model_quantizations, or leave agree64x4 out of llama_bench_tests."
    # The first build itself may be the one that reads it.
    (first,) = jobs_of(cells[1:2], builds[::-1], models)
    assert first.base is not None
    assert first.base.model_path == "/Q4_0_8_8.gguf"
