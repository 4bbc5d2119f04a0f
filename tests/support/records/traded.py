# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records of one run that measured quality beside speed, memory and load time, and whether its builds agree.

The figures are written by hand, of the size that SmolLM2-135M gives on two cores; they describe no machine.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry as kinds
from ansible_collections.cloudbench.llama.plugins.module_utils.record.envelope import make, with_id

Record = dict[str, Any]

MACHINE = "local-amd-epyc"
MODEL = "smollm2-135m"
RUN = "20261130T080000Z-7a11"
PAGE = f"{MACHINE}/{MODEL}/quality.md"
LAUNCHES = 6
REFERENCE, TEXT = "F16", "alice29"
TESTS = ("pp512", "tg128", "load", "quality512x4", "agree128x2")

# How far a part of the text lies from the others, as ln(perplexity), and how far a launch, in per cent.
_PARTS = (0.0, 0.12, -0.08, 0.05, -0.11, 0.03)
_NOISE = (0.3, -0.4, 0.2, -0.1, 0.4, -0.4)
_PPL = 18.0


class Traded(NamedTuple):
    """A quantization in a build with its settings, and what is measured of it.

    `ratio` is that of its perplexity to the reference's, `spread` how far the parts lie around it, as ln; `kld` and
    `agree` are mean divergences in nat, from the reference and from the first build; `peak` is in MiB.
    """

    quantization: str
    ratio: float
    kld: float
    tg128: float
    pp512: float
    peak: int
    build: str = "default"
    variant: str = ""
    spread: float = 0.002
    agree: float = 0.0005
    top1: float = 90.0


TRADED = (
    Traded("F16", 1.0, 0.0, 60.0, 300.0, 400, spread=0.0, top1=100.0),
    Traded("Q8_0", 1.0004, 0.001, 95.0, 420.0, 290, spread=0.0005, top1=98.4),
    Traded("Q8_0", 1.0009, 0.0012, 96.0, 400.0, 270, variant="ctk=q8_0+ctv=q8_0", spread=0.0005, agree=0.03, top1=98.1),
    Traded("Q6_K", 1.012, 0.012, 90.0, 310.0, 250, top1=94.0),
    Traded("Q4_K_M", 1.08, 0.11, 110.0, 330.0, 210, top1=80.0),
    Traded("Q4_0", 1.18, 0.28, 130.0, 500.0, 220, top1=69.0),
    Traded("Q4_0", 1.95, 0.9, 190.0, 900.0, 220, build="fast", agree=0.61, top1=41.0),
)
# By quantization: bits per weight and bytes of the file.
_FILES = {"F16": (16.0, 270_885_408), "Q8_0": (8.5, 144_811_040), "Q6_K": (6.57, 138_383_392),
          "Q4_K_M": (4.85, 105_454_112), "Q4_0": (4.55, 91_727_392)}  # fmt: skip


def cell(traded: Traded, test: str) -> dict[str, Any]:
    """Return the cell of a combination and a test."""
    fields = kinds.parse_test(test)
    needs = kinds.kind_of(fields).needs
    return {
        "model": MODEL, "quantization": traded.quantization, "build": traded.build, "threads": 2, **fields,
        **({"variant": traded.variant} if traded.variant else {}),
        **({"reference": REFERENCE} if "reference" in needs else {}),
        **({"text": TEXT} if "text" in needs else {}),
    }  # fmt: skip


