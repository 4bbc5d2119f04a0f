# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.models.quantizations import lookup
from ansible_collections.cloudbench.llama.plugins.module_utils.probe.machine import PROCESSOR_FLAGS
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import processors
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records, schema

FIXTURES = Path(__file__).resolve().parents[4] / "fixtures"
with (FIXTURES / "instance-types" / "ec2.csv").open(encoding="utf-8") as _file:
    EC2 = {row["instance_type"]: row for row in csv.DictReader(_file)}

NOTHING = "nothing that the kernels use, for Armv9.0-A is Armv8.5-A with SVE2"
ARM_CORES = ["cortex-a72", "neoverse-n1", "neoverse-v1", "neoverse-n2", "neoverse-v2", "neoverse-v3"]
X86_CORES = [name for name in processors.names() if name not in ARM_CORES]

# What /proc/cpuinfo of an AMD EPYC showed, whose hypervisor hid its model.
EPYC = [
    "fpu", "vme", "de", "pse", "tsc", "msr", "pae", "mce", "cx8", "apic", "sep", "mtrr", "pge", "mca", "cmov", "pat",
    "pse36", "clflush", "mmx", "fxsr", "sse", "sse2", "ht", "syscall", "nx", "pni", "pclmulqdq", "ssse3", "fma", "cx16",
    "sse4_1", "sse4_2", "movbe", "popcnt", "aes", "xsave", "avx", "f16c", "rdrand", "hypervisor", "lahf_lm", "bmi1",
    "avx2", "smep", "bmi2", "erms", "adx", "sha_ni", "vaes", "vpclmulqdq",
]  # fmt: skip
AVX512 = [*EPYC, "avx512f", "avx512dq", "avx512cd", "avx512bw", "avx512vl"]
ICE_LAKE = [*AVX512, "avx512vbmi", "avx512_vbmi2", "avx512_vnni"]
# An Intel Xeon, family 6, model 207 (Emerald Rapids), whose hypervisor hides AMX.
NO_AMX = [*ICE_LAKE, "avx_vnni", "avx512_bf16", "avx512_fp16"]
SAPPHIRE_RAPIDS = [*NO_AMX, "amx_bf16", "amx_tile", "amx_int8"]


def arm(part: str | None, implementer: str | None = "0x41", **more: Any) -> dict[str, Any]:
    return {"architecture": "aarch64", "cpu_implementer": implementer, "cpu_part": part, "instance": None, **more}


def x86(flags: list[str], vendor: str | None = None, family: int = 6, model: int = 0, **more: Any) -> dict[str, Any]:
    told = {"cpu_vendor": vendor, "cpu_family": family, "cpu_model_number": model, "cpu_features": flags}
    return {"architecture": "x86_64", "cpu_implementer": None, "cpu_part": None, "instance": None, **told, **more}


def on(kind: str) -> dict[str, Any]:
    return {"instance": {"type": kind, "id": None, "zone": None, "image": None}}


def test_every_instance_type_is_what_ec2_says():
    told = {
        name: (int(row["vcpus"]), int(row["cores"]), {"arm64": "aarch64"}.get(row["architecture"], row["architecture"]))
        for name, row in EC2.items()
    }
    rows = {name: processors.instance_type(name) for name in EC2}
    assert {name: (row.vcpus, row.physical_cores, row.architecture) for name, row in rows.items()} == told
    for name, row in rows.items():
        assert (row.name, row.family) == (name, name.split(".")[0])
        assert row.core is None or processors.core(row.core).architecture == row.architecture
        assert processors.processor(row.processor).core == row.core


def test_every_instance_type_has_the_memory_that_ec2_says():
    told = {name: int(row["memory_mib"]) if row["memory_mib"] else None for name, row in EC2.items()}
    known = {name: processors.instance_type(name).memory_gib for name in EC2}
    # Of the page of its family.
    told["i3.metal"] = 512 * 1024
    assert {name: size and round(size * 1024) for name, size in known.items()} == told


def test_no_instance_type_of_a_covered_family_is_missing_or_invented():
    assert sorted(processors.instance_types()) == sorted(EC2)


