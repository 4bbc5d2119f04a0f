# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine that is named by its instance type has what the tables say of it, and nothing that they do not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import processors
from ansible_collections.cloudbench.llama.plugins.plugin_utils.imports import files as imports
from ansible_collections.cloudbench.llama.plugins.plugin_utils.imports import instance, many
from ansible_collections.cloudbench.llama.plugins.plugin_utils.imports.forms import ImportFailed
from ansible_collections.cloudbench.llama.plugins.plugin_utils.report import pages as report
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records

ROW = {
    "cpu_info": "CPU", "model_type": "llama 8B Q4_0", "model_filename": "mine.gguf", "n_prompt": 0, "n_gen": 128,
    "n_threads": 64, "avg_ts": 40.0,
}  # fmt: skip


def imported(folder: Path, name: str, region: str = "us-east-1", **change: Any) -> imports.Imported:
    path = folder / "some.json"
    path.write_text(json.dumps({**ROW, **change}))
    return imports.of_files([imports.load(str(path))], name, region=region)


def of_kind(told: imports.Imported, kind: str) -> dict[str, Any]:
    return next(record["payload"] for record in told.records if record["kind"] == kind)


@pytest.mark.parametrize("name", ["c7g.16xlarge", "C7g.16xlarge"])
def test_an_instance_type_gives_processor_cores_nodes_and_price(tmp_path: Path, name: str) -> None:
    told = imported(tmp_path, name)
    assert told.machine == "imported-c7g-16xlarge"
    machine = of_kind(told, "machine")
    assert machine["instance"] == {"type": "c7g.16xlarge"}
    assert (machine["architecture"], machine["cpu_count"], machine["physical_cores"], machine["numa_nodes"]) == (
        "aarch64", 64, 64, 1,
    )  # fmt: skip
    assert (machine["processor"]["name"], machine["processor"]["bandwidth_gb_s"]) == ("Graviton3", 307.2)
    assert "memory_bytes" not in machine
    assert of_kind(told, "run")["price"] == {
        "usd_hour": 2.32,
        "date": "2026-07-20",
        "source": "list price in us-east-1, karpenter-provider-aws, zz_generated.pricing_aws.go",
        "market": "on-demand",
    }
    assert not records.append(tmp_path / "results", told.records).problems
    page = report.render(records.read(tmp_path / "results").records)["imported-c7g-16xlarge/mine/q4.md"]
    assert "64 CPUs, 64 cores, 1 NUMA node" in page
    assert "At 2.32 USD an hour (on-demand: list price in us-east-1, karpenter-provider-aws, " in page


def test_what_the_tables_do_not_say_is_not_known(tmp_path: Path) -> None:
    """Nobody has seen the nodes of some; of several processors flags alone tell; a price is of a region."""
    of_x86 = of_kind(imported(tmp_path, "m5.large"), "machine")
    assert (of_x86["cpu_count"], of_x86["physical_cores"], of_x86["numa_nodes"]) == (2, 1, 1)
    assert of_x86["processor"] is None
    of_m1 = of_kind(imported(tmp_path, "m1.large", cpu_info="Dual-Core AMD Opteron(tm) Processor 2218 HE"), "machine")
    assert (of_m1["architecture"], of_m1["cpu_count"], of_m1["numa_nodes"], of_m1["processor"]) == (
        "x86_64", 2, None, None,
    )  # fmt: skip
    told = imported(tmp_path, "c7g.16xlarge", region="")
    assert "price" not in of_kind(told, "run")
    records.append(tmp_path / "results", told.records)
    page = report.render(records.read(tmp_path / "results").records)["imported-c7g-16xlarge/mine/q4.md"]
    assert "N/A: no price of c7g.16xlarge." in page


def test_a_name_of_ones_own_adds_nothing(tmp_path: Path) -> None:
    told = imported(tmp_path, "my-graviton")
    assert set(of_kind(told, "machine")) == {"id", "name", "cpu_model", "architecture", "cpu_count", "emulated"}
    assert "price" not in of_kind(told, "run")


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("c7g.16xlarge", {"cpu_info": "Intel(R) Xeon(R) 8488C"}, r"has 64 vCPUs of AWS Graviton3 .* some.json"),
        ("c7i.16xlarge", {"cpu_info": "AMD EPYC 9R14"}, "and some.json is of AMD EPYC 9R14: give the type that"),
        ("c7g.16xlarge", {"cpu_info": "AWS Graviton2"}, "and some.json is of AWS Graviton2"),
        ("c7g.16xlarge", {"compiler_target": "x86_64-linux-gnu"}, "and some.json is of a build for x86_64"),
        ("c7g.large", {"cpus": 64}, "has 2 vCPUs of AWS Graviton3 .* is of a machine with 64"),
    ],
)
def test_files_of_something_else_are_refused(tmp_path: Path, name: str, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ImportFailed, match=message):
        imported(tmp_path, name, **change)


def test_files_may_say_less_or_the_same(tmp_path: Path) -> None:
    same = {"cpu_info": "AMD EPYC 9R14", "compiler_target": "x86_64-linux-gnu"}
    assert of_kind(imported(tmp_path, "c7a.4xlarge", **same), "machine")["cpu_model"] == "AMD EPYC 9R14"
    fewer = of_kind(imported(tmp_path, "c7g.16xlarge", cpus=32), "machine")
    assert (fewer["cpu_count"], fewer["physical_cores"], fewer["numa_nodes"]) == (32, None, None)


def test_every_type_of_the_catalog_is_one_as_a_name() -> None:
    of_names = {name: instance.instance_type(name) for name in processors.instance_types()}
    assert [name for name, listed in of_names.items() if listed is None] == []


def test_a_type_that_no_table_has_is_said(tmp_path: Path) -> None:
    assert instance.remark("my-box") is None
    assert instance.remark("c7g.16xlarge") is None
    assert "c77g.16xlarge is not in the catalog of instance types; the nearest: c7g.16xlarge" in str(
        instance.remark("C77g.16xlarge")
    )
    assert "the nearest: c7g.16xlarge" in str(instance.remark("c7g.16xlrage"))
    assert instance.remark("epyc9.local") is instance.remark("my-graviton") is None
    path = tmp_path / "c77g.16xlarge" / "stdout"
    path.parent.mkdir()
    path.write_text(json.dumps(ROW))
    outcome = many.collect(many.Asked([str(path)], machine_from="parent"), str(tmp_path / "results"))
    assert outcome.problems == [str(instance.remark("c77g.16xlarge"))]
