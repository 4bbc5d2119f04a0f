# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person writes: role variables, tests, settings, selections, and names that become files."""

from __future__ import annotations

import json
import os
from typing import Any

from fuzz.families.models import _NotJsonError, _values
from fuzz.strategies import TEXT, as_json, filled, numbers, objects, values
from fuzz.target import Target
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry, variant
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings
from ansible_collections.cloudbench.llama.plugins.module_utils.probe import machine
from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope
from ansible_collections.cloudbench.llama.plugins.module_utils.system import environment
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import compare, summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics, prices
from ansible_collections.cloudbench.llama.plugins.plugin_utils.imports import instance, names, sources
from ansible_collections.cloudbench.llama.plugins.plugin_utils.imports.forms import ImportFailed
from ansible_collections.cloudbench.llama.plugins.plugin_utils.request import (
    advice,
    arguments,
    run_request,
    tune_request,
)
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records


def _raw(data: bytes) -> str:
    """Return what stands on a command line: any bytes."""
    return data.decode("utf-8", "surrogateescape")


def _test(data: bytes) -> None:
    """The name of a test: what it stands for says the same name again."""
    text = _raw(data)
    cell = registry.parse_test(text)
    kind = registry.kind_of(cell)
    again = {**cell, "test": kind.text(cell)}
    assert registry.parse_test(again["test"]) == again
    assert registry.headline(cell) in metrics.REGISTRY
    run_request.parse_test(text, LaunchSettings(slots=16))
    records.component("x" + "".join(letter for letter in cell["test"] if letter not in "@+,="), "test")


def _variant(data: bytes) -> None:
    """Settings of a launch: one text for one meaning."""
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        said = _raw(data)
    text = variant.parse(said)
    assert variant.parse(text) == text
    variant.applies(text, {})
    variant.kv_types({"variant": text})
    variant.trouble({"variant": text, "threads": 2}, {"numa_nodes": 1, "transparent_hugepages": "madvise"})


def _request(data: bytes) -> None:
    """All that a run is asked for; asking again by what it says of itself asks for the same."""
    asked = _values(data)
    if not isinstance(asked, dict):
        return
    request = run_request.RunRequest.of(asked)
    assert all(failure["cause"] and failure["advice"] for failure in request.refused)
    envelope.canonical(list(request.refused))
    envelope.canonical({**request.variables(1), "settings": request.settings._asdict()["seed"]})


def _arguments(data: bytes) -> None:
    """Variables of all roles as a playbook has them: sentences for what is wrong, and never an error."""
    given = _values(data)
    if isinstance(given, dict):
        said = [*arguments.wrong_values(given), *arguments.unknown(list(given)[:3])]
        assert all(isinstance(sentence, str) and sentence for sentence in said)


def _tune(data: bytes) -> None:
    asked = _values(data)
    if isinstance(asked, dict):
        envelope.canonical(tune_request.TuneRequest.of(asked).variables())


def _advice(data: bytes) -> None:
    """What make advise is asked for, with the types that its module sees to."""
    said = _values(data)
    if not isinstance(said, dict):
        return
    kinds: dict[str, type] = {
        "model": str,
        "quantization": str,
        "region": str,
        "context": int,
        "users": int,
        "token_ms": float,
        "first_s": float,
        "prompt": int,
        "budget": float,
        "memory_gib": float,
        "market": str,
        "rows": int,
    }
    good: dict[str, Any] = {"model": "llama-3.1-8b", "quantization": "Q4_0", "region": "us-east-1"}
    for name, kind in kinds.items():
        value = said.get(name)
        if isinstance(value, (int, float, str)) and not isinstance(value, bool):
            try:
                good[name] = kind(value)
            except (ValueError, OverflowError):
                continue
    types = said.get("types")
    good["types"] = [str(word) for word in types] if isinstance(types, list) else []
    advice.checked(advice.Asked(**good))


def _selection(data: bytes) -> None:
    """One side of make compare."""
    for key, value in compare.parse_selection(_raw(data)).items():
        assert key
        assert value


def _path(data: bytes) -> None:
    """Names of all kinds become names of files: parts of a path that stay below where they belong."""
    text = _raw(data)
    first, _newline, second = text.partition("\n")
    row = {"model_filename": first, "model_type": second, "cpu_info": first, "backends": second}
    for name in (
        names.machine_name(first, second, "", "0123ab"),
        names.machine_name("", first, second),
        envelope.unknown_machine(first),
        machine.local_name(first, "aarch64", second),
    ):
        assert "/" not in name
        assert name.isascii()
    records.component(names.machine_name(first, second, second, "0123ab"), "machine")
    records.component(envelope.unknown_machine(first), "machine")
    cell = {"model": names.model_name(row), "quantization": names.quantization(row)}
    for part in summary.page_path("m", cell).split("/") + summary.model_path(first).split("/"):
        records.component(part, "part of a page's path")
    names.settings({**row, first: second})
    instance.instance_type(first)
    instance.remark(first)


