# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.kernel_path import (
    AS_EXPECTED,
    FALLBACK,
    SWITCHED_OFF,
    UNKNOWN,
    expectation,
    expected_layout,
    verdict,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.log import parse_log

LOGS = Path(__file__).parents[4] / "fixtures" / "llama-bench"

N1 = ["asimd", "asimddp", "asimdhp"]
V1 = [*N1, "sve", "i8mm", "bf16"]
V2 = [*V1, "sve2"]
ZEN3 = ["avx2", "fma", "f16c", "bmi2"]

GRAVITON = {
    "neoverse-n1": (N1, None, "q4_0_4x4", "Q4_0_4_4"),
    "neoverse-v1": (V1, 32, "q4_0_8x8", "Q4_0_8_8"),
    "neoverse-v2": (V2, 16, "q4_0_4x8", "Q4_0_4_8"),
    "zen3": (ZEN3, None, "q4_0_8x8", "Q4_0_8_8"),
}
USED = {
    "neoverse-n1": ["NEON", "ARM_FMA", "FP16_VA", "DOTPROD", "REPACK"],
    "neoverse-v1": ["NEON", "ARM_FMA", "FP16_VA", "MATMUL_INT8", "SVE", "DOTPROD", "SVE_CNT", "REPACK"],
    "neoverse-v2": ["NEON", "ARM_FMA", "FP16_VA", "MATMUL_INT8", "SVE", "DOTPROD", "SVE_CNT", "REPACK"],
    "zen3": ["AVX2", "FMA", "F16C", "BMI2", "REPACK"],
}


def machine(core: str, **changes) -> dict:
    flags, sve_bytes, layout, legacy = GRAVITON[core]
    processor = {"core": core, "title": core, "q4_0_layout": layout, "legacy_type": legacy}
    return {"cpu_features": flags, "sve_bytes": sve_bytes, "processor": processor, **changes}


def build(core: str, **changes) -> dict:
    return {"cpu_features": USED[core], "cpu_features_unused": [], "file_types": ["Q4_0"], "march": core, **changes}


def old_build(core: str, **changes) -> dict:
    used = [name for name in USED[core] if name != "REPACK"]
    given = {"cpu_features": used, "file_types": ["Q4_0", "Q4_0_4_4", "Q4_0_4_8", "Q4_0_8_8"], **changes}
    return build(core, **given)


def kernel(tensors: dict, **layouts) -> dict:
    lines = [f"llama_model_loader: - type {kind.lower()}: {count} tensors" for kind, count in tensors.items()]
    for layout, count in layouts.items():
        lines += [f"repack: repack tensor blk.{layout}.{i}.weight with {layout}" for i in range(count)]
    return parse_log("\n".join(lines))


@pytest.mark.parametrize(
    ("kind", "flags", "sve_bytes", "layout"),
    [
        ("Q4_0", ZEN3, None, "q4_0_8x8"),
        ("Q4_0", N1, None, "q4_0_4x4"),
        ("Q4_0", V1, 32, "q4_0_8x8"),
        ("Q4_0", V2, 16, "q4_0_4x8"),
        # Vectors of unknown length are not taken for long ones.
        ("Q4_0", V1, None, "q4_0_4x8"),
        ("Q4_0", ["asimd"], None, None),
        ("Q4_0", ["avx"], None, None),
        ("Q4_K", N1, None, "q4_K_8x4"),
        ("Q4_K", V2, 16, "q4_K_8x8"),
        ("Q4_K", ZEN3, None, "q4_K_8x8"),
        ("Q6_K", V1, 32, "q6_K_8x8"),
        ("Q6_K", ZEN3, None, None),
        ("Q2_K", ZEN3, None, None),
        ("Q2_K", [*ZEN3, "avx512f"], None, "q2_K_8x8"),
        ("Q8_0", V1, 32, "q8_0_4x8"),
        ("Q8_0", ZEN3, None, None),
        ("Q8_0", N1, None, "q8_0_4x4"),
        ("Q8_0", V2, 16, "q8_0_4x8"),
        ("Q1_0", N1, None, "q1_0_4x4"),
        ("Q1_0", V1, 32, "q1_0_4x8"),
        ("Q1_0", V2, 16, "q1_0_4x8"),
        ("Q1_0", [*ZEN3, "avx512f"], None, None),
        ("IQ4_NL", N1, None, "iq4_nl_4x4"),
        # There are no kernels for i8mm.
        ("IQ4_NL", V1, 32, "iq4_nl_4x4"),
        ("IQ4_NL", V2, 16, "iq4_nl_4x4"),
        ("IQ4_NL", ZEN3, None, "iq4_nl_8x8"),
        ("F16", V2, 16, None),
    ],
)
def test_the_layout_llama_cpp_chooses(kind, flags, sve_bytes, layout):
    assert expected_layout(kind, flags, sve_bytes) == layout


