# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings as variants: one text for each, what programs are told, and what is refused before a launch."""

from __future__ import annotations

import os
import sys

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.kinds import registry, variant
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.job import Cluster, Job, unable
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.settings import LaunchSettings
from ansible_collections.cloudbench.llama.plugins.module_utils.kinds.variant import VariantError
from ansible_collections.cloudbench.llama.plugins.module_utils.system import process

MACHINE = {"numa_nodes": 1, "transparent_hugepages": "madvise"}
# Options of llama-bench by age, as capabilities.py records them.
TODAY = ["-fa", "-b", "-ub", "-ctk", "-ctv", "--load-mode", "--repack", "--poll", "-C", "--cpu-strict", "--numa"]
OLDER = ["-fa", "-b", "-ub", "-ctk", "-ctv", "-mmp", "--poll", "-C", "--cpu-strict", "--numa"]


def job(text: str = "", test: str = "pp512", options: list[str] | None = None, threads: int = 1) -> Job:
    cell = {"model": "m", "quantization": "Q4_0", "build": "default", "threads": threads, **registry.parse_test(test)}
    if text:
        cell["variant"] = variant.parse(text)
    build = {"id": "b", "name": "default"}
    if options is not None:
        build["options"] = {"llama-bench": options, "llama-server": options}
    return Job(cell, "bin", "m.gguf", build, {"id": "m", "name": "m"})


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("", ""),
        ("default", ""),
        ("fa=off", "fa=off"),
        ("flash_attn=0", "fa=off"),
        ("ubatch=0256 + fa=ON", "fa=on+ubatch=256"),
        ({"fa": False, "n_ubatch": 1024}, "fa=off+ubatch=1024"),
        ({"ctv": "q8_0", "ctk": "q8_0"}, "ctk=q8_0+ctv=q8_0"),
        ({}, ""),
        ("cpu-mask=0x3+cpu-strict=on", "cpu-mask=0x3+cpu-strict=on"),
        ("cpu-mask=0x0FF", "cpu-mask=0xff"),
        ("hosts=03", "hosts=3"),
        ("layers=09/8+hosts=2+fa=off", "fa=off+hosts=2+layers=9/8"),
        ("hosts=2+layers=0/17", "hosts=2+layers=0/17"),
        ("servers=03+fa=off", "fa=off+servers=3"),
        ("thp=on+load=none+numa=isolate+poll=0+batch=4096", "batch=4096+load=none+poll=0+numa=isolate+thp=on"),
    ],
)
def test_a_variant_has_one_text_however_it_is_written(given, text):
    assert variant.parse(given) == text
    assert variant.parse(text) == text


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("fla=on", "'fla', which is no setting: the settings are fa, batch"),
        ("ubatches=5", "did you mean ubatch?"),
        ("fa", "has fa = None: it is one of on, off, auto"),
        ("fa=maybe", "has fa = 'maybe'"),
        ("fa=on+fa=off", "sets fa twice"),
        ("ubatch=0", "a whole number from 1 to 1048576"),
        ("ubatch=2.5", "a whole number"),
        ("poll=101", "a whole number from 0 to 100"),
        ("ctk=q8", "did you mean q8_0?"),
        ("cpu-mask=3", "hexadecimal digits after 0x"),
        ("cpu-mask=0x0", "of which one is not 0"),
        ("ubatch=" + "9" * 5000, "a whole number from 1"),
        ("cpu-strict=on", "add cpu-mask"),
        ("ctv=q8_0+fa=off", "without flash attention"),
        ("ubatch=4096", "set batch=4096 too"),
        ({"fa": None}, "has fa = None"),
        (["fa"], "is no setting"),
    ],
)
def test_what_cannot_be_meant_is_refused(given, words):
    with pytest.raises(VariantError) as refused:
        variant.parse(given)
    assert words in str(refused.value)


def test_each_program_is_told_in_its_own_words():
    every = "fa=off+batch=4096+ubatch=1024+ctk=q8_0+ctv=f16+load=none+repack=off+poll=0+numa=isolate"
    assert variant.argv(job(every), "llama-bench") == [
        "-fa", "0", "-b", "4096", "-ub", "1024", "-ctk", "q8_0", "-ctv", "f16", "--load-mode", "none", "--repack", "0",
        "--poll", "0", "--numa", "isolate",
    ]  # fmt: skip
    assert variant.argv(job("load=none+repack=off"), "llama-server") == ["--load-mode", "none", "--no-repack"]
    assert variant.argv(job("thp=on"), "llama-bench") == []


def test_an_older_program_is_told_the_older_option():
    assert variant.argv(job("load=none", options=OLDER), "llama-bench") == ["-mmp", "0"]
    assert variant.argv(job("load=none", options=["--no-mmap"]), "llama-server") == ["--no-mmap"]
    assert variant.argv(job("load=none", options=TODAY), "llama-bench") == ["--load-mode", "none"]


