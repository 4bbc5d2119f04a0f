# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One machine by its fingerprint, and names for those that share one."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
from support.records import hostile, side_by_side

from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis import machines, summary
from ansible_collections.cloudbench.llama.plugins.plugin_utils.analysis.machines import Names, alike, families
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import processors
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import pages
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records

ZEN3 = {
    "name": "local-amd-epyc", "architecture": "x86_64", "cpu_model": "AMD EPYC", "cpu_vendor": "AuthenticAMD",
    "cpu_family": 25, "cpu_model_number": 1, "cpu_count": 2, "physical_cores": 2, "sockets": 1, "numa_nodes": 1,
    "cpu_features": ["avx2", "fma", "f16c", "bmi2"], "caches": {"L1d": 32768, "L3": 32 << 20},
    "memory_bytes": 25276510208, "kernel": "6.1", "boot_time": "2026-11-23T15:55:23Z",
    "processor": {"core": "znver3"},
}  # fmt: skip
GENERIC = {
    **ZEN3, "cpu_family": None, "cpu_model_number": None, "processor": {"core": "x86-64-v3"},
    "caches": {"L1d": 32768, "L3": 16 << 20},
}  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"kernel": "6.2", "boot_time": "2026-11-27T00:00:00Z", "memory_bytes": 25276514304, "aslr": 0},
        # Flags that no kernel of llama.cpp asks for come and go with Linux.
        {"cpu_features": ["avx2", "bmi2", "f16c", "fma", "ibpb", "stibp"]},
        # An older record knows less.
        {"cpu_family": None, "cpu_vendor": None, "processor": None, "caches": {"L1d": 32768}},
        {"caches": None, "cpu_features": None, "memory_bytes": None, "cpu_model": None},
        {"cpu_model": "AMD EPYC 7R13"},
    ],
)
def test_what_another_boot_or_record_says_is_the_same_machine(changes: dict[str, Any]) -> None:
    assert alike(ZEN3, {**ZEN3, **changes})
    assert alike({**ZEN3, **changes}, ZEN3)


@pytest.mark.parametrize(
    "changes",
    [
        {"caches": {"L1d": 32768, "L3": 16 << 20}}, {"cpu_features": ["avx2", "fma", "f16c", "bmi2", "avx512f"]},
        {"cpu_count": 4}, {"memory_bytes": 12 << 30}, {"cpu_family": 26}, {"cpu_model": "Intel Xeon"},
        {"architecture": "aarch64"}, {"cpu_features": ["avx2", "fma", "f16c", "bmi2", "amx_tile"]},
    ],
)  # fmt: skip
def test_other_caches_flags_or_sizes_are_another_machine(changes: dict[str, Any]) -> None:
    assert not alike(ZEN3, {**ZEN3, **changes})
    assert not alike({**ZEN3, **changes}, ZEN3)


def test_the_first_keeps_the_name_and_the_next_gets_a_telling_word() -> None:
    names = Names()
    assert names.of("local-amd-epyc", ZEN3) == "local-amd-epyc"
    assert names.of("local-amd-epyc", GENERIC) == "local-amd-epyc-x86-64-v3"
    assert names.of("local-amd-epyc", {**ZEN3, "cpu_count": 4}) == "local-amd-epyc-4cpu"
    assert names.of("local-amd-epyc", {**ZEN3, "caches": {"L3": 64 << 20}}) == "local-amd-epyc-l3-64m"
    last = names.of("local-amd-epyc", {**ZEN3, "memory_bytes": 8 << 30})
    assert len(last) == len("local-amd-epyc-") + 6
    for machine, name in ((ZEN3, "local-amd-epyc"), (GENERIC, "local-amd-epyc-x86-64-v3")):
        assert names.of("local-amd-epyc", machine) == name
    assert names.of("local-amd-epyc-x86-64-v3", GENERIC) == "local-amd-epyc-x86-64-v3"


