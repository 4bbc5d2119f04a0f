# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What programs print besides rows: logs, help, statistics, answers of our own program, and Ninja's progress."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from fuzz.strategies import as_json, as_lines, filled, numbers, objects, values
from fuzz.target import Target, fixture, fixtures, text_of
from hypothesis import strategies as st

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.batch import launch as batch
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.one_shot import OutputError
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.outcome import buffer_metrics
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.perplexity import launch as perplexity
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp import capabilities, kernel_path, log
from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.compile_progress import Progress
from ansible_collections.cloudbench.llama.plugins.module_utils.models import quantizations
from ansible_collections.cloudbench.llama.plugins.module_utils.probe import bandwidth, machine
from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope, json_text
from ansible_collections.cloudbench.llama.plugins.module_utils.system import process
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import progress as host_progress

_NOTHING = process.Usage(1.0, 1.0, 0.0, 1, 0, 0, 0, 0)


@cache
def _payloads() -> dict[str, Any]:
    """The payloads of a machine, a build and a launch, as the frozen records have them."""
    lines = fixture("records", "schema-2.jsonl").splitlines()
    return {record["kind"]: record["payload"] for record in map(json.loads, lines)}


def _log(data: bytes) -> None:
    """The log of a launch says buffers and layouts, and whether the fast kernels ran."""
    kernel = log.parse_log(text_of(data))
    envelope.canonical(buffer_metrics(kernel))
    held = _payloads()
    for quantization in ("Q4_0", "Q4_0_8_8"):
        told = kernel_path.verdict(kernel, held["machine"], held["build"], quantization, {"repack": None})
        envelope.canonical({**kernel, "path": told})
    told_to = {**held["build"], "engine": capabilities.IK_LLAMA_CPP}
    kernel_path.verdict(kernel, held["machine"], told_to, "Q4_0", {})


def _help(data: bytes) -> None:
    """A program of a build says its options, its version, its types and its features."""
    text = text_of(data)
    known = capabilities.options_of({"llama-bench": text})
    envelope.canonical(known)
    envelope.canonical(capabilities.parse_version(text))
    envelope.canonical(quantizations.listed(text))
    capabilities.refusal({"options": known}, "llama-bench", ["llama-bench", "-d", "1"], "the test load")
    envelope.canonical(machine.compare_features(text, ["avx2", "sve"]))
    process.last_words(text)
    process.reason(text)


def _perplexity(data: bytes) -> None:
    row = perplexity.parse(text_of(data))
    assert all(isinstance(value, float) for value in row.values())
    envelope.canonical(row)


_BATCH = {"n_prompt": 128, "n_gen": 64, "concurrency": 4}
_BATCH_ROW = (
    b'{"n_kv_max": 768, "n_batch": 2048, "n_ubatch": 512, "flash_attn": -1, "is_pp_shared": 0, "n_gpu_layers": -1, '
    b'"n_threads": 2, "n_threads_batch": 2, "pp": 128, "tg": 64, "pl": 4, "n_kv": 768, "t_pp": 0.2, '
    b'"speed_pp": 2560.1, '
    b'"t_tg": 0.5, "speed_tg": 512.0, "t": 0.7, "speed": 1097.1}\n'
)


def _batch(data: bytes) -> None:
    row = batch.parse(text_of(data), _BATCH)
    envelope.canonical(row)
    assert row["pl"] * row["tg"] / row["speed_tg"] >= 0


_MACHINE = {"id": "0123456789ab", "caches": {"L3": 32 << 20}, "memory_bytes": 8 << 30}
_SIZE = bandwidth.array_bytes(_MACHINE)


def _roofline(data: bytes) -> None:
    """Our own program says the bandwidth of the memory."""
    done = process.Finished([], text_of(data), "", 0, None, False, False, _NOTHING)
    payload = bandwidth.measure("llama-roofline", 2, _MACHINE, {}, 2, run=lambda _argv, _environment: done)
    envelope.canonical(payload)


_ROOFLINE = json.dumps(
    {
        "threads": 2, "bytes": _SIZE, "read_gb_s": [20.5, 21.0], "triad_gb_s": [15, 16.25], "fma_gflops": [100.0, 99],
        "huge_pages": True,
    }
).encode()  # fmt: skip


def _ninja(data: bytes) -> None:
    lines = text_of(data).splitlines()
    for progress in (Progress(), Progress(lines[:20])):
        for line in lines:
            progress.take(line)
            state = progress.state(20.0)
            assert state["left_s"] is None or state["left_s"] >= 0
        json.dumps(progress.state(1e6), allow_nan=False)


def _progress(data: bytes) -> None:
    """What a host writes of how far it is becomes a line of the controller's terminal."""
    state = json_text.loads(data.decode("utf-8", "replace"))
    if isinstance(state, dict):
        for tell in (host_progress.describe, host_progress.describe_compilation):
            try:
                line = tell(state)
            except host_progress.ProgressError:
                continue
            assert line.isprintable()
            assert len(line) < 2000