@pytest.mark.parametrize(
    ("name", "processor", "core", "nodes", "bandwidth"),
    [
        ("t4g.nano", "Graviton2", "neoverse-n1", 1, 204.8),
        ("c6g.metal", "Graviton2", "neoverse-n1", 1, 204.8),
        ("c7g.16xlarge", "Graviton3", "neoverse-v1", 1, 307.2),
        ("c7gn.large", "Graviton3E", "neoverse-v1", 1, 307.2),
        ("hpc7g.4xlarge", "Graviton3E", "neoverse-v1", 1, 307.2),
        ("r8g.24xlarge", "Graviton4", "neoverse-v2", 1, 537.6),
        ("c8g.48xlarge", "Graviton4", "neoverse-v2", 2, 1075.2),
        ("x8g.metal-48xl", "Graviton4", "neoverse-v2", 2, 1075.2),
        # Nodes are no sockets: the bandwidth is that of the one package.
        ("m9g.16xlarge", "Graviton5", "neoverse-v3", 2, 844.8),
        ("m9g.24xlarge", "Graviton5", "neoverse-v3", 1, 844.8),
        ("m9gd.metal-48xl", "Graviton5", "neoverse-v3", 2, 844.8),
        ("c7i.16xlarge", "Xeon 4", "sapphirerapids", 1, None),
        ("c8i.48xlarge", "Xeon 6", "graniterapids", 3, None),
        ("c8i.96xlarge", "Xeon 6", "graniterapids", 6, None),
        ("x8i.96xlarge", "Xeon 6", "graniterapids", None, None),
        ("c6a.48xlarge", "EPYC 3", "znver3", 4, None),
        ("c7a.16xlarge", "EPYC 4", "znver4", 1, None),
        ("c7a.48xlarge", "EPYC 4", "znver4", 2, None),
        ("c8a.48xlarge", "EPYC 5", "znver5", 2, None),
        ("hpc8a.96xlarge", "EPYC 5", "znver5", 8, None),
        ("a1.4xlarge", "Graviton1", "cortex-a72", 1, None),
        ("i7ie.48xlarge", "Xeon 5", "sapphirerapids", 2, None),
        ("c4.8xlarge", "Xeon E5 v3 or v4", "haswell", 2, None),
        ("r3.8xlarge", "Xeon E5 v2", "ivybridge", 2, None),
        ("g2.2xlarge", "Xeon E5", "sandybridge", None, None),
        ("p4d.24xlarge", "Xeon 2", "cascadelake", None, None),
        ("m1.xlarge", "Xeon or Opteron", None, None, None),
        ("u-6tb1.56xlarge", "Xeon 1", "skylake-avx512", 8, None),
    ],
)
def test_a_processor_has_its_core_nodes_and_bandwidth(name, processor, core, nodes, bandwidth):
    found = processors.instance_type(name)
    assert (found.processor, found.core) == (processor, core)
    assert (found.numa_nodes, found.bandwidth_gb_s) == (nodes, bandwidth)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("c7g.17xlarge", ["'c7g.17xlarge'", "the family c7g has", "c7g.16xlarge", "c7g.metal"]),
        ("c7q.16xlarge", ["'c7q.16xlarge'", "the nearest: ", "c7g.16xlarge", "covers: ", "m9gd"]),
        ("c7g", ["'c7g'", "the family c7g has"]),
        ("", ["''", "covers: "]),
        ("c7g.16xlarge; reboot", ["the family c7g has"]),
    ],
)
def test_an_unknown_instance_type_is_refused_with_the_nearest(name, words):
    with pytest.raises(processors.CatalogError) as error:
        processors.instance_type(name)
    assert [word for word in words if word not in str(error.value)] == []