def _metrics(traded: Traded, test: str, number: int) -> dict[str, Any]:
    noise = 1 + _NOISE[(number - 1) % len(_NOISE)] / 100
    part = _PARTS[(number - 1) % len(_PARTS)]
    kind = kinds.kind_of({"test": test}).name
    if kind == "load":
        seconds = traded.peak / 400
        return {
            "load_cold_s": {"value": 2 * seconds * noise, "unit": "s"},
            "load_warm_s": {"value": seconds * noise, "unit": "s"},
        }
    if kind == "bench":
        name, mean = ("tg_tps", traded.tg128) if test.startswith("tg") else ("pp_tps", traded.pp512)
        return {name: {"value": mean * noise, "unit": "token/s"}}
    prefix = "agree_" if kind == "agree" else ""
    # The mean over the parts of _PARTS is 0, and so is that of what is added to ln of the ratio.
    ratio = (1.0 + traded.agree / 10 if prefix else traded.ratio) * math.exp(traded.spread * 10 * (part - _CENTRE))
    kld = traded.agree if prefix else traded.kld
    base = _PPL * math.exp(part)
    values = {
        "ppl": base * ratio, "ppl_base": base, "ppl_ratio": ratio, "kld_mean": kld * noise, "kld_median": kld / 3,
        "kld_p99": kld * 12, "top1_percent": traded.top1, "p_change_rms_percent": 20 * kld,
    }  # fmt: skip
    units = {"kld_mean": "nat", "kld_median": "nat", "kld_p99": "nat", "top1_percent": "%", "p_change_rms_percent": "%"}
    return {prefix + name: {"value": value, "unit": units.get(name, "1")} for name, value in values.items()}


_CENTRE = sum(_PARTS) / len(_PARTS)


def records(
    traded: tuple[Traded, ...] = TRADED,
    tests: tuple[str, ...] = TESTS,
    run: str = RUN,
    launches: int = LAUNCHES,
    widened_from: str = "",
    **plan: Any,
) -> list[Record]:
    """Return the records of a run of some combinations; `plan` is what its run record has besides."""
    machine = with_id(
        {"name": MACHINE, "architecture": "x86_64", "cpu_model": "AMD EPYC", "cpu_count": 2, "emulated": False}
    )
    builds = {each.build: with_id({"name": each.build, "source": {"name": each.build}}) for each in traded}
    models = {}
    for quantization in {each.quantization: None for each in traded} | {REFERENCE: None}:
        bits, size = _FILES[quantization]
        made = {"widened_from": widened_from} if widened_from and quantization == REFERENCE else {}
        models[quantization] = with_id(
            {
                "name": MODEL, "quantization": quantization, "file": f"{MODEL}-{quantization.lower()}.gguf",
                "sha256": "1" * 64, "bytes": size, "parameters": 134_515_008, "synthetic": False, "source": "a file",
                "architecture": "llama", "bits_per_weight": bits, **made,
            }
        )  # fmt: skip
    content = {
        "cells": [cell(each, test) for each in traded for test in tests],
        "launches": launches,
        "repetitions": 3,
        "seed": 7,
        "versions": {"collection": "0.2.0"},
        "emulated": False,
        "command": "ansible-playbook site.yml",
        **plan,
    }

    def kept(kind: str, payload: dict[str, Any], minute: int) -> Record:
        day = f"{run[:4]}-{run[4:6]}-{run[6:8]}"
        return dict(make(kind, run, MACHINE, payload), time=f"{day}T08:{minute:02d}:00Z")

    every = [kept("machine", machine, 0), kept("run", content, 0)]
    every += [kept("build", build, 1) for build in builds.values()]
    every += [kept("model", model, 2) for model in models.values()]
    first = next(iter(builds.values()))
    for number in range(1, launches + 1):
        for each in traded:
            for test in tests:
                asked = cell(each, test)
                predicted = {
                    "part": number, "tokens": 1020, "base_build": first["id"],
                    "base": models[REFERENCE if "reference" in asked else each.quantization]["id"],
                }  # fmt: skip
                launch = {
                    "cell": asked, "build": builds[each.build]["id"], "model": models[each.quantization]["id"],
                    "machine": machine["id"], "number": number, "block": number, "key": "k",
                    "metrics": {
                        **_metrics(each, test, number),
                        "rss_peak_bytes": {"value": each.peak * 2**20, "unit": "B"},
                    },
                    "gates": {"steal_percent": 0.0, "other_cpu_percent": 0.2},
                    "validity": {"state": "VALID", "reasons": []},
                    **({"predicted": predicted} if "text" in asked else {}),
                }  # fmt: skip
                every.append(kept("launch", launch, 2 + number))
    return every
