# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.measure.ladder import rungs
from ansible_collections.cloudbench.llama.plugins.module_utils.probe import machine
from ansible_collections.cloudbench.llama.plugins.module_utils.record.envelope import with_id

# What llama.cpp prints of itself: 0c1e57098 and b3826 on an AMD EPYC, and 0c1e57098 built for neoverse-v1.
CURRENT = (
    "CPU : SSE3 = 1 | SSSE3 = 1 | AVX = 1 | AVX2 = 1 | F16C = 1 | FMA = 1 | BMI2 = 1 | LLAMAFILE = 1 | OPENMP = 1 | "
    "REPACK = 1 | "
)
LEGACY = (
    "AVX = 1 | AVX_VNNI = 0 | AVX2 = 1 | AVX512 = 0 | AVX512_VBMI = 0 | AVX512_VNNI = 0 | AVX512_BF16 = 0 | FMA = 1 | "
    "NEON = 0 | SVE = 0 | ARM_FMA = 0 | F16C = 1 | FP16_VA = 0 | RISCV_VECT = 0 | WASM_SIMD = 0 | BLAS = 0 | "
    "SSE3 = 1 | SSSE3 = 1 | VSX = 0 | MATMUL_INT8 = 0 | LLAMAFILE = 1 | "
)
GRAVITON3 = (
    "CPU : NEON = 1 | ARM_FMA = 1 | FP16_VA = 1 | MATMUL_INT8 = 1 | SVE = 1 | DOTPROD = 1 | SVE_CNT = 32 | OPENMP = 1 "
    "| REPACK = 1 | "
)
GRAVITON2 = "CPU : NEON = 1 | ARM_FMA = 1 | FP16_VA = 1 | DOTPROD = 1 | OPENMP = 1 | REPACK = 1 | "

EPYC_FLAGS = (
    "fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse sse2 ht syscall nx "
    "pni pclmulqdq ssse3 fma cx16 sse4_1 sse4_2 movbe popcnt aes xsave avx f16c rdrand hypervisor lahf_lm bmi1 avx2 "
    "smep bmi2 erms adx sha_ni vaes vpclmulqdq"
)
SAPPHIRE_RAPIDS_FLAGS = (
    EPYC_FLAGS + " avx512f avx512dq avx512bw avx512vl avx512vbmi avx512_vnni avx512_bf16 avx_vnni amx_int8"
)
GRAVITON3_FEATURES = (
    "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm jscvt fcma lrcpc dcpop sha3 sm3 "
    "sm4 asimddp sha512 sve asimdfhm dit uscat ilrcpc flagm ssbs paca pacg dcpodp svei8mm svebf16 i8mm bf16 dgh rng"
)
GRAVITON2_FEATURES = (
    "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp ssbs"
)