def test_emulated_machines_and_those_of_which_nothing_is_known_keep_their_names() -> None:
    names = Names()
    for machine in (ZEN3, None, {**GENERIC, "emulated": True}):
        assert names.of("local-amd-epyc", machine) == "local-amd-epyc"


def test_a_family_is_a_name_and_those_that_go_on_from_it() -> None:
    given = ["gv3-c7g-large", "local-amd-epyc-9b14", "local-amd", "local-amdx", "local-amd-epyc", "gv3-c7g-16xlarge"]
    assert families(given) == [
        ["gv3-c7g-16xlarge"], ["gv3-c7g-large"], ["local-amd", "local-amd-epyc", "local-amd-epyc-9b14"], ["local-amdx"],
    ]  # fmt: skip


def two_machines() -> list[dict[str, Any]]:
    """Return the records of a run, and of a later one on a machine of the same name with another cache."""
    first = [records.upgrade(copy.deepcopy(record)) for record in side_by_side.records()]
    later = copy.deepcopy(first)
    for record in later:
        record.update(run="20261125T150000Z-0002", time=record["time"].replace("2026-11-24", "2026-11-25"))
        if record["kind"] == "machine":
            record["payload"]["caches"] = {"L3": 5 << 20}
    for record in first:
        if record["kind"] == "machine":
            record["payload"]["caches"] = {"L3": 32 << 20}
    return [*first, *later]


def test_pages_are_kept_by_fingerprint() -> None:
    every = two_machines()
    first, second = summary.runs(every)
    assert (first.machine, second.machine) == (side_by_side.MACHINE, f"{side_by_side.MACHINE}-l3-5m")
    made = pages.render(every)
    for machine in (first.machine, second.machine):
        assert f"{machine}/README.md" in made
        assert "Earlier runs" not in made[f"{machine}/{side_by_side.MODEL}/q4.md"]
    assert made["README.md"].count(f"{second.machine}/") > 0


def test_a_store_gives_the_same_pages_when_the_second_machine_has_its_name_already(tmp_path: Path) -> None:
    every = two_machines()
    records.append(tmp_path / "mixed", every)
    third = [record for record in copy.deepcopy(every) if record["run"].endswith("0002")]
    for record in third:
        record.update(run="20261126T150000Z-0003", time=record["time"].replace("2026-11-25", "2026-11-26"))
        record["machine"] = f"{side_by_side.MACHINE}-l3-5m"
    records.append(tmp_path / "mixed", third)
    made, _problems = pages.render_store(tmp_path / "mixed")
    assert made == pages.render([*every, *third])
    assert "20261126T150000Z-0003" in made[f"{side_by_side.MACHINE}-l3-5m/{side_by_side.MODEL}/q4.md"]


def test_a_machine_to_be_measured_gets_its_name_beside_those_on_record(tmp_path: Path) -> None:
    assert machines.name_in(tmp_path / "none", "local-amd-epyc", ZEN3) == "local-amd-epyc"
    record = envelope.make("machine", "20261123T155523Z-1a2b", "local-amd-epyc", envelope.with_id(ZEN3), 1.8e9)
    records.append(tmp_path, [record])
    (tmp_path / "local-amd-epyc/records/broken.jsonl").write_text('{"kind":"machine"\n')
    assert machines.name_in(tmp_path, "local-amd-epyc", {**ZEN3, "kernel": "7"}) == "local-amd-epyc"
    assert machines.name_in(tmp_path, "local-amd-epyc", GENERIC) == "local-amd-epyc-x86-64-v3"
    # Elsewhere nothing is known, and the name is free.
    assert machines.name_in(tmp_path / "elsewhere", "local-amd-epyc", GENERIC) == "local-amd-epyc"


def test_a_fingerprint_that_can_be_one_is_taken_as_it_is() -> None:
    assert machines.checked(ZEN3) == ZEN3
    assert machines.checked({**ZEN3, "of a later collection": "kept"})["of a later collection"] == "kept"