def _components(data: bytes) -> None:
    """What is taken as the name of a file is one."""
    name = records.component(_raw(data), "name")
    assert os.path.basename(name) == name
    assert not name.startswith((".", "-"))


def _way(data: bytes) -> None:
    """Where the name of a machine stands in a path."""
    text = _raw(data)
    sources.machine_of(text.replace("\0", ""), sources.PARENT)
    sources.machine_of(text.replace("\0", ""), sources.FILE)
    sources.check_way(text)
    sources.machine_of("/a/b/c/d.jsonl", text)


def _variables(data: bytes) -> None:
    """Variables for the programs that are measured."""
    checked = environment.checked(_values(data), "llama_bench_environment")
    for name, value in checked.items():
        assert "=" not in name
        assert "\0" not in name + value
    environment.assignments(checked)


def _shown(data: bytes) -> None:
    """A value that a record may hold is shown in words."""
    said = _values(data)
    for value in said if isinstance(said, list) else [said]:
        for name in ("tg_tps", "rss_peak_bytes", "ttft_s", "ppl_ratio", "steal_percent"):
            if isinstance(value, (int, float)) and not isinstance(value, bool) and metrics.trouble(name, value) is None:
                assert metrics.show(name, value)
                assert metrics.with_unit(name, value)


_DEFAULTS = run_request.defaults()
_ASKED = {
    **_DEFAULTS,
    "threads": [1, "2"],
    "variants": ["default", "fa=off", {"ubatch": 256}],
    "seed": 7,
    "text": "alice29",
    "models": ["llama-3.2-1b-synthetic", {"name": "mine", "path": "/m.gguf"}],
    "duets": ["auto", {"a": "default", "b": "lto"}],
    "builds": ["default", {"name": "x", "march": "armv8.2-a+dotprod", "cmake_options": {"GGML_LTO": True}}, "lto"],
    "price": {"usd_hour": 0.85, "date": "2026-11-27"},
    "environment": {"OMP_PROC_BIND": "true"},
}
_GIVEN = {run_request.VARIABLES[field].name: value for field, value in _ASKED.items()}
_MORE = {
    "llama_bench_tune_objectives": ["prompts", "users"],
    "llama_bench_tune_memory_gib": 1.5,
    "llama_cpp_jobs": 2,
    "ec2_environment_timeout": 90,
    "llama_cpp_way": "native",
    "llama_cpp_source_type": "pypi",
    "llama_cpp_version": "11434.0.0",
    "bench_report_threads": 0,
}
_TUNE = {
    "objectives": ["prompts", "memory"],
    "users": 4,
    "memory_gib": 1,
    "minutes": 60,
    "space": {"fa": ["on"], "threads": [1, 2]},
}
_TESTS = (
    "pp512",
    "tg128@d4096",
    "serve128+64@c4",
    "serve128+64@r0.5",
    "batch128+64@c4",
    "load",
    "quality512x4",
    "agree128x2",
    "greedy64",
    "tg32,repack=off",
    "pp128,load=none",
)
_SETTINGS = (
    "fa=off",
    "batch=2048+ubatch=1024",
    "ctk=q8_0+ctv=q8_0",
    "cpu-mask=0xff+cpu-strict=on",
    "numa=isolate",
    "thp=on",
    "default",
)


def _request_of() -> SearchStrategy[dict[str, object]]:
    fields: dict[str, SearchStrategy[Any]] = {
        name: st.one_of(st.just(value), st.lists(TEXT, max_size=2), numbers()) for name, value in _ASKED.items()
    }
    fields["tests"] = st.lists(filled(["pp#", "tg#@d#", "serve#+#@c#", "serve#+#@r#", "quality#x#", "@"]), max_size=3)
    return objects(fields)


def _lines_of(*texts: str) -> list[bytes]:
    return [text.encode() for text in texts]


def _jsons(*said: object) -> list[bytes]:
    return [json.dumps(value).encode() for value in said]