def test_what_the_catalog_says_of_q4_0_counts_more_than_flags():
    assert expectation(machine("neoverse-v1", sve_bytes=None), ["Q4_0", "Q6_K", "F32"]) == {
        "Q4_0": "q4_0_8x8",
        "Q6_K": "q6_K_8x8",
    }


@pytest.mark.parametrize("core", GRAVITON)
def test_what_is_expected_is_as_expected(core):
    layout = GRAVITON[core][2]
    found = verdict(
        kernel({"F32": 33, "Q4_0": 112, "Q6_K": 1}, **{layout: 112}), machine(core), build(core), "Q4_0", {}
    )
    assert (found["state"], found["why"], found["remedy"]) == (AS_EXPECTED, None, None)
    assert found["expected"]["Q4_0"] == layout


def test_a_recorded_log_of_this_family_of_processors():
    log = parse_log((LOGS / "current.log").read_text("utf-8"))
    assert verdict(log, machine("zen3"), build("zen3"), "Q4_0", {"repack": 1})["state"] == AS_EXPECTED
    log = parse_log((LOGS / "current-no-repack.log").read_text("utf-8"))
    found = verdict(log, machine("zen3"), build("zen3"), "Q4_0", {"repack": 0})
    assert (found["state"], found["why"], found["remedy"]) == (SWITCHED_OFF, "llama-bench was told --repack 0", None)


KLEIDIAI = "load_tensors: CPU_KLEIDIAI model buffer size = 2.11 MiB\n"


def with_kleidiai(core: str, **changes) -> dict:
    return build(core, cpu_features=[*USED[core], "KLEIDIAI"], **changes)


def in_buffer(tensors: dict, **layouts) -> dict:
    """Return what a log says of weights in KleidiAI's buffer: no tensor that is there."""
    seen = kernel(tensors, **layouts)
    return {**seen, "buffers": parse_log(KLEIDIAI)["buffers"]}


def test_a_recorded_log_of_a_build_with_kleidiai_is_as_expected():
    log = parse_log((LOGS / "kleidiai.log").read_text("utf-8"))
    found = verdict(log, machine("neoverse-v2"), with_kleidiai("neoverse-v2"), "Q4_0", {"repack": 1})
    assert (found["state"], found["why"], found["remedy"]) == (AS_EXPECTED, None, None)
    assert found["expected"] == {"Q4_0": "kleidiai", "Q6_K": "q6_K_8x8"}


@pytest.mark.parametrize("core", ["neoverse-n1", "neoverse-v1", "neoverse-v2"])
@pytest.mark.parametrize(
    ("tensors", "layouts"),
    [
        ({"F32": 10, "Q4_0": 28, "Q8_0": 1}, []),
        ({"F32": 10, "Q8_0": 29}, []),
        # Experts, and Q8_0 of a llama.cpp that has KleidiAI's kernels for Q4_0 alone, are repacked beside it.
        ({"F32": 10, "Q4_0": 28}, ["Q4_0"]),
        ({"F32": 10, "Q4_0": 20, "Q8_0": 9}, ["Q8_0"]),
        ({"F32": 10, "F16": 29}, []),
    ],
)
def test_what_kleidiai_has_taken_is_no_fallback(core, tensors, layouts):
    flags, sve_bytes = GRAVITON[core][:2]
    repacked = {expected_layout(kind, flags, sve_bytes): 8 for kind in layouts}
    found = verdict(in_buffer(tensors, **repacked), machine(core), with_kleidiai(core), "Q4_0", {})
    assert (found["state"], found["why"]) == (AS_EXPECTED, None)
    assert {kind for kind, layout in found["expected"].items() if layout == "kleidiai"} == {
        kind for kind in tensors if kind in ("Q4_0", "Q8_0") and kind not in layouts
    }