def test_what_a_program_has_no_word_for_is_refused_by_the_option_it_lacks():
    one = job("load=dio", options=OLDER)
    cause, _advice = unable(one, "llama-bench", ["llama-bench", *variant.argv(one, "llama-bench")])
    assert "--load-mode" in cause


@pytest.mark.parametrize("test", ["pp512", "tg128@d64", "serve8+4@c2", "batch8+4@c2", "load"])
def test_every_kind_passes_the_settings_on(test):
    one = job("fa=off", test)
    argv = registry.kind_of(one.cell).argv(one, LaunchSettings())
    assert argv[argv.index("-fa") :][:2] == ["-fa", "0"]
    plain = job(test=test)
    assert "-fa" not in registry.kind_of(plain.cell).argv(plain, LaunchSettings())


def test_settings_of_a_test_and_of_a_variant_are_one_list():
    cell = job("fa=off", "tg8,load=none,repack=off").cell
    assert variant.of_cell(cell) == {"fa": "off", "load": "none", "repack": "off"}
    assert not variant.repacks(cell)
    assert variant.repacks(job("fa=off").cell)
    assert not variant.applies("load=mmap", cell)
    assert variant.applies("fa=on", registry.parse_test("tg8,load=none"))


def test_a_mask_of_processors_that_this_run_may_not_use_is_refused():
    allowed = sorted(os.sched_getaffinity(0))
    outside = max(allowed) + 1
    cause, advice = variant.trouble(job(f"cpu-mask={1 << outside:#x}").cell, MACHINE)
    assert f"names processor {outside}" in cause
    assert "llama_bench_variants" in advice
    assert variant.trouble(job(f"cpu-mask={1 << allowed[0]:#x}").cell, MACHINE) is None
    cause, _advice = variant.trouble(job(f"cpu-mask={1 << allowed[0]:#x}", threads=2).cell, MACHINE)
    assert "fewer than the 2 threads" in cause


def test_what_the_kernel_would_not_do_is_refused():
    cause, _advice = variant.trouble(job("numa=distribute").cell, MACHINE)
    assert "several NUMA nodes" in cause
    assert variant.trouble(job("numa=distribute").cell, {**MACHINE, "numa_nodes": 2}) is None
    for kernel in ("never", None):
        cause, advice = variant.trouble(job("thp=on").cell, {**MACHINE, "transparent_hugepages": kernel})
        assert "transparent_hugepage/enabled" in cause
        assert "madvise" in advice
    assert variant.trouble(job("thp=off").cell, {**MACHINE, "transparent_hugepages": "never"}) is None


@pytest.mark.parametrize(
    ("version", "does"), [("glibc 2.34", False), ("glibc 2.35", True), ("musl", False), (None, False)]
)
def test_huge_pages_need_a_c_library_that_asks_for_them(monkeypatch, version, does):
    monkeypatch.setattr(os, "confstr", lambda _name: version)
    trouble = variant.trouble(job("thp=on").cell, MACHINE)
    assert (trouble is None) == does
    assert does or "glibc 2.35" in trouble[0]


def huge_pages_of_a_process(settings: LaunchSettings) -> tuple[int, str]:
    """Return the AnonHugePages (kB) and the THP_enabled line of a program that touches 64 MiB."""
    touch = (
        "import ctypes\nlibc = ctypes.CDLL(None)\nlibc.malloc.restype = ctypes.c_void_p\n"
        "place = libc.malloc(ctypes.c_size_t(64 << 20))\nctypes.memset(place, 1, 64 << 20)\n"
        "print(open('/proc/self/smaps_rollup').read())\nprint(open('/proc/self/status').read())"
    )
    done = process.run(
        [sys.executable, "-c", touch], 60, settings.environment, clean=True, huge_pages=settings.huge_pages
    )
    fields = dict(line.split(":", 1) for line in done.stdout.splitlines() if ":" in line)
    return int(fields["AnonHugePages"].split()[0]), fields["THP_enabled"].strip()


def test_huge_pages_are_what_the_program_gets():
    with open("/sys/kernel/mm/transparent_hugepage/enabled", encoding="ascii") as file:
        kernel = file.read()
    if "[never]" in kernel:
        pytest.skip("this kernel gives no huge pages: transparent_hugepage/enabled is never")
    with_them = variant.applied(job("thp=on"), LaunchSettings())
    assert huge_pages_of_a_process(with_them)[0] >= 60 << 10
    without = variant.applied(job("thp=off"), LaunchSettings(environment=with_them.environment))
    assert huge_pages_of_a_process(without) == (0, "0")
    assert variant.applied(job("fa=off"), LaunchSettings()) == LaunchSettings()