RECOGNISED = [
    (arm("0xd0c"), "neoverse-n1", "implementer 0x41, part 0xd0c"),
    (arm("0xd40"), "neoverse-v1", "implementer 0x41, part 0xd40"),
    (arm("0xd49"), "neoverse-n2", "implementer 0x41, part 0xd49"),
    (arm("0xd4f"), "neoverse-v2", "implementer 0x41, part 0xd4f"),
    (arm("0xd84"), "neoverse-v3", "implementer 0x41, part 0xd84"),
    (arm("0xd40", **on("c7g.16xlarge")), "neoverse-v1", "instance type c7g.16xlarge"),
    # As before the first boot, when nothing but the type is known.
    ({"architecture": "aarch64", **on("r8g.4xlarge")}, "neoverse-v2", "instance type r8g.4xlarge"),
    (
        arm("0xd40", **on("c10g.large")),
        "neoverse-v1",
        "implementer 0x41, part 0xd40 (the instance type c10g.large is not in the catalog)",
    ),
    (
        arm("0xd4f", **on("c7g.large")),
        "neoverse-v2",
        "implementer 0x41, part 0xd4f (not what the catalog has for the instance type c7g.large)",
    ),
    # An emulated host is not the instance it runs on.
    (arm("0xd49", emulated=True, **on("c7i.large")), "neoverse-n2", "implementer 0x41, part 0xd49"),
    (x86(EPYC, "AuthenticAMD", 25, 1), "znver3", "vendor AuthenticAMD, family 25, model 1"),
    (x86(EPYC, "AuthenticAMD", 25, 999), "x86-64-v3", "flags avx2, fma, f16c, bmi2"),
    (x86(EPYC), "x86-64-v3", "flags avx2, fma, f16c, bmi2"),
    (x86(EPYC, "GenuineIntel", 6, 79), "haswell", "vendor GenuineIntel, family 6, model 79"),
    (x86(["avx", "f16c"], "GenuineIntel", 6, 62), "ivybridge", "vendor GenuineIntel, family 6, model 62"),
    (
        x86(EPYC, "GenuineIntel", 6, 63, **on("m1.large")),
        "haswell",
        "vendor GenuineIntel, family 6, model 63 (hosts of m1.large differ)",
    ),
    (
        x86(["avx"], "GenuineIntel", 6, 45, **on("m3.large")),
        "sandybridge",
        "vendor GenuineIntel, family 6, model 45 (not what the catalog has for the instance type m3.large)",
    ),
    (x86([*EPYC, "avx_vnni"]), "x86-64-v3-vnni", "flags avx2, fma, f16c, bmi2, avx_vnni"),
    (x86(AVX512, "GenuineIntel", 6, 85), "skylake-avx512", "vendor GenuineIntel, family 6, model 85"),
    (x86([*AVX512, "avx512_vnni"], "GenuineIntel", 6, 85), "cascadelake", "vendor GenuineIntel, family 6, model 85"),
    (x86(ICE_LAKE, "GenuineIntel", 6, 106), "icelake-server", "vendor GenuineIntel, family 6, model 106"),
    (x86(SAPPHIRE_RAPIDS, "GenuineIntel", 6, 143), "sapphirerapids", "vendor GenuineIntel, family 6, model 143"),
    (x86(SAPPHIRE_RAPIDS, "GenuineIntel", 6, 173), "graniterapids", "vendor GenuineIntel, family 6, model 173"),
    (x86(NO_AMX, "AuthenticAMD", 26, 2), "znver5", "vendor AuthenticAMD, family 26, model 2"),
    (x86(SAPPHIRE_RAPIDS, **on("c7i.large")), "sapphirerapids", "instance type c7i.large"),
    # Both are in this family; what the host has tells.
    (x86(AVX512, **on("c5.large")), "skylake-avx512", "instance type c5.large"),
    (x86([*AVX512, "avx512_vnni"], **on("c5.large")), "cascadelake", "instance type c5.large, flags avx512_vnni"),
    ({"architecture": "x86_64", **on("c5.large")}, "skylake-avx512", "instance type c5.large"),
]


@pytest.mark.parametrize(("machine", "core", "told"), RECOGNISED)
def test_a_processor_is_recognised(machine, core, told):
    found = processors.recognise(machine)
    assert found is not None
    row = processors.core(core)
    assert (found["core"], found["recognised_by"], found["title"]) == (core, told, row.title)
    assert (found["march"], found["q4_0_layout"]) == (row.builds[0].march, row.builds[0].layout)
    # It goes into a record.
    assert json.loads(json.dumps(found)) == found
    payload = {"id": "m" * 12, "name": "m", **{k: v for k, v in machine.items() if k != "emulated"}, "processor": found}
    record = {"schema": 1, "kind": "machine", "run": "r", "time": "2026-11-23T15:55:23Z", "machine": "m"}
    assert schema.refusal({**record, "payload": payload}) is None


