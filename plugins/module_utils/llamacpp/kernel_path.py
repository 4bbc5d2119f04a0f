# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a launch ran on the kernels that its processor has: expected from processor and file, seen in the log.

llama.cpp falls back silently: a build without the right -march, a switch or a shape that does not divide costs half of
the speed and changes no figure that it prints.
"""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp import capabilities
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.log import (
    AMX,
    KLEIDIAI,
    RUN_TIME,
    in_kleidiai,
)
from ansible_collections.cloudbench.llama.plugins.module_utils.models.quantizations import BY_NAME
from ansible_collections.cloudbench.llama.plugins.module_utils.probe.machine import PROCESSOR_FLAGS

AS_EXPECTED, FALLBACK, UNKNOWN = "as expected", "fallback", "unknown"
# Repacking was turned off on purpose: no fallback that anybody has to be warned of.
SWITCHED_OFF = "switched off"

# The embedding and the output matrix may stay as they are in the file: they are looked up, or shared.
_APART = 2


class _Rule(NamedTuple):
    """A layout of a tensor type and the processor flags it needs; `sve_bytes` is the vector length it needs, if any."""

    layout: str
    flags: Tuple[str, ...]
    sve_bytes: Optional[int] = None


# Tensor type -> layouts, the first that a processor can run is used.
# Source: ggml_repack_get_optimal_repack_type in ggml/src/ggml-cpu/repack.cpp of llama.cpp 0c1e57098. AVX512 there is
# avx512f, matmul_int8 i8mm, dotprod asimddp, neon asimd of /proc/cpuinfo; QK8_0 is 32.
_RULES: Dict[str, Tuple[_Rule, ...]] = {
    "Q4_0": (
        _Rule("q4_0_8x8", ("avx2",)),
        _Rule("q4_0_8x8", ("sve", "i8mm"), 32),
        _Rule("q4_0_4x8", ("asimd", "i8mm")),
        _Rule("q4_0_4x4", ("asimd", "asimddp")),
    ),
    "Q4_K": (
        _Rule("q4_K_8x8", ("avx2",)),
        _Rule("q4_K_8x8", ("asimd", "i8mm")),
        _Rule("q4_K_8x4", ("asimd", "asimddp")),
    ),
    "Q5_K": (_Rule("q5_K_8x8", ("asimd", "i8mm")), _Rule("q5_K_8x4", ("asimd", "asimddp"))),
    "Q6_K": (_Rule("q6_K_8x8", ("asimd", "i8mm")), _Rule("q6_K_8x4", ("asimd", "asimddp"))),
    "Q2_K": (_Rule("q2_K_8x8", ("avx512f",)),),
    "IQ4_NL": (_Rule("iq4_nl_8x8", ("avx2",)), _Rule("iq4_nl_4x4", ("asimd", "asimddp"))),
    "MXFP4": (_Rule("mxfp4_8x8", ("avx2",)), _Rule("mxfp4_4x4", ("asimd", "asimddp"))),
    "Q8_0": (_Rule("q8_0_4x8", ("asimd", "i8mm")), _Rule("q8_0_4x4", ("asimd", "asimddp"))),
    "Q1_0": (_Rule("q1_0_4x8", ("asimd", "i8mm")), _Rule("q1_0_4x4", ("asimd", "asimddp"))),
}

# What goes to the tiles of a processor with AMX, before any repacking: qtype_has_amx_kernels in
# ggml/src/ggml-cpu/amx/common.h.
_AMX_TYPES = ("Q4_0", "Q4_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K", "IQ4_XS")

# Tensor type -> the type that ik_llama.cpp makes of it when it is told to, on every processor, of the types that
# llama.cpp has too. The embedding stays as it is, also where it is the output matrix. Source: get_repack_info and
# is_forbidden_tensor in ggml/src/iqk/iqk_quantize.cpp of ik-llama-cpp-python 0.1.5.
_RUN_TIME_TYPES = {
    "Q4_0": "q4_0_r8", "Q5_0": "q5_0_r4", "Q8_0": "q8_0_r8", "Q2_K": "q2_k_r4", "Q3_K": "q3_k_r4", "Q4_K": "q4_k_r4",
    "Q5_K": "q5_k_r4", "Q6_K": "q6_k_r4", "IQ2_XXS": "iq2_xxs_r4", "IQ2_XS": "iq2_xs_r4", "IQ2_S": "iq2_s_r4",
    "IQ3_XXS": "iq3_xxs_r4", "IQ3_S": "iq3_s_r4", "IQ4_XS": "iq4_xs_r8", "IQ4_NL": "iq4_nl_r4",
}  # fmt: skip

# What a build from before run-time repacking must have been compiled for, by file type, or its kernels are plain C.
# Source: ggml/src/ggml-aarch64.c of b3826. Names of the system info line, any one set of them.
_LEGACY_FEATURES: Dict[str, Tuple[Tuple[str, ...], ...]] = {
    "Q4_0_4_4": (("NEON",),),
    "Q4_0_4_8": (("NEON", "MATMUL_INT8"),),
    "Q4_0_8_8": (("SVE", "MATMUL_INT8"), ("AVX2",)),
}


def expected_layout(tensor_type: str, flags: Sequence[str], sve_bytes: Optional[int]) -> Optional[str]:
    """Return the layout that llama.cpp repacks tensors of a type to on a processor, None when it leaves them.

    `flags` are those of /proc/cpuinfo, `sve_bytes` the length of an SVE vector, None without SVE.
    """
    for rule in _RULES.get(tensor_type, ()):
        if set(rule.flags) <= set(flags) and rule.sve_bytes in (None, sve_bytes):
            return rule.layout
    return None


def expectation(machine: Dict[str, Any], tensor_types: Sequence[str]) -> Dict[str, str]:
    """Return {tensor type: layout} of what `machine`, the payload of its record, is expected to use.

    For Q4_0 the catalog's word counts where it knows the processor: what it says of a processor is what a person chose
    it for, and a flag that is hidden (by an emulation, by a kernel) must not lower what is expected.
    """
    flags = machine.get("cpu_features") or []
    layouts = {kind: expected_layout(kind, flags, machine.get("sve_bytes")) for kind in tensor_types}
    known = (machine.get("processor") or {}).get("q4_0_layout")
    if known == AMX:
        layouts.update((kind, AMX) for kind in tensor_types if kind in _AMX_TYPES)
    elif known and "Q4_0" in layouts:
        layouts["Q4_0"] = known
    return {kind: layout for kind, layout in layouts.items() if layout}


def _verdict(
    state: str, expected: Dict[str, str], why: Optional[str] = None, remedy: Optional[str] = None
) -> Dict[str, Any]:
    return {"state": state, "expected": expected, "why": why, "remedy": remedy}


def verdict(
    kernel: Dict[str, Any],
    machine: Dict[str, Any],
    build: Dict[str, Any],
    quantization: str,
    row: Dict[str, Any],
) -> Dict[str, Any]:
    """Return {"state", "expected": {type: layout}, "why", "remedy"} of a launch; the states are the names above.

    `kernel` is what parse_log() made of its log, `row` its llama-bench row, the others are payloads of records. `why`
    and `remedy` are sentences, None where there is nothing to say.
    """
    if _is_told(build):
        return _told(kernel, row)
    known = BY_NAME.get(quantization)
    if known and known.legacy:
        return _legacy(machine, build, quantization)
    if _before_repacking(build):
        why = "this build is older than repacking at run time (b4081, 2024-11-15): it computes on the file's own layout"
        return _verdict(AS_EXPECTED, {}, why)
    if not kernel["tensors"]:
        return _silent()
    expected = _with_kleidiai(expectation(machine, sorted(kernel["tensors"])), kernel, build)
    wrong = _differences(kernel, expected)
    choice = _choice(build, row)
    if wrong and choice:
        return _verdict(SWITCHED_OFF, expected, choice)
    if wrong:
        why, remedy = _reason(machine, build, expected)
        return _verdict(FALLBACK, expected, "%s; %s" % ("; ".join(wrong), why), remedy)
    if machine.get("processor") is None:
        why = "the processor is not in the catalog; this is what its flags lead one to expect"
        return _verdict(AS_EXPECTED if expected else UNKNOWN, expected, why)
    return _verdict(AS_EXPECTED, expected)


def _with_kleidiai(expected: Dict[str, str], kernel: Dict[str, Any], build: Dict[str, Any]) -> Dict[str, str]:
    """Return what is expected of a build with KleidiAI, whose buffer goes before any repacking.

    Its plainest kernels need dotprod, as repacking does on Arm. Of Q4_0 it has kernels in all versions of llama.cpp, of
    Q8_0 only where the log shows that. What is repacked beside it, such as experts, is judged as without KleidiAI.
    """
    taken, types = in_kleidiai(kernel), kernel["types"]
    due = {kind for kind in taken if not types.get(kind)}
    if "KLEIDIAI" in (build.get("cpu_features") or []) and not taken:
        due.add("Q4_0")
    return {kind: KLEIDIAI if kind in due else layout for kind, layout in expected.items()}


def _silent() -> Dict[str, Any]:
    return _verdict(UNKNOWN, {}, "the log of llama-bench names no tensors", "Check that the build is llama.cpp's.")


def _is_told(build: Dict[str, Any]) -> bool:
    """Say whether a build repacks when it is told to, as ik_llama.cpp does, and says how much and not to what."""
    ik = build.get("engine") == capabilities.IK_LLAMA_CPP
    return ik or bool(capabilities.knows(build, "llama-bench", capabilities.RUN_TIME_REPACK))


def _told(kernel: Dict[str, Any], row: Dict[str, Any]) -> Dict[str, Any]:
    """Return the verdict on a launch of ik_llama.cpp, by how many tensors it has repacked."""
    tensors = kernel["tensors"]
    if not tensors:
        return _silent()
    expected = {kind: _RUN_TIME_TYPES[kind] for kind in sorted(tensors) if kind in _RUN_TIME_TYPES}
    there, seen = sum(tensors[kind] for kind in expected), kernel["repack"].get(RUN_TIME, 0)
    if there - seen <= _APART:
        return _verdict(AS_EXPECTED, expected)
    if row.get("repack") in (False, 0):
        return _verdict(SWITCHED_OFF, expected, "llama-bench was not told --run-time-repack 1")
    return _verdict(
        FALLBACK,
        expected,
        "%d of %d tensors of %s are repacked; ik_llama.cpp does not say which, nor why not"
        % (seen, there, ", ".join(expected)),
        "Compare with iqk_repack_tensor in ggml/src/iqk/iqk_quantize.cpp of this build: the rows have to divide.",
    )


def _before_repacking(build: Dict[str, Any]) -> bool:
    """Say whether a build still has the file types that run-time repacking replaced, and does not repack."""
    legacy = [name for name in build.get("file_types") or [] if name in BY_NAME and BY_NAME[name].legacy]
    return bool(legacy) and "REPACK" not in (build.get("cpu_features") or [])


def _differences(kernel: Dict[str, Any], expected: Dict[str, str]) -> List[str]:
    """Return what differs from what is expected, a clause for each tensor type."""
    clauses = []
    taken = in_kleidiai(kernel)
    for kind, layout in sorted(expected.items()):
        seen = kernel["types"].get(kind, {})
        there = kernel["tensors"].get(kind, 0) - taken.get(kind, 0)
        others = sorted(set(seen) - {layout})
        if others:
            clauses.append("%s is repacked to %s instead of %s" % (kind, ", ".join(others), layout))
        elif there - seen.get(layout, 0) > _APART:
            done = "%d of %d tensors" % (seen[layout], there) if seen else "not repacked at all"
            clauses.append("%s should be repacked to %s: %s" % (kind, layout, done))
    return clauses


def _choice(build: Dict[str, Any], row: Dict[str, Any]) -> Optional[str]:
    """Return by whose word weights are not repacked, None when nobody said so."""
    if row.get("repack") in (False, 0):
        return "llama-bench was told --repack 0"
    if "-DGGML_CPU_REPACK=OFF" in (build.get("cmake_arguments") or []):
        return "the build option GGML_CPU_REPACK is off"
    return None


def _reason(machine: Dict[str, Any], build: Dict[str, Any], expected: Dict[str, str]) -> Tuple[str, str]:
    """Return why a launch fell back, as far as the build tells, and what to do."""
    unused = build.get("cpu_features_unused") or []
    if unused:
        return (
            "the build does not use %s, which the processor has (-march %s)"
            % (", ".join(unused), build.get("march") or "unknown"),
            "Build for this processor: llama_cpp_processor empty and no march of your own; or take a newer compiler.",
        )
    matters = ("MATMUL_INT8", "SVE", "DOTPROD", "AMX_INT8", "AVX2")
    lost = [name for name in matters if _has(machine, name) and not _used(build, name)]
    if lost:
        return (
            "the build was compiled without %s" % ", ".join(lost),
            "Build for this processor: llama_cpp_processor empty and no march of your own; or take a newer compiler.",
        )
    if KLEIDIAI in expected.values():
        return (
            "KleidiAI is compiled in, and the log names no buffer CPU_KLEIDIAI",
            "Compare with get_tensor_traits in ggml/src/ggml-cpu/kleidiai/kleidiai.cpp of the commit of this build.",
        )
    return (
        "the build uses what the processor has, so the shapes do not divide, or this llama.cpp chooses otherwise",
        "Compare with ggml/src/ggml-cpu/repack.cpp of the commit of this build.",
    )


def _has(machine: Dict[str, Any], feature: str) -> bool:
    return PROCESSOR_FLAGS[feature] in (machine.get("cpu_features") or [])


def _used(build: Dict[str, Any], feature: str) -> bool:
    return feature in (build.get("cpu_features") or [])


def _legacy(machine: Dict[str, Any], build: Dict[str, Any], quantization: str) -> Dict[str, Any]:
    """Return the verdict on a removed file type, which carries its layout itself.

    What can go wrong is the wrong type, or a build without its instructions, which then computes in plain C.
    """
    known = machine.get("processor") or {}
    suited = known.get("legacy_type")
    expected = {quantization: suited} if suited else {}
    used = set(build.get("cpu_features") or [])
    needed = _LEGACY_FEATURES[quantization]
    if not any(set(names) <= used for names in needed):
        words = " or ".join(" and ".join(names) for names in needed)
        return _verdict(
            FALLBACK,
            expected,
            "the kernels of %s need %s, which this build does not use: it computes in plain C" % (quantization, words),
            "Measure %s on this processor." % suited if suited else "Measure Q4_0 with a current build.",
        )
    if suited is None:
        return _verdict(UNKNOWN, expected, "no removed file type is known to suit this processor")
    if suited != quantization:
        return _verdict(
            FALLBACK,
            expected,
            "%s was made for another processor, %s for %s" % (quantization, suited, known.get("title") or "this one"),
            "Measure %s, or Q4_0 with a current build, which repacks it for this processor." % suited,
        )
    if quantization == "Q4_0_8_8" and "SVE" in used and machine.get("sve_bytes") not in (None, 32):
        return _verdict(
            FALLBACK,
            expected,
            "its SVE kernels need vectors of 32 bytes, this processor has %d" % machine["sve_bytes"],
            "Measure Q4_0_4_8.",
        )
    return _verdict(AS_EXPECTED, expected)
