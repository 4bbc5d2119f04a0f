# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records of one run that measured quantizations and builds side by side, with everything schema 1 has come to hold.

The figures are written by hand, of the size that a c7g.16xlarge gives; they describe no machine.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.kernel_path import AS_EXPECTED, FALLBACK
from ansible_collections.cloudbench.llama.plugins.module_utils.record.envelope import make, with_id

Record = dict[str, Any]

MACHINE = "gv3-c7g-16xlarge"
MODEL = "llama-3.1-8b-synthetic"
RUN = "20261124T150000Z-51de"
PAGE = f"{MACHINE}/{MODEL}/README.md"
LAUNCHES = 6
TESTS = {"pp512": (512, 0), "tg128": (0, 128)}

# How far a block and a launch lie from the mean, in per cent: blocks drift far more than launches of one block differ.
_DRIFT = (0.0, 2.0, -1.5, 1.0, -2.0, 0.5)
_NOISE = (0.1, -0.2, 0.15, -0.1, 0.05, 0.0, -0.15)

_OFF = "the build option GGML_CPU_REPACK is off"


class Combination(NamedTuple):
    """A quantization in a build: token/s of prompt and generation, layouts, tensors of the file and the verdict."""

    quantization: str
    build: str
    pp512: float
    tg128: float
    types: dict[str, dict[str, int]]
    tensors: dict[str, int]
    state: str = AS_EXPECTED
    why: str | None = None
    remedy: str | None = None


COMBINATIONS = (
    Combination("Q4_0", "default", 285.8, 43.43, {"Q4_0": {"q4_0_8x8": 224}}, {"F32": 66, "Q4_0": 225, "Q6_K": 1}),
    Combination(
        "Q4_0", "no-repack", 181.5, 30.2, {}, {"F32": 66, "Q4_0": 225, "Q6_K": 1}, FALLBACK,
        f"Q4_0 should be repacked to q4_0_8x8: not repacked at all; {_OFF}",
        "That is this build's purpose; for speed measure the build `default`.",
    ),
    Combination("Q4_0", "lto", 286.1, 43.41, {"Q4_0": {"q4_0_8x8": 224}}, {"F32": 66, "Q4_0": 225, "Q6_K": 1}),
    Combination("Q4_0_8_8", "legacy", 282.8, 44.67, {}, {"F32": 66, "Q4_0_8X8": 225, "Q6_K": 1}),
    Combination(
        "Q4_K_M", "default", 240.3, 40.12, {"Q4_K": {"q4_K_8x8": 192}, "Q6_K": {"q6_K_8x8": 32}},
        {"F32": 66, "Q4_K": 193, "Q6_K": 33},
    ),
)  # fmt: skip

_MARCH = "armv8.4-a+sve+i8mm+bf16+dotprod+fp16"
_FEATURES = ["NEON", "ARM_FMA", "FP16_VA", "MATMUL_INT8", "SVE", "DOTPROD", "OPENMP", "REPACK"]
_BYTES = {
    "Q4_0": 4_652_990_000, "Q4_0_8_8": 4_652_990_000, "Q4_K_M": 4_920_734_272, "Q8_0": 8_540_771_072,
    "MXFP4_MOE": 8_540_771_072,
}  # fmt: skip
_SOURCES = {
    "default": ("llama-cpp-python 0.3.36", "0c1e57098"),
    "legacy": ("llama-cpp-python 0.3.0", "ea9c32be71b9"),
}

_MACHINE_PAYLOAD = {
    "name": MACHINE,
    "architecture": "aarch64",
    "cpu_model": None,
    "cpu_implementer": "0x41",
    "cpu_part": "0xd40",
    "cpu_count": 64,
    "physical_cores": 64,
    "sockets": 1,
    "numa_nodes": 1,
    "cpu_features": ["asimd", "asimddp", "asimdhp", "bf16", "i8mm", "sve"],
    "sve_bytes": 32,
    "memory_bytes": 133_143_986_176,
    "instance": {
        "type": "c7g.16xlarge",
        "id": "i-0123456789abcdef0",
        "zone": "eu-central-1a",
        "image": None,
        "life_cycle": "spot",
    },
    "emulated": False,
    "processor": {
        "name": "Graviton3",
        "core": "neoverse-v1",
        "title": "Arm Neoverse V1",
        "recognised_by": "instance type c7g.16xlarge",
        "q4_0_layout": "q4_0_8x8",
        "legacy_type": "Q4_0_8_8",
        "vector": "SVE, 256 bits, with i8mm and bf16",
        "bandwidth_gb_s": 307.2,
        "march": _MARCH,
        "mcpu": "neoverse-v1",
    },
}