def test_a_build_with_kleidiai_whose_buffer_is_not_there_has_fallen_back():
    seen, made = kernel({"F32": 10, "Q4_0": 28}, q4_0_4x8=28), with_kleidiai("neoverse-v2")
    found = verdict(seen, machine("neoverse-v2"), made, "Q4_0", {"repack": 1})
    assert found["state"] == FALLBACK
    assert found["why"] == (
        "Q4_0 is repacked to q4_0_4x8 instead of kleidiai; KleidiAI is compiled in, and the log names no buffer "
        "CPU_KLEIDIAI"
    )
    assert "kleidiai.cpp" in found["remedy"]
    # --repack 0 leaves out KleidiAI's buffer with all others.
    assert verdict(kernel({"Q4_0": 28}), machine("neoverse-v2"), made, "Q4_0", {"repack": 0})["state"] == SWITCHED_OFF
    # A llama.cpp without its kernels for Q8_0, a processor without dotprod, a file that it has no kernels for.
    seen = kernel({"Q8_0": 29}, q8_0_4x8=29)
    assert verdict(seen, machine("neoverse-v2"), made, "Q8_0", {})["state"] == AS_EXPECTED
    plain = machine("neoverse-n1", cpu_features=["asimd"], processor={"q4_0_layout": None})
    assert verdict(kernel({"Q4_0": 28}), plain, made, "Q4_0", {})["state"] == AS_EXPECTED
    seen = kernel({"Q4_K": 24, "Q6_K": 5}, q4_K_8x8=24, q6_K_8x8=5)
    assert verdict(seen, machine("neoverse-v2"), made, "Q4_K_M", {})["state"] == AS_EXPECTED


def test_a_type_that_kleidiai_does_not_take_is_judged_beside_it():
    seen = in_buffer({"Q4_0": 28, "Q4_K": 24})
    found = verdict(seen, machine("neoverse-v2"), with_kleidiai("neoverse-v2"), "Q4_0", {})
    assert found["state"] == FALLBACK
    assert found["why"].startswith("Q4_K should be repacked to q4_K_8x8: not repacked at all; ")
    assert "Q4_0" not in found["why"]


@pytest.mark.parametrize(
    ("seen", "changes", "why", "remedy"),
    [
        # -march=armv8.2-a: no dotprod, so no repacking at all.
        ({}, {"cpu_features_unused": ["DOTPROD", "MATMUL_INT8", "SVE"], "march": "armv8.2-a"},
         "not repacked at all; the build does not use DOTPROD, MATMUL_INT8, SVE, which the processor has (-march armv8",
         "Build for this processor"),
        # -march=armv9-a: no i8mm.
        ({"q4_0_4x4": 112}, {"cpu_features": ["NEON", "DOTPROD", "SVE", "REPACK"]},
         "Q4_0 is repacked to q4_0_4x4 instead of q4_0_8x8; the build was compiled without MATMUL_INT8",
         "Build for this processor"),
        ({"q4_0_8x8": 60}, {}, "should be repacked to q4_0_8x8: 60 of 112 tensors; the build uses what the processor",
         "repack.cpp"),
    ],
)  # fmt: skip
def test_a_fallback_is_explained(seen, changes, why, remedy):
    found = verdict(
        kernel({"F32": 33, "Q4_0": 112}, **seen), machine("neoverse-v1"), build("neoverse-v1", **changes), "Q4_0", {}
    )
    assert found["state"] == FALLBACK
    assert why in found["why"]
    assert remedy in found["remedy"]