def test_the_record_of_a_graviton3():
    assert processors.recognise(arm("0xd40", **on("c7g.16xlarge"))) == {
        "name": "Graviton3",
        "core": "neoverse-v1",
        "title": "Arm Neoverse V1",
        "recognised_by": "instance type c7g.16xlarge",
        "march": "armv8.4-a+sve+i8mm+bf16+dotprod+fp16",
        "mcpu": "neoverse-v1",
        "vector": "SVE, 256 bits, with i8mm and bf16",
        "q4_0_layout": "q4_0_8x8",
        "legacy_type": "Q4_0_8_8",
        "bandwidth_gb_s": 307.2,
    }


def test_only_an_instance_has_the_name_and_the_bandwidth_of_a_processor_of_ec2():
    for machine in (arm("0xd40"), arm("0xd40", **on("c10g.large")), arm("0xd4f", **on("c7g.large"))):
        found = processors.recognise(machine)
        assert (found["name"], found["bandwidth_gb_s"]) == (None, None)


def test_hidden_flags_count_for_the_build_and_do_not_rename_the_instance():
    found = processors.recognise(x86(NO_AMX, "GenuineIntel", 6, 143, **on("c7i.large")))
    assert (found["name"], found["core"], found["q4_0_layout"]) == ("Xeon 4", "x86-64-v4-bf16", "q4_0_8x8")
    assert found["recognised_by"].endswith("(not what the catalog has for the instance type c7i.large)")


def test_amx_goes_before_repacking():
    for machine in (x86(SAPPHIRE_RAPIDS), x86(SAPPHIRE_RAPIDS, "GenuineIntel", 6, 207)):
        assert processors.recognise(machine)["q4_0_layout"] == "amx"


@pytest.mark.parametrize(
    "machine",
    [
        {},
        {"architecture": "aarch64"},
        arm("0xd0b"),
        arm("0xd40", implementer="0x46"),
        arm(None),
        arm("0xd40", implementer=None),
        arm(None, None, **on("c10g.large")),
        x86([]),
        x86(["sse2", "avx", "f16c"]),
        x86(["sse2"], "GenuineIntel", 6, 23, **on("m1.large")),
        {"architecture": "x86_64", **on("t1.micro")},
        x86([flag for flag in EPYC if flag != "fma"]),
        {"architecture": "riscv64", "cpu_features": []},
        # Flags of another architecture are none.
        {"architecture": "ppc64le", "cpu_features": SAPPHIRE_RAPIDS},
    ],
)
def test_an_unknown_processor_is_none(machine):
    assert processors.recognise(machine) is None


def test_every_row_of_an_arm_core_can_be_told_from_the_others():
    rows = [processors.core(name) for name in ARM_CORES]
    assert len({(row.implementer, row.part) for row in rows}) == len(rows)
    assert all(row.implementer and row.part and not row.flags for row in rows)


@pytest.mark.parametrize("name", X86_CORES)
def test_what_an_x86_build_uses_its_flags_promise(name):
    row = processors.core(name)
    for build in row.builds:
        for option in build.options:
            needed = {"AMX_TILE": "amx_tile", "AMX_BF16": "amx_bf16", **PROCESSOR_FLAGS}[option]
            assert needed in row.flags, (build.march, option)
    # Repacking needs AVX2.
    layouts = {build.layout is not None for build in row.builds}
    assert layouts == {{"avx2", "fma", "f16c", "bmi2"} <= set(row.flags)}


@pytest.mark.parametrize("name", processors.names())
def test_the_rows_of_a_core_are_in_order(name):
    row = processors.core(name)
    if row.legacy_type:
        assert lookup(row.legacy_type).legacy
    assert (row.builds[-1].gcc, row.builds[-1].clang) == (8, 9)
    for above, below in zip(row.builds, row.builds[1:], strict=False):
        assert above.gcc > below.gcc
        assert above.clang >= below.clang
        assert below.loss
    for compiler in processors.COMPILERS:
        assert processors.flags(name, compiler, None) == processors.flags(name, compiler, 99)
        assert processors.flags(name, compiler, None).warning is None
        assert processors.mcpu(name, compiler, None) == row.mcpu