@pytest.mark.parametrize(
    ("machine", "reason"),
    [
        (["a list"], "the host describes itself by list, not by an object"),
        ({}, "the machine None is no file name"),
        ({**ZEN3, "name": "../../x"}, "the machine '../../x' is no file name"),
        ({**ZEN3, "name": "{{ x }}"}, "is no file name"),
        ({**ZEN3, "cpu_features": 7}, "machine.cpu_features is 7 where a list belongs"),
        ({**ZEN3, "memory_bytes": "all"}, "machine.memory_bytes is 'all'"),
        ({**ZEN3, "memory_bytes": float("nan")}, "by what JSON cannot hold"),
        ({**ZEN3, "instance": {"type": ["c7g.large"]}}, "machine.instance.type is"),
        ({**ZEN3, "caches": {"L3": -1}}, "machine.caches.L3 is -1, outside 0 to"),
    ],
)
def test_a_host_describes_itself_as_a_machine_or_is_not_measured(machine: Any, reason: str) -> None:
    with pytest.raises(records.RecordError) as refused:
        machines.checked(machine)
    assert reason in str(refused.value)


@pytest.mark.parametrize("text", hostile.PAYLOADS.values(), ids=hostile.PAYLOADS)
def test_words_of_a_host_are_kept_as_words(text: str) -> None:
    words = ("cpu_model", "kernel", "os", "governor", "virtualization", "kernel_parameters", "cpu_vendor")
    told = {**ZEN3, **dict.fromkeys(words, text), "processor": None}
    assert {machines.checked(told)[word] for word in words} == {text}
    # What stands in the catalog is looked up by them, and nothing else comes of it.
    named = processors.machine_name({**told, "instance": {"type": text}, "processor": processors.recognise(told)})
    assert named is None or re.fullmatch(r"[a-z0-9][a-z0-9-]*-?", named), named


def instance(number: int, name: str = "gv3-c7g-large", boot: str = "2026-11-30T10:00:00Z") -> dict[str, object]:
    return {"name": name, "boot_time": boot, "instance": {"id": f"i-{number}"}}


def test_hosts_of_one_type_have_names_of_their_own_in_a_run() -> None:
    described = {f"h{n}": instance(n) for n in (1, 2, 3)} | {"other": instance(9, "x86-c7i-large")}
    assert machines.apart(described) == {
        "h1": "gv3-c7g-large",
        "h2": "gv3-c7g-large-2",
        "h3": "gv3-c7g-large-3",
        "other": "x86-c7i-large",
    }


def test_a_machine_keeps_its_name_in_a_run_that_is_gone_on_with() -> None:
    # The first was away; what is there keeps what it is called.
    earlier = [instance(2), instance(3, "gv3-c7g-large-2")]
    described = {f"h{n}": instance(n) for n in (1, 2, 3)}
    names = {"h1": "gv3-c7g-large-3", "h2": "gv3-c7g-large", "h3": "gv3-c7g-large-2"}
    assert machines.apart(described, earlier) == names
    assert machines.apart({"h3": instance(3)}, earlier) == {"h3": "gv3-c7g-large-2"}


def test_a_machine_that_was_booted_again_has_the_name_that_nobody_has() -> None:
    again = {"h1": instance(1, boot="2026-11-30T11:00:00Z")}
    assert machines.apart(again, [instance(1)]) == {"h1": "gv3-c7g-large"}


def test_copies_that_nothing_tells_apart_are_named_in_their_order() -> None:
    copies = {name: {"name": "local-x", "boot_time": "then", "instance": None} for name in ("a", "b")}
    earlier = [{"name": "local-x", "boot_time": "then"}, {"name": "local-x-2", "boot_time": "then"}]
    assert machines.apart(copies, earlier) == machines.apart(copies) == {"a": "local-x", "b": "local-x-2"}