def test_what_was_switched_off_on_purpose_is_no_fallback():
    off = build("neoverse-v1", cmake_arguments=["-DGGML_CPU_REPACK=OFF"], cpu_features=["NEON", "MATMUL_INT8", "SVE"])
    found = verdict(kernel({"Q4_0": 112}), machine("neoverse-v1"), off, "Q4_0", {})
    assert (found["state"], found["why"]) == (SWITCHED_OFF, "the build option GGML_CPU_REPACK is off")
    assert verdict(kernel({"F16": 112}), machine("neoverse-v1"), off, "F16", {})["state"] == AS_EXPECTED


def test_a_processor_nobody_knows_is_judged_by_its_flags_and_said_to_be_unknown():
    unknown = machine("neoverse-v2", processor=None)
    found = verdict(kernel({"Q4_0": 112}, q4_0_4x8=112), unknown, build("neoverse-v2"), "Q4_0", {})
    assert found["state"] == AS_EXPECTED
    assert "not in the catalog" in found["why"]
    found = verdict(kernel({"F16": 112}), unknown, build("neoverse-v2"), "F16", {})
    assert found["state"] == UNKNOWN


def test_types_that_are_not_repacked_are_as_expected_and_a_silent_log_is_unknown():
    assert verdict(kernel({"F16": 112}), machine("zen3"), build("zen3"), "F16", {})["state"] == AS_EXPECTED
    assert verdict(parse_log(""), machine("zen3"), build("zen3"), "Q4_0", {})["state"] == UNKNOWN


def ik(count: int | None, tensors: dict) -> dict:
    lines = [f"llama_model_loader: - type {kind.lower()}: {number} tensors" for kind, number in tensors.items()]
    return parse_log("\n".join([*lines, *([f"============ Repacked {count} tensors"] if count else [])]))


IK = {"engine": "ik_llama.cpp", "file_types": ["Q4_0", "Q4_0_4_4"], "cpu_features": ["AVX2"], "march": "znver3"}


@pytest.mark.parametrize(
    ("count", "tensors", "row", "state"),
    [
        # The embedding stays as it is.
        (112, {"F32": 34, "Q4_0": 112, "Q6_K": 1}, {"repack": True}, AS_EXPECTED),
        (113, {"F32": 34, "Q4_0": 113}, {"repack": True}, AS_EXPECTED),
        (60, {"F32": 34, "Q4_0": 112, "Q6_K": 1}, {"repack": True}, FALLBACK),
        (None, {"F32": 34, "Q4_0": 112}, {"repack": False}, SWITCHED_OFF),
        (None, {"F32": 34, "Q4_0": 112}, {}, FALLBACK),
        (None, {"F32": 34, "F16": 112}, {"repack": True}, AS_EXPECTED),
        (None, {}, {}, UNKNOWN),
    ],
)
@pytest.mark.parametrize("core", ["zen3", "neoverse-v1"])
def test_the_fork_says_how_many_tensors_it_has_repacked(core, count, tensors, row, state):
    found = verdict(ik(count, tensors), machine(core), IK, "Q4_0", row)
    assert found["state"] == state
    if "Q4_0" in tensors:
        assert found["expected"]["Q4_0"] == "q4_0_r8"
    if state == FALLBACK:
        assert f"{count or 0} of {sum(tensors.values()) - 34} tensors of Q4_0" in found["why"]
    # Whoever has not said that it is the fork is known by what llama-bench can be told.
    silent = {**IK, "engine": None, "options": {"llama-bench": ["--run-time-repack", "-m"]}}
    assert verdict(ik(count, tensors), machine(core), silent, "Q4_0", row) == found


def test_a_recorded_log_of_the_fork():
    log = parse_log((LOGS / "ik.log").read_text("utf-8"))
    assert (log["repack"], log["types"]) == ({"at run time": 28}, {})
    assert log["tensors"] == {"F32": 10, "Q4_0": 28, "Q6_K": 1}
    found = verdict(log, machine("zen3"), IK, "Q4_0", {"repack": True})
    assert (found["state"], found["expected"]) == (AS_EXPECTED, {"Q4_0": "q4_0_r8", "Q6_K": "q6_k_r4"})


