# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

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


def test_a_buffer_that_is_named_again_is_counted_once():
    line = "load_tensors:   CPU_Mapped model buffer size =    27.66 MiB\n"
    assert buffer_bytes(parse_log(line * 2))["model_buffer_bytes"] == int(27.66 * MIB)


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
