# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time
from pathlib import Path

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.log import (
    buffer_bytes,
    layout_type,
    parse_log,
)

FIXTURES = Path(__file__).parents[4] / "fixtures" / "llama-bench"
MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("name", "layouts", "model", "repacked", "kv"),
    [
        ("current.log", {"q4_0_8x8": 28}, 27.66, 2.11, 0.50),
        ("current-no-repack.log", {}, 27.80, 0, 0.50),
        ("legacy.log", {}, 27.80, 0, 0.06),
        # Weights in KleidiAI's buffer, and the matrix of the output, which it has no kernel for.
        ("kleidiai.log", {"q6_K_8x8": 1}, 2.08, 2.21, 0.50),
        # The tied embedding is there twice.
        ("ik.log", {"at run time": 28}, 53.49, 0, 0.50),
        ("truncated-model.log", {}, 0, 0, 0),
    ],
)
def test_buffers_and_layouts_are_those_the_log_names(name, layouts, model, repacked, kv):
    kernel = parse_log((FIXTURES / name).read_text(encoding="utf-8"))
    sums = buffer_bytes(kernel)
    assert kernel["repack"] == layouts
    assert sums["model_buffer_bytes"] == int(model * MIB)
    assert sums["repack_buffer_bytes"] == int(repacked * MIB)
    assert sums["kv_buffer_bytes"] == int(kv * MIB)


OPENED = "llama_model_loader: loaded meta data with 29 key-value pairs and 39 tensors from a.gguf (version GGUF V3)\n"
MAPPED = "load_tensors:   CPU_Mapped model buffer size =    27.66 MiB\n"


def test_a_model_that_is_opened_again_is_counted_once():
    assert buffer_bytes(parse_log((OPENED + MAPPED) * 2))["model_buffer_bytes"] == int(27.66 * MIB)
    fit = "load_tensors:          AMX model buffer size =     1.00 MiB\n"
    (buffer,) = parse_log(OPENED + fit + OPENED + MAPPED)["buffers"]
    assert buffer["name"] == "CPU_Mapped"


def test_the_ranges_of_a_file_and_the_parts_of_a_model_are_summed():
    """llama.cpp 0.7.0 names a buffer for each range that it maps, and one for each part of a split file."""
    ranges = "".join("load_tensors:   CPU_Mapped model buffer size = %8.2f MiB\n" % size for size in (0.37, 27.1, 0.0))
    assert buffer_bytes(parse_log(OPENED + ranges))["model_buffer_bytes"] == int(0.37 * MIB) + int(27.1 * MIB)
    assert buffer_bytes(parse_log(MAPPED * 61))["model_buffer_bytes"] == 61 * int(27.66 * MIB)


def test_a_context_has_a_cache_for_each_kind_of_layer_and_the_next_context_its_own():
    context = "llama_context: constructing llama_context\n"
    cache = "llama_kv_cache:        CPU KV buffer size =    16.00 MiB\n"
    assert buffer_bytes(parse_log((context + cache * 2) * 3))["kv_buffer_bytes"] == 32 * MIB
    assert buffer_bytes(parse_log(cache * 3))["kv_buffer_bytes"] == 16 * MIB


@pytest.mark.parametrize("name", ["CPU_REPACK", "CPU_AARCH64", "CPU_KLEIDIAI", "AMX"])
def test_repacked_weights_are_counted_apart_whatever_their_buffer_is_called(name):
    sums = buffer_bytes(parse_log("load_tensors: %s model buffer size = 4.00 MiB\n%s" % (name, MAPPED)))
    assert (sums["repack_buffer_bytes"], sums["model_buffer_bytes"]) == (4 * MIB, int(27.66 * MIB))


@pytest.mark.parametrize(
    ("name", "tensors", "types"),
    [
        ("current.log", {"F32": 10, "Q4_0": 28, "Q6_K": 1}, {"Q4_0": {"q4_0_8x8": 28}}),
        ("current-no-repack.log", {"F32": 10, "Q4_0": 28, "Q6_K": 1}, {}),
        ("legacy.log", {"F32": 10, "Q4_0": 28, "Q6_K": 1}, {}),
        ("truncated-model.log", {}, {}),
    ],
)
def test_types_of_tensors_and_their_layouts(name, tensors, types):
    kernel = parse_log((FIXTURES / name).read_text(encoding="utf-8"))
    assert kernel["tensors"] == tensors
    assert kernel["types"] == types


@pytest.mark.parametrize(
    ("layout", "kind"),
    [("q4_0_4x8", "Q4_0"), ("q4_K_8x4", "Q4_K"), ("iq4_nl_4x4", "IQ4_NL"), ("mxfp4_8x8", "MXFP4"), ("odd", "ODD")],
)
def test_a_layout_tells_its_type(layout, kind):
    assert layout_type(layout) == kind


@pytest.mark.parametrize("size", ["1.2.3", "9" * 400, ".", "nan", "1e5", "-3.00"])
def test_a_size_that_is_none_names_no_buffer(size):
    assert parse_log(f"load_tensors:   CPU_Mapped model buffer size = {size} MiB\n")["buffers"] == []


def test_numbers_of_tensors_that_are_none_are_passed_over():
    log = f"=== Repacked {'9' * 5000} tensors\nllama_model_loader: - type q4_0:  {'9' * 5000} tensors\n"
    assert parse_log(log) == {"buffers": [], "repack": {}, "types": {}, "tensors": {}}


def test_a_line_without_spaces_and_without_end_is_read_at_once():
    start = time.process_time()
    kernel = parse_log("A" * 1_000_000 + MAPPED + ("B " * 100_000 + "\n") + " " * 500_000 + MAPPED)
    assert time.process_time() - start < 2
    assert len(kernel["buffers"]) == 1