@pytest.mark.parametrize(
    ("core", "compiler", "major", "march", "layout", "lost"),
    [
        ("neoverse-n1", "gcc", 8, "armv8.2-a+dotprod+fp16", "q4_0_4x4", None),
        ("neoverse-v1", "gcc", 12, "armv8.4-a+sve+i8mm+bf16+dotprod+fp16", "q4_0_8x8", None),
        ("neoverse-v1", "gcc", 9, "armv8.2-a+dotprod+fp16", "q4_0_4x4", "i8mm and SVE, so Q4_0 becomes q4_0_4x4"),
        ("neoverse-v1", "clang", 9, "armv8.2-a+dotprod+fp16", "q4_0_4x4", "i8mm and SVE, so Q4_0 becomes q4_0_4x4"),
        ("neoverse-n2", "gcc", 12, "armv9-a+i8mm+bf16+dotprod+fp16", "q4_0_4x8", None),
        ("neoverse-v2", "gcc", 12, "armv9-a+i8mm+bf16+dotprod+fp16", "q4_0_4x8", None),
        ("neoverse-v2", "gcc", 11, "armv8.5-a+sve2+i8mm+bf16+dotprod+fp16", "q4_0_4x8", "nothing that the kernels use"),
        ("neoverse-v3", "gcc", 13, "armv9.2-a+i8mm+bf16+dotprod+fp16", "q4_0_4x8", None),
        ("neoverse-v3", "gcc", 12, "armv9-a+i8mm+bf16+dotprod+fp16", "q4_0_4x8", "nothing that the kernels use"),
        ("neoverse-v3", "gcc", 9, "armv8.2-a+dotprod+fp16", "q4_0_4x4", "i8mm and SVE"),
        ("sapphirerapids", "gcc", 12, "sapphirerapids", "amx", None),
        ("sapphirerapids", "clang", 15, "icelake-server", "q4_0_8x8", "AMX and BF16"),
        ("graniterapids", "gcc", 10, "icelake-server", "q4_0_8x8", "AMX and BF16"),
        ("znver5", "gcc", 12, "icelake-server", "q4_0_8x8", "nothing that the kernels use"),
        ("znver5", "gcc", 9, "icelake-server", "q4_0_8x8", "BF16"),
        ("znver3", "gcc", 10, "haswell", "q4_0_8x8", "nothing that the kernels use"),
    ],
)
def test_a_compiler_gets_the_best_that_it_knows(core, compiler, major, march, layout, lost):
    chosen = processors.flags(core, compiler, major)
    assert (chosen.march, chosen.layout) == (march, layout)
    why = processors.why(core, compiler, major)
    assert any(f"-march={march}" in reason for reason in why)
    assert (layout in why[-1]) or (layout == "amx" and "AMX" in why[-1])
    if lost is None:
        assert (chosen.warning, chosen.remark) == (None, None)
    else:
        # Nothing lost is nothing to warn of.
        assert (chosen.warning is None) is lost.startswith("nothing")
        told = chosen.warning or chosen.remark
        best = processors.core(core).builds[0]
        said = [
            f"{compiler} {major}",
            f"-march={best.march}",
            f"gcc {best.gcc} or clang {best.clang}",
            f"-march={march}",
        ]
        assert [word for word in [*said, f"What is lost: {lost}"] if word not in told] == []


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: processors.flags("neoverse-v2", "gcc", 7), ["gcc 7 is below the floor", "gcc 8 or clang 9", "newer"]),
        (lambda: processors.flags("znver4", "clang", 8), ["clang 8 is below the floor", "gcc 8 or clang 9"]),
        (lambda: processors.flags("neoverse-v2", "icc", 2021), ["'icc'", "gcc or clang"]),
        (lambda: processors.flags("neoverse-v22", "gcc", 12), ["'neoverse-v22'", "the nearest: neoverse-v2", "znver1"]),
        (lambda: processors.why("neoverse", "gcc", 12), ["'neoverse'", "neoverse-n1"]),
        (lambda: processors.processor("Graviton9"), ["'Graviton9'", "Graviton5"]),
        (lambda: processors.mcpu("neoverse-v2", "gcc", 12), ["gcc 12", "-mcpu=neoverse-v2", "gcc 13", "armv9-a"]),
        (lambda: processors.mcpu("neoverse-v1", "clang", 14), ["clang 14", "clang 15", "armv8.4-a"]),
        (lambda: processors.mcpu("znver4", "gcc", 12), ["gcc 12", "-march=znver4", "gcc 13"]),
        (lambda: processors.cross_options("neoverse-v1"), ["Arm Neoverse V1", "GGML_CPU_ARM_ARCH"]),
        (lambda: processors.cross_options("znver4", "gcc", 7), ["below the floor"]),
    ],
)
def test_what_the_catalog_does_not_have_is_refused_with_a_remedy(ask, words):
    with pytest.raises(processors.CatalogError) as error:
        ask()
    assert [word for word in words if word not in str(error.value)] == []