@pytest.mark.parametrize("core", GRAVITON)
def test_a_tied_embedding_of_another_type_is_repacked_where_the_processor_has_kernels_for_it(core):
    """As under emulation: token_embd of Q6_K, which is the output matrix too, on Arm; nothing of it on x86."""
    layout = GRAVITON[core][2]
    arm = "q6_K_8x4" if core == "neoverse-n1" else "q6_K_8x8"
    seen = {layout: 112} if core == "zen3" else {layout: 112, arm: 1}
    found = verdict(kernel({"F32": 34, "Q4_0": 112, "Q6_K": 1}, **seen), machine(core), build(core), "Q4_0", {})
    assert found["state"] == AS_EXPECTED
    assert found["expected"].get("Q6_K") == (None if core == "zen3" else arm)


@pytest.mark.parametrize("core", GRAVITON)
def test_the_removed_type_of_a_processor_is_as_expected_with_its_instructions(core):
    legacy = GRAVITON[core][3]
    found = verdict(kernel({legacy: 112}), machine(core), old_build(core), legacy, {})
    assert (found["state"], found["expected"]) == (AS_EXPECTED, {legacy: legacy})


@pytest.mark.parametrize(
    ("core", "quantization", "changes", "why"),
    [
        ("neoverse-n1", "Q4_0_8_8", {}, "need SVE and MATMUL_INT8 or AVX2, which this build does not use"),
        ("neoverse-v1", "Q4_0_8_8", {"cpu_features": ["NEON"]}, "it computes in plain C"),
        ("neoverse-v1", "Q4_0_4_4", {}, "Q4_0_4_4 was made for another processor, Q4_0_8_8 for neoverse-v1"),
        ("neoverse-v2", "Q4_0_8_8", {}, "was made for another processor, Q4_0_4_8 for"),
    ],
)
def test_a_removed_type_on_the_wrong_processor_is_a_fallback(core, quantization, changes, why):
    found = verdict(kernel({quantization: 112}), machine(core), old_build(core, **changes), quantization, {})
    assert found["state"] == FALLBACK
    assert why in found["why"]
    assert found["remedy"]


def test_a_build_older_than_repacking_is_not_blamed_for_not_repacking():
    found = verdict(kernel({"Q4_0": 112}), machine("neoverse-v1"), old_build("neoverse-v1"), "Q4_0", {})
    assert found["state"] == AS_EXPECTED
    assert "older than repacking" in found["why"]


def test_tiles_come_before_repacking():
    flags = ["avx2", "avx512f", "amx_int8"]
    xeon = {"cpu_features": flags, "processor": {"title": "Sapphire Rapids", "q4_0_layout": "amx", "legacy_type": None}}
    used = {"cpu_features": ["AVX2", "AVX512", "AMX_INT8", "REPACK"], "cpu_features_unused": [], "file_types": []}
    lines = ["llama_model_loader: - type q4_0: 112 tensors", "llama_model_loader: - type q6_K: 1 tensors"]
    lines += [f"set_tensor: amx repack tensor blk.{i}.weight of type q4_0" for i in range(112)]
    log = parse_log("\n".join(lines))
    assert log["types"] == {"Q4_0": {"amx": 112}}
    assert log["repack"] == {"amx": 112}
    found = verdict(log, xeon, used, "Q4_0", {})
    assert (found["state"], found["expected"]) == (AS_EXPECTED, {"Q4_0": "amx", "Q6_K": "amx"})
    without = kernel({"F32": 33, "Q4_0": 112}, q4_0_8x8=112)
    found = verdict(without, xeon, {**used, "cpu_features": ["AVX2", "REPACK"]}, "Q4_0", {})
    assert found["state"] == FALLBACK
    assert "Q4_0 is repacked to q4_0_8x8 instead of amx; the build was compiled without AMX_INT8" in found["why"]
