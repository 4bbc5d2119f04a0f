# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Models, types, machines and settings are named by what llama.cpp's programs say of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ansible_collections.cloudbench.llama.plugins.plugin_utils.imports import names

FILES = Path(__file__).resolve().parents[4] / "fixtures" / "imports"


def test_every_type_that_llama_cpp_names_is_known() -> None:
    """The table is held to llama_ftype_name() of the source, whose enumerators have the types' own names."""
    cases = re.findall(r'_(?:MOSTLY|ALL)_(\w+):[^"\n]*"([^"\n]+)"', (FILES / "llama_ftype_name.txt").read_text())
    assert len(cases) == 36
    for enumerator, words in cases:
        assert names.FILE_TYPES[words] == enumerator
        assert names.quantization({"model_type": f"qwen3moe 30B.A3B {words}"}) == enumerator
        assert names.model_name({"model_type": f"qwen3moe 30B.A3B {words}"}) == "qwen3moe-30b.a3b"
        # One that the file does not name is guessed; the words for that stood behind once.
        assert names.quantization({"model_type": f"llama 8B (guessed) {words}"}) == enumerator
        assert names.quantization({"model_type": f"llama 8B {words} (guessed)"}) == enumerator


@pytest.mark.parametrize(
    ("model_type", "kind"),
    [
        ("llama 8B Q4_0", "Q4_0"),
        ("LLaMA 7B mostly Q4_0", "Q4_0"),
        ("llama 8B Q4_K - Medium", "Q4_K_M"),
        ("llama 8B Q3_K - Large", "Q3_K_L"),
        ("llama 1B Q6_K", "Q6_K"),
        ("llama 1B Q2_K - Medium", "Q2_K"),
        ("llama 70B IQ4_XS - 4.25 bpw", "IQ4_XS"),
        ("llama 8B all F32", "F32"),
        ("llama 8B BF16", "BF16"),
        ("llama 8B Q4_0_8_8", "Q4_0_8_8"),
        ("llama ?B", "unknown"),
        ("", "unknown"),
    ],
)
def test_the_type_is_read_from_llama_cpps_own_words(model_type: str, kind: str) -> None:
    assert names.quantization({"model_type": model_type}) == kind


def test_names_of_files_give_what_the_words_do_not() -> None:
    row = {"model_filename": "C:\\models\\Meta-Llama-3-8B-Instruct.Q5_K_M.gguf"}
    assert names.model_name(row) == "meta-llama-3-8b-instruct"
    assert names.quantization(row) == "Q5_K_M"
    assert names.model_name({"model_type": "llama 8B Q4_0"}) == "llama-8b"
    assert names.model_name({"model_type": "llama 8B IQ4_KS - 4.25 bpw"}) == "llama-8b"
    assert names.quantization({"model_type": "llama 8B IQ4_KS - 4.25 bpw"}) == "IQ4_KS"


@pytest.mark.parametrize(
    ("row", "name", "kind"),
    [
        ({"model_filename": "m/Llama-70B-Q4_K_M-00001-of-00002.gguf"}, "llama-70b", "Q4_K_M"),
        ({"model_filename": "m/7B/ggml-model-q4_0.gguf", "model_type": "llama 7B Q4_0"}, "llama-7b", "Q4_0"),
        ({"model_filename": "blobs/sha256-" + "ab" * 32, "model_type": "llama 8B Q4_0"}, "llama-8b", "Q4_0"),
        ({"model_filename": "ggml-model-q4_0.gguf"}, "ggml-model", "Q4_0"),
        ({"model_type": "llama 8B unknown, may not work"}, "llama-8b", "unknown"),
    ],
)
def test_a_part_or_a_name_that_says_nothing_is_no_name(row: dict[str, str], name: str, kind: str) -> None:
    assert (names.model_name(row), names.quantization(row)) == (name, kind)


def test_machines_are_named_by_their_processor_and_their_gpu() -> None:
    assert names.machine_name("", "Neoverse-V1") == "imported-neoverse-v1"
    assert names.machine_name("imported-x", "") == "imported-x"
    assert names.machine_name("box", "AMD EPYC", "NVIDIA L4") == "imported-box-with-nvidia-l4"
    assert names.machine_name("", "", "", "1a2b3c") == "imported-machine-1a2b3c"
    long = "An endless name of a processor, of which the first sixty letters are "
    assert names.machine_name("", f"{long}A") != names.machine_name("", f"{long}B")


@pytest.mark.parametrize(
    ("row", "cpu", "gpu"),
    [
        ({"cpu_info": "CPU", "backends": "CPU"}, "", ""),
        ({"cpu_info": "CPU, OpenBLAS", "backends": "BLAS"}, "", ""),
        ({"cpu_info": "AMD EPYC, BLAS", "backends": "BLAS"}, "AMD EPYC, BLAS", ""),
        ({"cpu_info": "AMD EPYC", "backends": "CUDA", "gpu_info": "NVIDIA L4"}, "AMD EPYC", "NVIDIA L4"),
        ({"cpu_info": "AMD EPYC", "backends": "Vulkan,BLAS"}, "AMD EPYC", "Vulkan"),
        ({"cpu_info": "AMD EPYC", "cuda": True, "vulkan": "0"}, "AMD EPYC", "cuda"),
    ],
)
def test_a_processor_is_what_names_one_and_a_backend_what_computes(row: dict[str, object], cpu: str, gpu: str) -> None:
    assert (names.processor(row), names.accelerator(row)) == (cpu, gpu)


def test_whatever_a_row_says_is_a_setting_but_its_results_and_the_fields_of_a_cell() -> None:
    row = {"avg_ts": 1.0, "n_gen": 128, "flash_attn": True, "type_k": "f16", "gpu_info": "", "new_in_2027": [1, 2]}
    assert names.settings(row) == {"flash_attn": "1", "new_in_2027": "[1, 2]", "type_k": "f16"}
    assert names.settings({"flash_attn": "0", "n_batch": 2048.0}) == {"flash_attn": "0", "n_batch": "2048"}


def test_what_is_cut_short_keeps_two_things_apart() -> None:
    long = "x" * 220
    for most, called in (
        (80, [names.model_name({"model_filename": f"{long}{end}.gguf"}) for end in "aab"]),
        (80, [names.model_name({"model_type": f"{long}{end} Q4_0"}) for end in "aab"]),
        (200, [names.settings({"tensor_split": f"{long}{end}"})["tensor_split"] for end in "aab"]),
        (60, [next(iter(names.settings({f"{long}{end}": 1}))) for end in "aab"]),
    ):
        assert called[0] == called[1]
        assert called[0] != called[2]
        assert {len(name) for name in called} == {most}
    assert names.shortened("x" * 80, 80) == "x" * 80


def test_a_pipe_between_backends_of_the_processor_is_no_gpu() -> None:
    assert names.accelerator({"backends": "CPU|BLAS"}) == ""
    assert names.accelerator({"backends": "CUDA|BLAS"}) == "CUDA"


def test_processor_and_gpu_together_are_no_longer_than_a_directory_may_be() -> None:
    name = names.machine_name("", "processor " * 6, "accelerator " * 6)
    assert len(name) == 100
    assert name != names.machine_name("", "processor " * 6, "accelerator " * 5 + "b")