def test_options_for_another_x86_name_each_instruction_set():
    full = processors.cross_options("sapphirerapids")
    assert full["GGML_NATIVE"] is False
    assert all(value for name, value in full.items() if name != "GGML_NATIVE")
    plain = processors.cross_options("znver2")
    assert set(plain) == set(full)
    assert sorted(name for name, value in plain.items() if value) == [
        "GGML_AVX", "GGML_AVX2", "GGML_BMI2", "GGML_F16C", "GGML_FMA", "GGML_SSE42",
    ]  # fmt: skip
    older = [name for name, value in sorted(processors.cross_options("ivybridge").items()) if value]
    assert older == ["GGML_AVX", "GGML_F16C", "GGML_SSE42"]
    assert [name for name, value in processors.cross_options("sandybridge").items() if value] == [
        "GGML_SSE42", "GGML_AVX",
    ]  # fmt: skip
    assert processors.cross_options("znver4", "gcc", 12)["GGML_AVX512_BF16"] is True
    assert processors.cross_options("znver4", "gcc", 9)["GGML_AVX512_BF16"] is False
    assert processors.flags("neoverse-v1", "gcc", 12).options == {}


@pytest.mark.parametrize(
    ("machine", "name"),
    [
        (arm("0xd40", **on("c7g.16xlarge")), "gv3-c7g-16xlarge"),
        (arm("0xd40", **on("c7gn.metal")), "gv3-c7gn-metal"),
        (arm("0xd4f", **on("r8g.metal-24xl")), "gv4-r8g-metal-24xl"),
        (arm("0xd84", **on("m9g.large")), "gv5-m9g-large"),
        (arm("0xd0c", **on("t4g.nano")), "gv2-t4g-nano"),
        (arm("0xd08", **on("a1.metal")), "gv1-a1-metal"),
        (x86([], **on("m1.small")), "x86-m1-small"),
        (x86(EPYC, **on("u-6tb1.112xlarge")), "x86-u-6tb1-112xlarge"),
        (x86(EPYC, **on("c7i.16xlarge")), "x86-c7i-16xlarge"),
        (x86(EPYC, **on("m7i-flex.large")), "x86-m7i-flex-large"),
        (arm("0xd99", **on("c10g.large")), "arm-c10g-large"),
        (x86(EPYC, **on("c10i.large")), "x86-c10i-large"),
        ({"architecture": "riscv64", **on("v1r.large")}, "ec2-v1r-large"),
        (arm("0xd49", emulated=True), "emulated-neoverse-n2"),
        (arm("0xd0c", emulated=True, **on("c7i.large")), "emulated-neoverse-n1"),
        (arm("0xd0b", emulated=True), "emulated-aarch64-0xd0b"),
        ({"emulated": True}, "emulated-unknown"),
        (arm("0xd40"), None),
        (x86(EPYC), None),
        ({}, None),
    ],
)
def test_results_of_an_instance_are_kept_under_its_type(machine, name):
    assert processors.machine_name(machine) == name
    assert processors.machine_name({**machine, "processor": processors.recognise(machine)}) == name
    if name:
        assert records.component(name, "machine") == name


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        ({"name": "pi", "architecture": "armv7l", "bits": 32, "byte_order": "little"}, ["pi (armv7l)", "32-bit"]),
        # A 32-bit system on a 64-bit kernel.
        ({"name": "pi", "architecture": "aarch64", "bits": 32, "byte_order": "little"}, ["32-bit", "64-bit system"]),
        ({"architecture": "armv8l"}, ["32-bit"]),
        ({"architecture": "i686", "bits": 32}, ["32-bit"]),
        ({"architecture": "aarch64_be", "bits": 64, "byte_order": "big"}, ["big-endian", "little-endian host"]),
        ({"architecture": "ppc64", "bits": 64}, ["big-endian"]),
        ({"architecture": "s390x", "bits": 64, "byte_order": "big"}, ["big-endian"]),
        ({"architecture": "mystery", "bits": 64, "byte_order": "big"}, ["big-endian"]),
    ],
)
def test_a_machine_that_nothing_can_be_built_for_is_refused(machine, words):
    with pytest.raises(processors.CatalogError) as error:
        processors.check_architecture(machine)
    said = str(error.value)
    assert [word for word in [*words, "aarch64 and x86_64"] if word not in said] == []