def _build(name: str) -> dict[str, Any]:
    source, commit = _SOURCES["legacy" if name == "legacy" else "default"]
    removed = ["Q4_0_4_4", "Q4_0_4_8", "Q4_0_8_8"] if name == "legacy" else []
    warnings = ["GCC 12 knows no `neoverse-v2`, GCC 13 does: built for `armv8.4-a` instead, which loses SVE2"]
    return with_id(
        {
            "name": name,
            "source": {"name": source, "type": "pypi", "version": source.split()[1], "commit": commit},
            "way": "cross",
            "core": "neoverse-v1",
            "compiler": "aarch64-linux-gnu-g++ (Debian 12.2.0-14) 12.2.0",
            "cmake": "3.25.1",
            "cmake_arguments": ["-DGGML_NATIVE=OFF", f"-DGGML_CPU_ARM_ARCH={_MARCH}"],
            "compile_flags": ["-O3", f"-march={_MARCH}"],
            "march": _MARCH,
            "warnings": warnings if name == "lto" else [],
            "system_info": "CPU : " + " | ".join(f"{feature} = 1" for feature in _FEATURES) + " |",
            "cpu_features": _FEATURES,
            "cpu_features_unused": [],
            "file_types": ["F16", "Q4_0", *removed, "Q4_K_M", "Q8_0"],
            "binaries": {"llama-bench": "0" * 64},
        }
    )


def _model(quantization: str) -> dict[str, Any]:
    return with_id(
        {
            "name": MODEL,
            "quantization": quantization,
            "file": f"{MODEL}-{quantization.lower()}.gguf",
            "sha256": "1" * 64,
            "bytes": _BYTES[quantization],
            "parameters": 8_030_261_312,
            "synthetic": True,
            "source": "generated, seed 1",
            "architecture": "llama",
        }
    )


def cell(combination: Combination, test: str) -> dict[str, Any]:
    """Return the cell of a combination and test."""
    n_prompt, n_gen = TESTS[test]
    return {
        "model": MODEL,
        "quantization": combination.quantization,
        "build": combination.build,
        "threads": 64,
        "test": test,
        "n_prompt": n_prompt,
        "n_gen": n_gen,
        "n_depth": 0,
    }


def as_variant(every: list[Record], build: str, variant: str) -> list[Record]:
    """Return records in which what one build was is a variant of the build `default`, under its model and build."""
    ids = {record["payload"]["name"]: record["payload"]["id"] for record in every if record["kind"] == "build"}
    for record in every:
        payload = record["payload"]
        for cell in [*payload.get("cells", []), payload.get("cell") or {}]:
            if cell.get("build") == build:
                cell.update(build="default", variant=variant)
        if payload.get("build") == ids[build]:
            payload["build"] = ids["default"]
    return every


def speed(mean: float, place: int, block: int) -> float:
    """Return the token/s of the launch of one cell, the `place`-th of its block, in `block` (from 1)."""
    percent = _DRIFT[(block - 1) % len(_DRIFT)] + _NOISE[(block * (place + 2) + place) % len(_NOISE)]
    return round(mean * (1 + percent / 100), 4)