def test_a_program_that_repacks_when_it_is_told_to_is_told():
    fork = ["-fa", "--run-time-repack", "-mmp"]
    assert variant.argv(job(options=fork), "llama-bench") == ["--run-time-repack", "1"]
    assert variant.argv(job(options=fork), "llama-server") == ["--run-time-repack"]
    assert variant.argv(job("fa=off+repack=on", options=fork), "llama-bench") == ["--run-time-repack", "1", "-fa", "0"]
    assert variant.argv(job("repack=off+load=mmap", options=fork), "llama-bench") == ["-mmp", "1"]
    assert variant.argv(job(test="tg8,repack=off", options=fork), "llama-server") == []
    # Told to repack, it maps nothing: that it is to map is refused by the option that it lacks.
    assert variant.argv(job("load=mmap", options=fork), "llama-bench") == [
        "--run-time-repack",
        "1",
        "--load-mode",
        "mmap",
    ]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("hosts=1", "hosts = '1': it is a whole number from 2 to 17"),
        ("hosts=18", "it is a whole number from 2 to 17"),
        ("servers=1", "servers = '1': it is a whole number from 2 to 17"),
        ("hosts=2+servers=2", "has hosts, which compute one model together, and servers, which have it each"),
        ("servers=2+layers=9/8", "gives layers to 2 hosts, and names none: set hosts=2"),
        ("layers=9/8", "gives layers to 2 hosts, and names none: set hosts=2"),
        ("hosts=3+layers=9/8", "gives layers to 2 hosts, and names 3: set hosts=2"),
        ("hosts=2+layers=17/0", "layers = '17/0': it is the layers of each host, the measuring one first"),
        ("hosts=2+layers=17", "it is the layers of each host"),
        ("hosts=2+layers=-1/18", "it is the layers of each host"),
        ("hosts=2+layers=a/b", "it is the layers of each host"),
    ],
)
def test_hosts_and_layers_that_cannot_be_meant_are_refused(given, words):
    with pytest.raises(VariantError) as refused:
        variant.parse(given)
    assert words in str(refused.value)


def together(text: str, layers: int = 17) -> Job:
    endpoints = ("10.0.0.7:50052", "10.0.0.8:50052")
    return job(text)._replace(cluster=Cluster(endpoints, layers))


@pytest.mark.parametrize(
    ("text", "layers", "counts"),
    [
        ("hosts=2", 17, [9, 8]),
        ("hosts=3", 17, [6, 6, 5]),
        ("hosts=3", 3, [1, 1, 1]),
        ("hosts=3+layers=9/4/4", 17, [9, 4, 4]),
        ("hosts=2+layers=0/17", 17, [0, 17]),
    ],
)
def test_layers_are_shared_out_among_the_hosts(text, layers, counts):
    assert variant.split({"variant": text}, layers) == counts


@pytest.mark.parametrize(
    ("text", "layers", "words"),
    [
        ("hosts=2+layers=9/9", 17, "layers=9/9 are 18, and the model has 17, the output included: name as many"),
        ("hosts=6", 5, "hosts=6 are more than the 5 layers of the model, the output included: name fewer hosts"),
    ],
)
def test_layers_that_are_not_those_of_the_model_are_refused(text, layers, words):
    with pytest.raises(VariantError) as refused:
        variant.split({"variant": text}, layers)
    assert words in str(refused.value)


@pytest.mark.parametrize("program", ["llama-bench", "llama-server"])
def test_workers_are_named_with_the_layers_that_each_has(program):
    workers = ["--rpc", "10.0.0.7:50052,10.0.0.8:50052"]
    assert variant.argv(together("hosts=3"), program) == [*workers, "-ngl", "11", "-ts", "6/5"]
    assert variant.argv(together("hosts=3+layers=9/4/4"), program) == [*workers, "-ngl", "8", "-ts", "4/4"]
    # Fewer hosts than there are.
    assert variant.argv(together("hosts=2"), program) == ["--rpc", "10.0.0.7:50052", "-ngl", "8", "-ts", "8"]
    assert variant.argv(together("fa=off"), program) == ["-fa", "0"]


def test_a_build_without_the_rpc_backend_is_refused_with_the_option_that_it_lacks():
    asked = job("hosts=2", options=TODAY)
    cause, _advice = unable(asked, "llama-bench", ["llama-bench", *variant.argv(asked, "llama-bench")])
    assert "build default has no --rpc" in cause


@pytest.mark.parametrize(
    ("text", "count"),
    [(None, 1), ("", 1), ("fa=off", 1), ("hosts=3", 3), ("fa=off+hosts=2+layers=9/8", 2), ("hosts=x", 1)],
)
def test_how_many_hosts_a_cell_has(text, count):
    assert variant.hosts({} if text is None else {"variant": text}) == count