@pytest.mark.parametrize("architecture", ["aarch64", "x86_64", "riscv64", "ppc64le", "loongarch64", None])
def test_any_other_machine_is_taken(architecture):
    processors.check_architecture({"architecture": architecture, "bits": 64, "byte_order": "little"})
    processors.check_architecture({"architecture": architecture})


def test_an_instance_type_is_described_with_its_sources():
    older = [f"an older compiler, from gcc {gcc}, clang {clang} on: -march=" for gcc, clang in ((10, 11), (8, 9))]
    plain = (
        "armv8.2-a+dotprod+fp16; what is lost: i8mm and SVE, so Q4_0 becomes q4_0_4x4, whose kernels use sdot where "
        "smmla does twice the work, and prompt processing is slower"
    )
    source = "AnandTech, Amazon Unveils Graviton4, 2023-11-29"
    assert processors.description(processors.instance_type("c8g.48xlarge")) == [
        "c8g.48xlarge: AWS Graviton4, 192 vCPUs on 192 physical cores, 2 NUMA nodes",
        "core: Arm Neoverse V2 (implementer 0x41, part 0xd4f): SVE2, 128 bits, with i8mm and bf16",
        f"memory bandwidth: 1075.2 GB/s in theory, 12 channels of DDR5-5600 a socket ({source})",
        "-march=armv9-a+i8mm+bf16+dotprod+fp16: from gcc 12, clang 14 on",
        f"{older[0]}armv8.5-a+sve2+i8mm+bf16+dotprod+fp16; what is lost: {NOTHING}",
        older[1] + plain,
        "Q4_0: llama.cpp repacks Q4_0 to q4_0_4x8 when it loads a model",
        "file type of its own in llama.cpp before b4282: Q4_0_4_8",
    ]
    lines = "\n".join(processors.description(processors.instance_type("c5.large")))
    assert "2 vCPUs on 1 physical core, 1 NUMA node" in lines
    assert "some hosts have Intel Cascade Lake" in lines
    assert "memory bandwidth: not published" in lines
    assert processors.description(processors.instance_type("m1.large")) == [
        "m1.large: Intel Xeon or AMD Opteron of several generations, 2 vCPUs on 2 physical cores, NUMA nodes not known",
        "core: not told by the type; the host tells",
        "-march=native: the compiler looks at the processor that it runs on",
    ]
    lines = "\n".join(processors.description(processors.instance_type("c3.8xlarge")))
    assert "Q4_0: llama.cpp leaves Q4_0 as it is in the file" in lines
    assert "file type of its own in llama.cpp before b4282: none" in lines


def test_every_instance_type_can_be_described():
    for name in EC2:
        assert processors.description(processors.instance_type(name))[0].startswith(name + ": ")