_CELL = {
    "model": "m",
    "quantization": "Q4_0",
    "build": "default",
    "threads": 2,
    "test": "pp512",
    "n_prompt": 512,
    "n_gen": 0,
    "n_depth": 0,
}
_STATE = {
    "pid": 12, "done": 3, "of": 84, "now": _CELL, "stage": "", "left_s": 120.5, "failed": [], "out_of_time": 0,
    "figures": [{"cell": _CELL, "interval": [17.2, 16.1, 18.4, 5, 7.2]}],
}  # fmt: skip
_STATES = [
    _STATE,
    {**_STATE, "finished": True, "failed": [1]},
    {**_STATE, "now": None},
    {**_STATE, "stage": "search", "gain": 1.2},
    {**_STATE, "stage": "duets", "against": _CELL, "ratio": [1.01, 0.9, 1.1, 4, 2.0]},
    {"pid": 1, "of": 134, "done": 53, "left_s": 3},
]

TARGETS = (
    Target(
        "log",
        _log,
        (),
        lambda: fixtures("llama-bench/*.log"),
        (
            "buffer size = ",
            " MiB",
            "CPU_REPACK",
            "repack tensor x with q4_0_8x8",
            "load_tensors: ",
            "constructing llama_context",
            "============ Repacked 112 tensors",
            "llama_model_loader: - type q4_0:  113 tensors",
        ),
        share=2,
        strategy=lambda: as_lines(
            filled(
                [
                    "load_tensors: @ model buffer size = # MiB",
                    "repack tensor @ with @",
                    "llama_model_loader: - type @: # tensors",
                    "=== Repacked # tensors",
                    "amx repack tensor @ of type @",
                    "llama_context: @ KV buffer size = # MiB",
                    "loaded meta data with # key",
                    "constructing llama_context",
                    "@",
                ]
            )
        ),
    ),
    Target(
        "help",
        _help,
        (),
        lambda: [
            *(data[:2500] for data in fixtures("help/*.txt")),
            *(data[:2500] for data in fixtures("llama-quantize/*.txt")),
            b"version: 3826 (ea9c32be)\n",
            b"version: 0.5.0 (build 0, commit 0c1e57098)\nbuilt with cc",
            b"CPU : AVX = 1 | AVX2 = 1 | SVE_CNT = 32 |",
        ],
        ("usage:", "--x-y", "-m,", "version: 1 (a)", "AVX2 = 0", " 2  or  Q4_0 : "),
        share=0.6,
    ),
    Target(
        "perplexity",
        _perplexity,
        (OutputError,),
        lambda: fixtures("perplexity/*.txt"),
        ("Mean PPL(Q)", "±", ": ", "nan", "-inf", "1e400", "Same top p: 1 %", "Mean    KLD: "),
        share=10,
        strategy=lambda: as_lines(
            filled(
                [
                    "Mean PPL(Q) : # ± #",
                    "Mean PPL(base) : #",
                    "Mean PPL(Q)/PPL(base) : #",
                    "Mean KLD: #",
                    "Median KLD: #",
                    "99.0% KLD: #",
                    "RMS Δp : # ± # %",
                    "Same top p: # %",
                ]
            ),
            12,
        ),
    ),
    Target(
        "batched-bench",
        _batch,
        (OutputError,),
        lambda: [_BATCH_ROW, 3 * _BATCH_ROW, b"log line\n" + _BATCH_ROW],
        ('{"n_kv_max"', '"pp": 128', '"speed_tg": '),
        share=10,
        strategy=lambda: objects(
            {"pp": st.just(128), "tg": st.just(64), "pl": st.just(4), "speed_pp": numbers(), "speed_tg": numbers()}
        ).map(lambda row: json.dumps({"n_kv_max": 1, **row}).encode()),
    ),
    Target(
        "roofline",
        _roofline,
        (bandwidth.BandwidthError,),
        lambda: [_ROOFLINE],
        ("read_gb_s", "threads", "bytes"),
        share=10,
        strategy=lambda: as_json(
            objects(
                {
                    "threads": st.just(2),
                    "bytes": st.just(_SIZE),
                    **dict.fromkeys(("read_gb_s", "triad_gb_s", "fma_gflops"), st.lists(numbers(), max_size=3)),
                }
            )
        ),
    ),
    Target(
        "progress",
        _progress,
        (ValueError,),
        lambda: [json.dumps(state).encode() for state in _STATES],
        ("now", "figures", "interval", "ratio", "gain", "stage", "duets", "left_s", "of", "done"),
        share=6,
        strategy=lambda: as_json(
            objects(
                {
                    "now": values(),
                    "figures": st.lists(values(), max_size=2),
                    "done": numbers(),
                    "of": numbers(),
                    "left_s": numbers(),
                    "stage": st.sampled_from(["duets", "choosing threads"]),
                    "ratio": values(),
                    "gain": numbers(),
                }
            )
        ),
    ),
    Target(
        "ninja",
        _ninja,
        (),
        lambda: [data[:1500] for data in fixtures("compile/*.txt")],
        ("[1/2] ", "[0/0] ", "[5/3] x", "Re-running CMake...", "Linking", "/ggml-cpu.dir/"),
        share=6,
        strategy=lambda: as_lines(filled(["[#/#] Building CXX object @", "[#/#] Linking @", "@"])),
    ),
)