def _kernel(combination: Combination) -> dict[str, Any]:
    repacked = {layout: count for layouts in combination.types.values() for layout, count in layouts.items()}
    size = _BYTES[combination.quantization]
    buffers = [{"name": "CPU_Mapped", "use": "model", "bytes": size}]
    if repacked:
        buffers.append({"name": "CPU_REPACK", "use": "model", "bytes": size * 9 // 10})
    return {
        "buffers": buffers,
        "repack": repacked,
        "types": copy.deepcopy(combination.types),
        "tensors": dict(combination.tensors),
        "path": {
            "state": combination.state,
            "expected": {"Q4_0": "q4_0_8x8"},
            "why": combination.why,
            "remedy": combination.remedy,
        },
    }


def records(
    combinations: tuple[Combination, ...] = COMBINATIONS, run: str = RUN, machine: dict[str, Any] | None = None
) -> list[Record]:
    """Return the records of a run of `combinations` on one machine, each a copy of its own."""
    payload = with_id(copy.deepcopy(machine or _MACHINE_PAYLOAD))
    day = f"{run[:4]}-{run[4:6]}-{run[6:8]}"
    plan = {
        "cells": [cell(one, test) for one in combinations for test in TESTS],
        "launches": LAUNCHES,
        "repetitions": 3,
        "seed": 7,
        "versions": {"ansible_core": "2.19.14", "collection": "0.2.0", "python": "3.11.7"},
        "emulated": bool(payload["emulated"]),
        "command": """ansible-playbook site.yml -e '{"llama_model_quantizations": ["Q4_0", "legacy"]}'""",
    }

    def kept(kind: str, content: dict[str, Any], minute: int) -> Record:
        record = make(kind, run, payload["name"], content)
        return dict(record, time=f"{day}T15:{minute:02d}:00Z")

    builds = {one.build: _build(one.build) for one in combinations}
    models = {one.quantization: _model(one.quantization) for one in combinations}
    found = [kept("machine", payload, 0), kept("run", plan, 0)]
    found += [kept("build", build, 1) for build in builds.values()]
    found += [kept("model", model, 2) for model in models.values()]
    for block in range(1, LAUNCHES + 1):
        for place, (one, test) in enumerate((one, test) for one in combinations for test in TESTS):
            name = "pp_tps" if TESTS[test][0] else "tg_tps"
            figure = speed(one.pp512 if name == "pp_tps" else one.tg128, place, block)
            kernel = _kernel(one)
            sizes = {buffer["name"]: buffer["bytes"] for buffer in kernel["buffers"]}
            launch = {
                "cell": cell(one, test),
                "build": builds[one.build]["id"],
                "model": models[one.quantization]["id"],
                "machine": payload["id"],
                "number": block,
                "block": block,
                "position": place + 1,
                "argv": ["llama-bench", "-m", f"{one.quantization}.gguf", "-t", "64"],
                "metrics": {
                    name: {"value": figure, "unit": "token/s", "samples": [figure]},
                    "rss_peak_bytes": {"value": sum(sizes.values()) + 400_000_000, "unit": "B"},
                    "model_buffer_bytes": {"value": sizes["CPU_Mapped"], "unit": "B"},
                    "repack_buffer_bytes": {"value": sizes.get("CPU_REPACK", 0), "unit": "B"},
                },
                "kernel": kernel,
                "rows": [{"load_mode": "mmap"}],
                "gates": {"steal_percent": 0.0, "other_cpu_percent": 0.2},
                "validity": {"state": "VALID", "reasons": []},
                "key": f"{one.quantization}-{one.build}-{test}",
            }
            found.append(kept("launch", launch, 2 * block + 3))
    return found


def duets(every: list[Record], a: Combination, b: Combination, test: str, ratios: Iterable[float]) -> list[Record]:
    """Return a duet of two combinations of a run, a pair for each of the ratios B/A; 0 is a pair that was spoiled."""
    ids = {
        kind: {record["payload"]["name" if kind == "build" else "quantization"]: record["payload"]["id"]
               for record in every if record["kind"] == kind}
        for kind in ("build", "model")
    }  # fmt: skip
    found = []

    def part(cpus: list[int], tps: float) -> dict[str, Any]:
        return {
            "cpus": cpus, "start_s": 0.0, "computed_s": [1.0, 3.0], "argv": ["llama-bench"], "used": [0], "tps": tps,
            "metrics": {"pp_tps" if TESTS[test][0] else "tg_tps": {"value": tps, "unit": "token/s"}}, "overlap": 1.0,
            "rows": [{"samples_ns": [2 * 10**9], "samples_ts": [tps]}],
        }  # fmt: skip

    for number, ratio in enumerate(ratios, start=1):
        state = {"state": "VALID" if ratio else "INVALID", "reasons": [] if ratio else ["major_faults = 99, above 50"]}
        both = {
            "a": part([0], 20.0), "b": part([1], 20.0 * (ratio or 1)), "overlap": 1.0,
            "log_ratio": math.log(ratio or 1), "gates": {"other_cpu_percent": 7.5}, "validity": state,
        }  # fmt: skip
        sides = {
            name: {
                "cell": {**cell(one, test), "threads": 32},
                "build": ids["build"][one.build],
                "model": ids["model"][one.quantization],
            }
            for name, one in (("a", a), ("b", b))
        }
        payload = {
            **sides,
            "machine": next(record["payload"]["id"] for record in every if record["kind"] == "machine"),
            "number": number,
            "rounds": [both, both],
            "log_ratio": math.log(ratio or 1),
            "validity": state,
        }
        plan = next(record for record in every if record["kind"] == "run")
        found.append(dict(make("duet", plan["run"], plan["machine"], payload), time=plan["time"]))
    return found