@pytest.fixture(autouse=True)
def _no_metadata(monkeypatch):
    """A planted machine may say that it is an instance; the service of the machine under the test is not asked."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def plant(root: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, "utf-8")
    return str(root)


def two_sockets(root: Path) -> str:
    """2 sockets of 2 cores of 2 threads; the second socket counts its cores from 0 again, as Linux does."""
    files = {
        "etc/os-release": 'NAME="Ubuntu"\nVERSION_ID="24.04"\nPRETTY_NAME="Ubuntu 24.04.3 LTS"\n',
        "proc/cmdline": "BOOT_IMAGE=/boot/vmlinuz ro isolcpus=2-7 mitigations=off\n",
        "proc/meminfo": "MemTotal:       24683116 kB\nMemFree:         1234 kB\n",
        "proc/stat": "cpu  1 2 3 4\nbtime 1763913323\nprocesses 9\n",
        "proc/sys/kernel/randomize_va_space": "2\n",
        "sys/class/dmi/id/sys_vendor": "Amazon EC2\n",
        "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "performance\n",
        "sys/devices/system/cpu/cpufreq/boost": "1\n",
        "sys/devices/system/node/node0/meminfo": "",
        "sys/devices/system/node/node1/meminfo": "",
        "sys/devices/system/node/online": "0-1\n",
    }
    blocks = []
    for cpu in range(8):
        package, core = cpu // 2 % 2, cpu % 2
        topology = f"sys/devices/system/cpu/cpu{cpu}/topology"
        files[f"{topology}/physical_package_id"] = f"{package}\n"
        files[f"{topology}/core_id"] = f"{core}\n"
        blocks.append(
            f"processor\t: {cpu}\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 143\n"
            "model name\t: Intel(R) Xeon(R) Platinum 8488C\n"
            f"physical id\t: {package}\nflags\t\t: {SAPPHIRE_RAPIDS_FLAGS}\nbugs\t\t:\n"
        )
    files["proc/cpuinfo"] = "\n".join(blocks) + "\n"
    caches = [(1, "Data", "48K"), (1, "Instruction", "32K"), (2, "Unified", "2048K"), (3, "Unified", "107520K")]
    for index, (level, kind, size) in enumerate(caches):
        base = f"sys/devices/system/cpu/cpu0/cache/index{index}"
        files |= {f"{base}/level": f"{level}\n", f"{base}/type": f"{kind}\n", f"{base}/size": f"{size}\n"}
    return plant(root, files)


def test_a_machine_with_hyperthreads_and_two_sockets(tmp_path):
    found = machine.fingerprint(two_sockets(tmp_path))
    live = {name: found.pop(name) for name in ("architecture", "cpu_count", "kernel", "byte_order", "bits")}
    assert live["cpu_count"] == len(os.sched_getaffinity(0))
    assert found == {
        "name": "local-intel-xeon-platinum-8488c",
        "cpu_model": "Intel(R) Xeon(R) Platinum 8488C",
        "cpu_implementer": None,
        "cpu_part": None,
        "cpu_vendor": "GenuineIntel",
        "cpu_family": 6,
        "cpu_model_number": 143,
        "physical_cores": 4,
        "sockets": 2,
        "numa_nodes": 2,
        "cpu_features": sorted(SAPPHIRE_RAPIDS_FLAGS.split()),
        "sve_bytes": None,
        "caches": {"L1d": 49152, "L1i": 32768, "L2": 2097152, "L3": 110100480},
        "memory_bytes": 24683116 * 1024,
        "cgroup": None,
        "kernel_parameters": "isolcpus=2-7 mitigations=off",
        "os": "Ubuntu 24.04.3 LTS",
        "transparent_hugepages": "madvise",
        "aslr": 2,
        "governor": "performance",
        "virtualization": "Amazon EC2",
        "boot_time": "2025-11-23T15:55:23Z",
        "instance": None,
        "emulated": False,
    }


def hyperthreaded(root: Path, cpus: int) -> str:
    """A machine of one socket whose processors n and n + cpus / 2 are the two threads of a core."""
    cores = cpus // 2
    files = {"sys/devices/system/node/node0/cpulist": f"0-{cpus - 1}\n"}
    for cpu in range(cpus):
        topology = f"sys/devices/system/cpu/cpu{cpu}/topology"
        files |= {f"{topology}/physical_package_id": "0\n", f"{topology}/core_id": f"{cpu % cores}\n"}
    return plant(root, files)


def test_an_affinity_mask_may_hold_both_threads_of_a_core(tmp_path):
    root = hyperthreaded(tmp_path, 32)
    both = machine.fingerprint(root, allowed={*range(6), *range(16, 22)})
    assert both["physical_cores"] == 6
    counts = [rung.threads for rung in rungs(dict(both, cpu_count=12))]
    assert counts == [1, 2, 4, 6, 12]
    assert machine.fingerprint(root, allowed=set(range(12)))["physical_cores"] == 12
    assert machine.fingerprint(root)["physical_cores"] == 16


def test_the_cores_that_may_be_used_have_their_threads_and_their_nodes(tmp_path):
    root = hyperthreaded(tmp_path / "one", 8)
    every = [machine.Core(0, (cpu, cpu + 4)) for cpu in range(4)]
    assert machine.cores(root, set(range(8))) == every
    assert machine.cores(root, {0, 1, 5}) == [machine.Core(0, (0,)), machine.Core(0, (1, 5))]
    two = two_sockets(tmp_path / "two")
    plant(Path(two), {"sys/devices/system/node/node0/cpulist": "0-1,4-5\n"})
    plant(Path(two), {"sys/devices/system/node/node1/cpulist": "2-3,6-7\n"})
    assert machine.cores(two, set(range(8))) == [
        machine.Core(0, (0, 4)), machine.Core(0, (1, 5)), machine.Core(1, (2, 6)), machine.Core(1, (3, 7)),
    ]  # fmt: skip
    # What nobody tells.
    assert machine.cores(str(tmp_path / "absent"), {3, 5}) == [machine.Core(0, (3,)), machine.Core(0, (5,))]
    assert {cpu for core in machine.cores() for cpu in core.cpus} == os.sched_getaffinity(0)


def test_a_node_of_memory_alone_is_not_counted(tmp_path):
    lists = {0: "0-63\n", 1: "64-127\n", 2: "\n", 3: ""}
    root = plant(tmp_path, {f"sys/devices/system/node/node{node}/cpulist": text for node, text in lists.items()})
    assert machine.fingerprint(root)["numa_nodes"] == 2
    assert machine.fingerprint(root, allowed={3, 5})["numa_nodes"] == 1
    assert [rung.numa for rung in rungs(dict(machine.fingerprint(root), cpu_count=128)) if rung.numa] == ["isolate"]


def test_graviton3_has_a_part_number_where_others_have_a_model_name(tmp_path, monkeypatch):
    monkeypatch.setattr(machine.platform, "machine", lambda: "aarch64")
    block = (
        f"processor\t: %d\nBogoMIPS\t: 2100.00\nFeatures\t: {GRAVITON3_FEATURES}\nCPU implementer\t: 0x41\n"
        "CPU architecture: 8\nCPU variant\t: 0x1\nCPU part\t: 0xd40\nCPU revision\t: 1\n\n"
    )
    found = machine.fingerprint(plant(tmp_path, {"proc/cpuinfo": block % 0 + block % 1}), emulated=True)
    assert (found["name"], found["cpu_model"], found["cpu_part"]) == ("local-aarch64-0xd40", None, "0xd40")
    assert (found["cpu_implementer"], found["cpu_vendor"], found["cpu_family"]) == ("0x41", None, None)
    assert found["cpu_features"] == sorted(GRAVITON3_FEATURES.split())
    assert found["emulated"] is True


def test_what_a_machine_does_not_tell_is_none(tmp_path):
    found = machine.fingerprint(str(tmp_path))
    live = {name: found.pop(name) for name in ("name", "architecture", "cpu_count", "kernel", "byte_order", "bits")}
    assert all(live.values())
    assert {name: value for name, value in found.items() if value is not None} == {
        "cpu_features": [], "caches": {}, "emulated": False,
    }  # fmt: skip


def test_the_form_of_addresses_and_numbers_is_that_of_this_python():
    found = machine.fingerprint()
    assert (found["byte_order"], 2 ** (found["bits"] - 1) - 1) == (sys.byteorder, sys.maxsize)


@pytest.mark.parametrize(("answer", "length"), [(32, 32), (16, 16), (0x20000 | 64, 64), (-1, None), (0, None)])
def test_the_length_of_an_sve_vector_is_what_the_kernel_says(monkeypatch, answer, length):
    asked = []

    class Library:
        def __init__(self, name):
            assert name is None

        def prctl(self, *arguments):
            asked.append(arguments)
            return answer

    monkeypatch.setattr(machine.ctypes, "CDLL", Library)
    assert machine.sve_bytes() == length
    assert asked == [(51, 0, 0, 0, 0)]


def test_only_a_processor_with_sve_is_asked_for_its_length(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "sve_bytes", lambda: 32)
    for features, length in ((GRAVITON2_FEATURES, None), (GRAVITON3_FEATURES, 32)):
        root = plant(tmp_path, {"proc/cpuinfo": f"processor\t: 0\nFeatures\t: {features}\nCPU part\t: 0xd40\n"})
        assert machine.fingerprint(root)["sve_bytes"] == length


def test_an_emulated_machine_is_not_the_instance_it_runs_on(tmp_path, monkeypatch):
    own = {"type": "c7i.xlarge"}
    monkeypatch.setattr(machine.ec2_metadata, "instance", lambda root: own)
    assert machine.fingerprint(str(tmp_path))["instance"] == own
    assert machine.fingerprint(str(tmp_path), emulated=True)["instance"] is None


def test_this_machine_is_itself_twice():
    assert with_id(machine.fingerprint())["id"] == with_id(machine.fingerprint())["id"]


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("root=/dev/vda1 ro quiet", ""),
        (
            "hugepages=512 ro nohz_full=1-15 processor.max_cstate=1",
            "hugepages=512 nohz_full=1-15 processor.max_cstate=1",
        ),
        ("rd.luks.key=hunter2 ip=10.0.0.7 ds=nocloud;token=s3cret idle=poll systemd.setenv=KEY=abc", "idle=poll"),
        ("psi=1 -- --token s3cret idle=s3cret", "psi=1"),
        ("-- idle=s3cret", ""),
        ('nosmt init_arg="--key s3cret idle=s3cret numa" numa=off', "nosmt numa=off"),
        ('isolcpus="2,3" dyndbg="file x.c +p', 'isolcpus="2,3"'),
        ("idleness=s3cret cpufreqs.key=s3cret processor=s3cret", ""),
    ],
)
def test_the_kernel_command_line_gives_away_no_secret(tmp_path, line, kept):
    assert machine.fingerprint(plant(tmp_path, {"proc/cmdline": line + "\n"}))["kernel_parameters"] == kept


# b3826 compiled for Neoverse N1, in full.
LEGACY_GRAVITON2 = (
    "AVX = 0 | AVX_VNNI = 0 | AVX2 = 0 | AVX512 = 0 | AVX512_VBMI = 0 | AVX512_VNNI = 0 | AVX512_BF16 = 0 | FMA = 0 | "
    "NEON = 1 | SVE = 0 | ARM_FMA = 1 | F16C = 0 | FP16_VA = 1 | RISCV_VECT = 0 | WASM_SIMD = 0 | BLAS = 0 | "
    "SSE3 = 0 | SSSE3 = 0 | VSX = 0 | MATMUL_INT8 = 0 | LLAMAFILE = 1 | "
)


@pytest.mark.parametrize(
    ("system_info", "flags", "missing", "unused"),
    [
        (CURRENT, EPYC_FLAGS, [], []),
        (LEGACY, EPYC_FLAGS, [], []),
        (CURRENT, "pni ssse3 avx f16c", ["AVX2", "FMA", "BMI2"], []),
        # A current one prints only what is on, so the feature no kernel of note needs (VBMI, BF16) stays unsaid.
        (CURRENT, SAPPHIRE_RAPIDS_FLAGS, [], ["AVX_VNNI", "AVX512", "AVX512_VNNI", "AMX_INT8"]),
        (
            LEGACY,
            SAPPHIRE_RAPIDS_FLAGS,
            [],
            ["AVX_VNNI", "AVX512", "AVX512_VBMI", "AVX512_VNNI", "AVX512_BF16", "AMX_INT8"],
        ),
        (GRAVITON3, GRAVITON3_FEATURES, [], []),
        (GRAVITON3, GRAVITON2_FEATURES, ["MATMUL_INT8", "SVE"], []),
        (GRAVITON2, GRAVITON3_FEATURES, [], ["MATMUL_INT8", "SVE"]),
        (GRAVITON2, GRAVITON2_FEATURES, [], []),
        ("", GRAVITON2_FEATURES, [], ["DOTPROD"]),
        (LEGACY_GRAVITON2, GRAVITON2_FEATURES, [], []),
        (LEGACY_GRAVITON2, GRAVITON3_FEATURES, [], ["MATMUL_INT8", "SVE"]),
    ],
)
def test_a_binary_is_compared_with_the_processor(system_info, flags, missing, unused):
    assert machine.compare_features(system_info, flags.split()) == {"missing": missing, "unused": unused}


def test_features_that_are_off_are_not_used():
    assert machine.used_features(LEGACY) == ["AVX", "AVX2", "FMA", "F16C", "SSE3", "SSSE3", "LLAMAFILE"]
    assert "SVE_CNT" in machine.used_features(GRAVITON3)


@pytest.mark.parametrize(
    ("cpu_model", "cpu_part", "name"),
    [
        ("AMD EPYC", None, "local-amd-epyc"),
        ("AMD EPYC 7R13 Processor", None, "local-amd-epyc-7r13"),
        ("AMD Ryzen 7 5800X 8-Core Processor", None, "local-amd-ryzen-7-5800x"),
        ("Intel(R) Xeon(R) CPU @ 2.20GHz", None, "local-intel-xeon"),
        ("12th Gen Intel(R) Core(TM) i7-1260P", None, "local-12th-gen-intel-core-i7-1260p"),
        ("../../etc/passwd\n", None, "local-etc-passwd"),
        (None, "0xd40", "local-aarch64-0xd40"),
        ("", None, "local-aarch64"),
        ("\u9f99\u82af", None, "local-aarch64"),
    ],
)
def test_a_machine_without_a_cloud_is_named_by_its_processor(cpu_model, cpu_part, name):
    assert machine.local_name(cpu_model, "aarch64", cpu_part) == name


@pytest.mark.parametrize(
    ("file", "text", "field"),
    [
        ("proc/meminfo", "MemTotal:       all of it\n", "memory_bytes"),
        ("proc/meminfo", f"MemTotal: {'9' * 5000} kB\n", "memory_bytes"),
        ("proc/meminfo", "MemTotal: 9223372036854775807 kB\n", "memory_bytes"),
        ("proc/stat", "btime ²\n", "boot_time"),
        ("proc/stat", f"btime {'9' * 19}\n", "boot_time"),
        ("proc/sys/kernel/randomize_va_space", f"{'9' * 5000}\n", "aslr"),
    ],
)
def test_a_number_that_is_none_is_not_known(tmp_path, file, text, field):
    assert machine.fingerprint(plant(tmp_path, {file: text}))[field] is None


def test_a_list_of_processors_without_end_fills_no_memory(tmp_path):
    root = plant(tmp_path, {"sys/devices/system/node/node1/cpulist": "0-1,8-999999999,99999999999999\n"})
    assert [core.node for core in machine.cores(root, {0, 9})] == [1, 1]