TARGETS = (
    Target(
        "test-name",
        _test,
        (registry.WorkloadError, run_request.RequestError),
        lambda: _lines_of(*_TESTS),
        ("pp", "tg", "@d", "@c", "@r", "+", "serve", "batch", ",load=none", ",repack=off", "0", "9999999"),
        share=10,
        strategy=lambda: filled(
            ["pp#", "tg#@d#", "serve#+#@c#", "serve#+#@r#", "batch#+#@c#", "quality#x#", "greedy#"]
        ).map(lambda text: text.encode("utf-8", "surrogatepass")),
    ),
    Target(
        "variant",
        _variant,
        (variant.VariantError,),
        lambda: [*_lines_of(*_SETTINGS), b'{"fa": true, "n_batch": 512}'],
        (
            "+",
            "=",
            "fa",
            "batch",
            "ubatch",
            "ctk",
            "cpu-mask",
            "0x",
            "numa",
            "thp",
            "load",
            "repack",
            "poll",
            "n_ubatch",
        ),
        share=6,
        strategy=lambda: st.one_of(
            as_json(values()),
            filled(["fa=@", "batch=#+ubatch=#", "cpu-mask=0x#", "@=@"]).map(
                lambda text: text.encode("utf-8", "surrogatepass")
            ),
        ),
    ),
    Target(
        "request",
        _request,
        (run_request.RequestError, _NotJsonError),
        lambda: [*_jsons(_ASKED, _DEFAULTS), *_jsons(*({name: value} for name, value in _ASKED.items()))],
        tuple(_ASKED),
        share=1,
        strategy=lambda: as_json(_request_of()),
    ),
    Target(
        "arguments",
        _arguments,
        (_NotJsonError,),
        lambda: _jsons(
            _GIVEN, {**_GIVEN, **_MORE}, _MORE, *({name: value} for name, value in {**_GIVEN, **_MORE}.items())
        ),
        (*_GIVEN, *_MORE, "llama_bench_", "llama_cpp_"),
        share=0.3,
    ),
    Target(
        "tune",
        _tune,
        (run_request.RequestError, _NotJsonError),
        lambda: _jsons(_TUNE),
        ("objectives", "space", "memory", "threads", "threads_batch", "kv", "fa", "ubatch", "cpu-mask", "minutes"),
        share=4,
        strategy=lambda: as_json(
            objects(
                {
                    "objectives": st.lists(TEXT, max_size=2),
                    "users": numbers(),
                    "memory_gib": numbers(),
                    "minutes": numbers(),
                    "space": st.dictionaries(st.sampled_from(["fa", "threads", "kv", "x"]), values(2), max_size=2),
                }
            )
        ),
    ),
    Target(
        "advice",
        _advice,
        (advice.AdviceError, prices.PriceError, _NotJsonError),
        lambda: _jsons(
            {
                "model": "llama-3.1-8b",
                "quantization": "Q4_0",
                "region": "us-east-1",
                "users": 8,
                "token_ms": 100,
                "first_s": 2,
                "types": ["c7g", "c8g.4xlarge"],
                "budget": 100,
                "memory_gib": 1.5,
                "rows": 3,
            }
        ),
        ("model", "quantization", "types", "c7g.large", "users", "region"),
        share=0.2,
    ),
    Target(
        "selection",
        _selection,
        (compare.CompareError,),
        lambda: _lines_of(
            "build=default quantization=Q4_0",
            "latest",
            "variant=fa=off+ubatch=256,threads=2",
            "machine=local-x test=pp512 commit=0c1e57098",
        ),
        ("=", " ", ",", "build", "variant", "run", "latest", "previous", "commit", "machine"),
        share=8,
    ),
    Target(
        "paths",
        _path,
        (),
        lambda: _lines_of(
            "AMD EPYC 9B14\nNVIDIA A10G",
            "../../x\n..",
            "/m/llama-8b-Q4_0-00001-of-00003.gguf\nllama 8B Q4_0",
            "c7g.16xlarge\nCPU",
        ),
        ("/", "..", ".gguf", "-of-", "\n", "readme.md", "imported-", "c7g.16xlarge", "con"),
        share=0.3,
    ),
    Target(
        "component",
        _components,
        (records.RecordError,),
        lambda: _lines_of("local-amd-epyc", "20261123T155523Z-1a2b", "a.b_c-d"),
        ("/", "..", "-", "."),
        share=6,
    ),
    Target(
        "machine-from",
        _way,
        (ImportFailed,),
        lambda: _lines_of("file", "parent", "2", "data/c7g.16xlarge/stdout"),
        ("parent", "file", "1", "99", "/", ".."),
        share=4,
    ),
    Target(
        "environment",
        _variables,
        (environment.EnvironmentRefused, _NotJsonError),
        lambda: _jsons({"OMP_PROC_BIND": "true", "GOMP_SPINCOUNT": 1000}),
        ("LD_PRELOAD", "TOKEN", "://a:b@c"),
        share=6,
        strategy=lambda: as_json(st.one_of(values(), st.dictionaries(TEXT, values(1), max_size=3))),
    ),
    Target(
        "figures-shown",
        _shown,
        (_NotJsonError,),
        lambda: _jsons([1, 2.5, 1e-9, 1e9, 123456789012, 0]),
        ("1e15", "-0.0"),
        share=8,
        strategy=lambda: as_json(st.lists(numbers(), max_size=4)),
    ),
)
