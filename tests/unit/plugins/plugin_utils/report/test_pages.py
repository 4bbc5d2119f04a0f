# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages follow from the records alone, say how far their figures hold, and are written without harming other files."""

from __future__ import annotations

import copy
import os
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.records import side_by_side, traded

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import pages as report
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report.pages import ReportError
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store.records import Problem

Record = dict[str, Any]

FIXTURES = Path(__file__).resolve().parents[4] / "fixtures"
MACHINE = "local-amd-epyc-9b14"
PAGE = f"{MACHINE}/llama-3.2-1b-synthetic/q4.md"
LATEST = "20261123T155523Z-1a2b"
QUICK = "20261120T091240Z-5e1f"


def of_run(frozen: list[Record], run: str) -> list[Record]:
    return [copy.deepcopy(record) for record in frozen if record["run"] == run]


def of_kind(some: list[Record], kind: str) -> list[Record]:
    return [record for record in some if record["kind"] == kind]


def section(page: str, title: str) -> str:
    """Return the part of a page under a heading of level 2."""
    return re.split(r"^## ", page.split(f"## {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def table_row(page: str, start: str) -> list[str]:
    """Return the cells of the first table row that begins with `start`."""
    line = next(line for line in page.splitlines() if line.startswith(f"| {start} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize("kept_in", ["pages", "pages-side-by-side", "pages-traded"])
def test_pages_are_those_kept(tmp_path: Path, frozen: list[Record], kept_in: str) -> None:
    """Run with CLOUDBENCH_UPDATE_GOLDEN=1 to write the pages that are meant from now on, and read the difference."""
    made = {"pages-side-by-side": side_by_side.records, "pages-traded": traded.records}.get(kept_in, lambda: frozen)()
    assert not records.append(tmp_path, made).problems
    pages = report.render(*read(tmp_path))
    golden = FIXTURES / kept_in
    if os.environ.get("CLOUDBENCH_UPDATE_GOLDEN"):
        for old in golden.rglob("*.md"):
            old.unlink()
        for path, text in pages.items():
            (golden / path).parent.mkdir(parents=True, exist_ok=True)
            (golden / path).write_text(text, "utf-8")
    kept = {path.relative_to(golden).as_posix(): path.read_text("utf-8") for path in golden.rglob("*.md")}
    assert pages == kept


def read(root: Path) -> tuple[list[Record], list[Problem]]:
    contents = records.read(root)
    return contents.records, contents.problems


def test_order_of_records_and_keys_changes_nothing(frozen: list[Record], monkeypatch: pytest.MonkeyPatch) -> None:
    failure = of_kind(of_run(frozen, LATEST), "failure")[0]
    for number in range(4):
        other = dict(copy.deepcopy(failure), time=f"2026-11-23T16:30:0{number}Z")
        other["payload"]["cause"] = f"cause {number}"
        frozen = [other, *frozen]
    expected = report.render(frozen)
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    for seed in range(3):
        shuffled = [dict(random.Random(seed).sample(list(record.items()), len(record))) for record in frozen]
        random.Random(seed).shuffle(shuffled)
        assert report.render(shuffled) == expected


def test_every_promised_page_is_made(frozen: list[Record]) -> None:
    pages = report.render(frozen)
    for record in of_kind(frozen, "run"):
        promised = report.promised_pages(record)
        assert "README.md" in promised
        assert set(promised) <= set(pages)
    assert report.promised_pages(of_kind(of_run(frozen, LATEST), "run")[0]) == [
        "README.md",
        f"{MACHINE}/README.md",
        *(f"{MACHINE}/llama-3.2-1b-synthetic/{name}.md" for name in ("README", "q4-k-m", "q4", "q8")),
        "models/llama-3.2-1b-synthetic.md",
    ]
    quick = of_kind(of_run(frozen, QUICK), "run")[0]
    of_model = "models/llama-3.2-1b-synthetic.md"
    assert report.promised_pages(quick) == ["README.md", f"{MACHINE}/README.md", PAGE, of_model]


def test_links_lead_to_files(store: Path) -> None:
    pages = report.render(*read(store))
    report.write(store, pages)
    for path, text in pages.items():
        for target in re.findall(r"\]\(([^)]*)\)", text):
            assert (store / path).parent.joinpath(target).resolve().is_file(), f"{path}: {target}"


def test_no_records() -> None:
    pages = report.render([])
    assert list(pages) == ["README.md"]
    assert "no records" in pages["README.md"]
    assert "make bench" in pages["README.md"]


def test_only_failures_still_make_pages(frozen: list[Record]) -> None:
    some = [record for record in of_run(frozen, LATEST) if record["kind"] in ("run", "failure")]
    pages = report.render(some)
    assert set(pages) == set(report.promised_pages(of_kind(some, "run")[0]))
    failed = section(pages[f"{MACHINE}/llama-3.2-1b-synthetic/q4-k-m.md"], "Failures")
    assert "ran out of memory" in failed
    assert "**To do:** Choose a smaller model" in failed
    assert "CPU_Mapped model buffer size" in failed
    assert "## Failures" not in pages[PAGE]
    assert table_row(pages[PAGE], "Token generation, tg128")[1:] == [
        "N/A",
        "N/A",
        "**MISSING**<br><sub>no launch on record</sub>",
    ]
    assert "nothing measured in the latest run" in pages["README.md"]
    assert "ran out of memory" in section(pages["README.md"], "Failures")


def test_a_failure_without_a_plan_reaches_the_index(frozen: list[Record]) -> None:
    some = [record for record in frozen if record["machine"] == "gv3-c7g-16xlarge" and record["kind"] == "failure"]
    pages = report.render(some)
    assert list(pages) == ["gv3-c7g-16xlarge/README.md", "README.md"]
    assert all("Connection timed out" in section(page, "Failures") for page in pages.values())
    assert "Nothing was planned for this machine." in pages["gv3-c7g-16xlarge/README.md"]


def test_a_failure_of_an_earlier_run_is_history(frozen: list[Record]) -> None:
    some = of_run(frozen, QUICK)
    failure = copy.deepcopy(of_kind(frozen, "failure")[0])
    failure.update(run=QUICK, time="2026-11-20T09:20:00Z", machine=MACHINE)
    failure["payload"]["cell"] = None
    assert "## Failures" in report.render([*some, failure])[PAGE]
    pages = report.render([*frozen, failure])
    assert "## Failures" not in pages[PAGE]
    assert QUICK in section(pages[PAGE], "Earlier runs")


def test_a_quick_run_says_so(frozen: list[Record]) -> None:
    page = report.render(of_run(frozen, QUICK))[PAGE]
    assert "**UNSTABLE**<br><sub>quick run: 2 launches" in page
    assert "VALID |" not in section(page, "Throughput").split("<details>", 1)[0]


def test_a_run_cut_short_is_no_quick_run(frozen: list[Record]) -> None:
    some = [r for r in of_run(frozen, LATEST) if r["kind"] != "launch" or r["payload"]["number"] <= 4]
    page = report.render(some)[PAGE]
    assert "only 4 launches of 6" in page
    assert "| 4 of 6 |" in section(page, "Throughput")
    assert "quick run" not in page


def test_one_launch_has_no_interval(frozen: list[Record]) -> None:
    some = [r for r in of_run(frozen, QUICK) if r["kind"] != "launch" or r["payload"]["number"] == 1]
    page = report.render(some)[PAGE]
    row = table_row(page, "Token generation, tg128")
    assert row[2] == "N/A"
    assert "quick run: 1 launch" in row[3]


def test_disturbed_launches_make_their_cell_invalid_and_its_figure_stays(frozen: list[Record]) -> None:
    # A third one beside the two that are on record.
    launched = [record["payload"] for record in of_kind(frozen, "launch")]
    of_cell = [each for each in launched if (each["cell"]["quantization"], each["cell"]["test"]) == ("Q8_0", "tg128")]
    of_cell[4]["validity"] = of_cell[2]["validity"]
    pages = report.render(frozen)
    page = pages[f"{MACHINE}/llama-3.2-1b-synthetic/q8.md"]
    row = table_row(page, "Token generation, tg128")
    assert re.fullmatch(r"\*\*23\.\d\d.token/s\*\*", row[1])
    assert row[3].startswith("**INVALID**<br><sub>3 of 6 launches disturbed: the hypervisor gave")
    assert "launch 3: steal_percent = 1.62" in page
    assert "launch 4: other_cpu_percent = 2.44" in page
    assert re.fullmatch(r"VALID.±\d\.\d.%", table_row(page, "Prompt processing, pp512")[3])
    assert "INVALID, 3 of 6 launches disturbed" in pages["models/llama-3.2-1b-synthetic.md"]
    offered = pages["README.md"].split("| Machine |", 1)[1].split("\n\n", 1)[0]
    assert "[Q4_0](" in offered
    assert "INVALID" not in offered


def test_only_established_differences_are_called_fastest(frozen: list[Record]) -> None:
    throughput = section(report.render(frozen)[PAGE], "Throughput").split("<details>", 1)[0]
    rows = [line.split("|")[1:-1] for line in throughput.splitlines() if re.match(r"\| (pp|tg)", line)]
    assert [(cells[0].strip(), cells[2].strip(), cells[-1].strip()) for cells in rows] == [
        ("pp512", "avx2", ""),
        ("pp512", "default", "fastest"),
        ("tg128", "avx2", "\\~"),
        ("tg128", "default", ""),
        ("tg128", "default", "\\~"),
    ]


def test_a_page_of_one_build_has_no_column_for_it(frozen: list[Record]) -> None:
    pages = report.render(frozen)
    assert "| Test | Threads | Build |" in pages[PAGE]
    assert "| Test | Threads | Launches |" in pages[f"{MACHINE}/llama-3.2-1b-synthetic/q8.md"]


def test_what_a_build_leaves_unused_is_said(frozen: list[Record]) -> None:
    build = section(report.render(frozen)[PAGE], "Build")
    assert "The processor has `AVX512`, `AVX512_VBMI`, `AVX512_VNNI`, `AVX512_BF16`, and this build does not" in build


def test_emulated_figures_are_named_in_every_table_and_never_ranked(frozen: list[Record]) -> None:
    pages = report.render(frozen)
    page = pages["emulated-neoverse-v1/tiny-synthetic/q4.md"]
    assert "Emulated processor:" in page
    figures = page.split("## Build", 1)[0]
    tables = [block for block in figures.split("\n\n") if block.startswith("| ")]
    assert len(tables) >= 5
    assert all("emulated" in table.splitlines()[0] for table in tables)
    index = pages["README.md"]
    assert "emulated-neoverse-v1" in section(index, "Emulated")
    assert "emulated-neoverse-v1" not in index.split("## Emulated", 1)[0]
    # Which kernels were chosen is all that an emulator can say.
    assert "token/s" not in section(index, "Emulated")
    assert "Kernel path" in section(index, "Emulated")


@pytest.mark.parametrize("kind", ["run", "machine"])
def test_one_sign_of_emulation_is_enough(frozen: list[Record], kind: str) -> None:
    for record in of_kind(frozen, "run") + of_kind(frozen, "machine"):
        record["payload"]["emulated"] = record["kind"] == kind
    index = report.render(frozen)["README.md"]
    assert MACHINE in section(index, "Emulated")
    assert MACHINE not in index.split("## ", 1)[0]


def test_synthetic_weights_are_named_and_real_ones_are_not(frozen: list[Record]) -> None:
    page = report.render(frozen)[PAGE]
    assert "Synthetic weights: the exact shape of Llama 3.2 1B with random values." in page
    for record in of_kind(frozen, "model"):
        record["payload"]["synthetic"] = False
    pages = report.render(frozen)
    assert "Synthetic weights" not in pages[PAGE]
    assert "| real |" in section(pages["models/llama-3.2-1b-synthetic.md"], "Measured")


def test_runs_are_never_pooled(frozen: list[Record]) -> None:
    latest = report.render(of_run(frozen, LATEST))[PAGE]
    both = report.render(frozen)[PAGE]
    assert section(both, "Throughput") == section(latest, "Throughput")
    assert "## Earlier runs" not in latest
    assert "| the same |" in section(both, "Earlier runs")


def test_the_latest_run_is_the_one_of_the_latest_time(frozen: list[Record]) -> None:
    renamed = [dict(record, run="z" if record["run"] == QUICK else record["run"]) for record in frozen]
    page = report.render(renamed)[PAGE]
    assert f"run {LATEST} of 2026-11-23" in page
    assert "[z](../records/z.jsonl)" in section(page, "Earlier runs")


def test_a_failure_that_is_reported_twice_is_shown_once(frozen: list[Record]) -> None:
    again = [dict(record, time="2026-11-23T23:00:00Z") for record in of_kind(frozen, "failure")]
    assert report.render([*frozen, *again]) == report.render(frozen)


def test_an_earlier_run_of_another_setup_is_told_apart(frozen: list[Record]) -> None:
    for record in of_kind(frozen, "launch"):
        if record["run"] == QUICK:
            record["payload"]["key"] = "another"
    assert "| differs |" in section(report.render(frozen)[PAGE], "Earlier runs")


def test_problems_stand_on_the_index(store: Path) -> None:
    path = store / MACHINE / "records" / f"{LATEST}.jsonl"
    path.write_text(path.read_text() + '{"schema": 1, "kind": "canary"}\n{"half')
    pages = report.render(*read(store))
    problems = section(pages["README.md"], "Problems in the record files")
    assert problems.count(f"| `{MACHINE}/records/{LATEST}.jsonl` |") == 2
    assert "record.run is missing" in problems
    assert "ends in the middle" in problems


def test_records_of_an_unknown_kind_change_no_page(frozen: list[Record]) -> None:
    canary = dict(copy.deepcopy(frozen[-1]), kind="canary", payload={"read_gb_s": 12.5}, run=LATEST, machine=MACHINE)
    pages = report.render([*frozen, canary])
    assert pages == report.render(frozen)


@pytest.mark.parametrize(
    ("cell", "path"),
    [
        ({"model": "m", "quantization": "Q4_0"}, "box/m/q4.md"),
        ({"model": "m", "quantization": "Q4_0_8_8"}, "box/m/q4-088.md"),
        ({"model": "m", "quantization": "Q4_K_M"}, "box/m/q4-k-m.md"),
        ({"model": "m", "quantization": "IQ4_NL"}, "box/m/iq4-nl.md"),
        ({"model": "../../x", "quantization": "../y"}, r"box/x-[0-9a-f]{8}/y-[0-9a-f]{8}.md"),
        ({"model": "records", "quantization": "Q4_0"}, r"box/records-[0-9a-f]{8}/q4.md"),
        ({"model": "", "quantization": ""}, r"box/[0-9a-f]{8}/[0-9a-f]{8}.md"),
        ({"model": "." * 300, "quantization": "\ud800"}, r"box/[0-9a-f]{8}/[0-9a-f]{8}.md"),
    ],
)
def test_paths_of_pages(cell: dict[str, str], path: str) -> None:
    assert re.fullmatch(path, summary.page_path("box", cell))


def test_names_that_are_made_safe_stay_apart() -> None:
    paths = {summary.page_path("box", {"model": name, "quantization": "Q4_0"}) for name in ("a/b", "a:b", "a b", "a-b")}
    assert len(paths) == 4


def test_writing_twice_changes_nothing(store: Path) -> None:
    pages = report.render(*read(store))
    assert report.write(store, pages) == sorted(pages)
    before = {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in store.rglob("*.md")}
    assert report.write(store, pages) == []
    assert {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in store.rglob("*.md")} == before
    assert not list(store.rglob(".*"))


def test_only_pages_of_ours_that_no_record_supports_are_removed(store: Path) -> None:
    pages = report.render(*read(store))
    report.write(store, pages)
    own = store / MACHINE / "llama-3.2-1b-synthetic" / "notes.md"
    own.write_text("# My notes\n")
    for path in (store / MACHINE / "records").iterdir():
        path.unlink()
    changed = report.write(store, report.render(*read(store)))
    of_model = "models/llama-3.2-1b-synthetic.md"
    assert set(changed) == {path for path in pages if path.startswith(MACHINE)} | {"README.md", of_model}
    assert not (store / of_model).exists()
    assert own.read_text() == "# My notes\n"
    assert (store / "gv3-c7g-16xlarge" / "llama-3.1-8b-synthetic" / "q4.md").is_file()
    own.unlink()
    for path in (store / "gv3-c7g-16xlarge" / "records").iterdir():
        path.unlink()
    report.write(store, report.render(*read(store)))
    assert not (store / "gv3-c7g-16xlarge" / "llama-3.1-8b-synthetic").exists()


def test_a_file_that_is_not_ours_is_not_overwritten(store: Path) -> None:
    (store / "README.md").write_text("# By hand\n")
    pages = report.render(*read(store))
    with pytest.raises(ReportError, match=r"README\.md was not written by this collection"):
        report.write(store, pages)
    assert (store / "README.md").read_text() == "# By hand\n"
    assert (store / PAGE).read_text("utf-8") == pages[PAGE]


@pytest.mark.parametrize("path", ["../x.md", "/x.md", "a//b.md", "a/../b.md", "a/b.txt", "", "a\\b.md", "a\0.md"])
def test_pages_are_written_inside_the_directory_only(tmp_path: Path, path: str) -> None:
    with pytest.raises(ReportError, match="is no path of a page"):
        report.write(tmp_path / "results", {path: "x"})
    assert not [found for found in tmp_path.rglob("*") if found.is_file()]


def test_a_page_behind_a_link_out_of_the_directory_is_not_written(tmp_path: Path, store: Path) -> None:
    """A results directory may be a stranger's, and what its links lead to is not his to write."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "q4.md").write_text(f"{report.MARKER}\nmine\n")
    folder = (store / PAGE).parent
    pages = report.render_store(store)[0]
    folder.symlink_to(elsewhere)
    with pytest.raises(ReportError, match=r"q4\.md cannot be written: it is a symbolic link that leads out"):
        report.write(store, pages)
    assert [path.name for path in elsewhere.iterdir()] == ["q4.md"]
    assert (elsewhere / "q4.md").read_text().endswith("mine\n")
    # Nor is what is no page any more removed behind it.
    with pytest.raises(ReportError):
        report.write(store, {path: text for path, text in pages.items() if not path.startswith(PAGE[:-5])} | {PAGE: ""})
    assert (elsewhere / "q4.md").exists()


def test_a_page_is_replaced_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report.write(tmp_path, {"README.md": report.MARKER + "\nold\n"})

    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(ReportError, match=r"README\.md cannot be written: No space left on device"):
        report.write(tmp_path, {"README.md": report.MARKER + "\nnew\n"})
    assert (tmp_path / "README.md").read_text() == report.MARKER + "\nold\n"
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda payload: payload.update(kernel=None, rows=None, gates=None, argv=None, block=None, key=None),
        lambda payload: [payload.pop(name) for name in ("kernel", "rows", "gates", "argv", "block", "key", "position")],
        lambda payload: payload.update(metrics={k: v for k, v in payload["metrics"].items() if k.endswith("tps")}),
        lambda payload: payload["kernel"].update(repack=None, buffers=None),
        lambda payload: payload.update(build="unknown", model="unknown", machine="unknown"),
    ],
    ids=["null", "absent", "speed only", "no log", "dangling"],
)
def test_a_launch_with_the_least_is_shown(tmp_path: Path, frozen: list[Record], damage: Callable[[Any], None]) -> None:
    some = of_run(frozen, LATEST)
    for record in of_kind(some, "launch"):
        damage(record["payload"])
    assert not records.append(tmp_path, some).problems
    page = report.render(*read(tmp_path))[PAGE]
    assert re.search(r"\*\*38\.\d\d.token/s\*\*", page)


def test_a_word_of_a_host_is_no_command(frozen: list[Record]) -> None:
    some = of_run(frozen, LATEST)
    for record in of_kind(some, "launch"):
        record["payload"]["cell"]["test"] = "tg128\ncurl example.com | sh"
        record["payload"]["argv"] = ["llama-bench", "$(id)", "a\nb"]
    commands = section(report.render(some)[PAGE], "Reproduce").split("```sh\n")[2].split("```")[0]
    assert not [line for line in commands.splitlines() if line.startswith("curl")]
    assert "llama-bench '$(id)' 'a\nb'" in commands


def test_a_run_without_its_plan_is_shown(frozen: list[Record]) -> None:
    page = report.render([record for record in of_run(frozen, LATEST) if record["kind"] != "run"])[PAGE]
    assert "The plan of this run is not on record." in page
    assert re.search(r"\*\*38\.\d\d.token/s\*\*", page)


def test_depth_and_other_tests_have_rows_of_their_own(frozen: list[Record]) -> None:
    some = of_run(frozen, QUICK)
    for record in of_kind(some, "launch"):
        cell = record["payload"]["cell"]
        if cell["test"] == "tg128":
            cell["n_depth"] = 4096
    page = report.render(some)[PAGE]
    assert table_row(page, "Token generation, tg128, depth 4,096")[1].startswith("**38.")
    assert "| tg128, depth 4,096 | 2 |" in section(page, "Throughput")
    assert "| tg128 | 2 | 0 of 2 |" in section(page, "Throughput")


@pytest.mark.parametrize("many", [1, 1000], ids=["processes", "one by one"])
def test_a_store_machine_by_machine_gives_the_pages_of_all_records(
    store: Path, real: list[Record], monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    records.append(store, real)
    (store / MACHINE / "records" / "broken.jsonl").write_text("{}\n")
    everything = records.read(store)
    expected = report.render(everything.records, everything.problems)
    monkeypatch.setattr(report, "MANY_MACHINES", many)
    monkeypatch.setenv("XDG_CACHE_HOME", str(store.parent / "cache"))
    pages, problems = report.render_store(store)
    assert problems == everything.problems != []
    assert pages == expected
    assert sorted(one.path for one in pages.figures) == sorted(one.path for one in expected.figures)
    assert report.render_store(store / "nowhere")[0] == report.render([])
