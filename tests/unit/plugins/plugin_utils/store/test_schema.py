# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is taken and refused stays what it was; a refusal says field, value and rule; producers and reader agree."""

from __future__ import annotations

import copy
import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.record import types
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records, run_id, schema

FIXTURE = Path(__file__).resolve().parents[4] / "fixtures" / "records" / "mutations.json"
MUTATIONS: dict[str, Any] = json.loads(FIXTURE.read_text("utf-8"))


def verdict(line: str) -> str:
    try:
        records.decode(line.encode())
    except records.RecordError:
        return "-"
    return "+"


def at(record: Any, path: str) -> tuple[Any, Any]:
    """Return what holds the place that a path like `payload.cells.0.model` names, and the place in it."""
    *steps, last = (int(step) if step.isdigit() else step for step in path.split("."))
    for step in steps:
        record = record[step]
    return record, last


@pytest.mark.parametrize("kind", sorted(MUTATIONS["records"]))
def test_the_verdict_on_every_field_and_value_is_what_it_was(kind: str) -> None:
    record = MUTATIONS["records"][kind]
    assert verdict(json.dumps(record)) == "+"
    for path, recorded in MUTATIONS["verdicts"][kind].items():
        changed = copy.deepcopy(record)
        holder, place = at(changed, path)
        holder[place] = "@"
        template = json.dumps(changed)
        if isinstance(holder, dict):
            del holder[place]
        else:
            holder.pop(place)
        lines = [json.dumps(changed), *(template.replace('"@"', text) for text in MUTATIONS["values"])]
        verdicts = "".join(map(verdict, lines))
        texts = ["(absent)", *MUTATIONS["values"]]
        differ = [texts[number] for number, (was, now) in enumerate(zip(recorded, verdicts, strict=True)) if was != now]
        assert not differ, f"{kind}: {path}"


def fields(kind: str) -> Iterator[str]:
    """Every field that a kind's type names, as a path."""

    def below(node: Any, path: str) -> Iterator[str]:
        node = plain(node)
        if isinstance(node, msgspec.inspect.StructType):
            # Those of the registry have a test of their own.
            for field in () if node.cls.__name__ in ("Metrics", "Gates") else node.fields:
                yield f"{path}.{field.name}"
                yield from below(field.type, f"{path}.{field.name}")
        elif isinstance(node, msgspec.inspect.ListType):
            yield from below(node.item_type, f"{path}.0")

    return below(msgspec.inspect.type_info(schema.KINDS[kind]), "payload")


@pytest.mark.parametrize("kind", sorted(schema.KINDS))
def test_every_field_has_its_verdicts(kind: str) -> None:
    assert set(fields(kind)) <= set(MUTATIONS["verdicts"][kind])


@pytest.mark.parametrize("name", sorted(metrics.REGISTRY))
def test_a_metric_is_held_to_its_row_of_the_registry(name: str) -> None:
    row = metrics.REGISTRY[name]
    record = copy.deepcopy(MUTATIONS["records"]["launch"])
    held = record["payload"]["metrics"]

    def refused(value: Any, **entry: Any) -> str | None:
        held[name] = {"value": value, "unit": row.unit, **entry}
        return schema.refusal(record)

    for value in (row.low, row.high, math.ceil(row.low), math.floor(row.high)):
        assert refused(value, samples=[value]) is None
    below, above = math.nextafter(row.low, -math.inf), math.nextafter(row.high, math.inf)
    for value in (below, above, math.ceil(row.low) - 1, math.floor(row.high) + 1):
        assert refused(value) == f"launch.metrics.{metrics.trouble(name, value)}"
        assert refused(row.high, samples=[row.low, value]) == f"launch.metrics.{metrics.trouble(name, value)}"
    other = refused(row.high, unit="parsec")
    assert other == f"launch.metrics.{name}.unit is 'parsec', not {row.unit!r}"
    del held[name]
    record["payload"]["metrics"]["pp_tps"] = {"value": 1, "unit": "token/s"}
    record["payload"]["gates"] = {name: row.high}
    assert schema.refusal(record) is None
    record["payload"]["gates"] = {name: above}
    assert schema.refusal(record) == f"launch.gates.{metrics.trouble(name, above)}"


@pytest.mark.parametrize(
    ("kind", "path", "value", "reason"),
    [
        ("run", "payload.seed", 2**64 + 1, f"run.seed is {2**64 + 1}, outside -9.22337e+18 to 1.84467e+19"),
        ("run", "payload.seed", 0.5, "run.seed is 0.5 where an integer belongs"),
        ("run", "payload.seed", True, "run.seed is True where an integer belongs"),
        ("run", "payload.cells.0.threads", -1, "run.cells[0].threads is -1, outside 0 to 100000"),
        ("run", "payload.cells.0", 7, "run.cells[0] is 7 where an object belongs"),
        ("run", "payload.versions", {"a": "1", "b": 2}, "run.versions.b is 2 where text belongs"),
        ("run", "payload.versions", {"a.b[0]": 2}, "run.versions.a.b[0] is 2 where text belongs"),
        ("run", "payload.price.boot_s", -1, "run.price.boot_s is -1, outside 0 to 1e+06"),
        ("run", "payload.quick", "yes", "run.quick is 'yes' where true or false belongs"),
        ("machine", "payload.cgroup.memory_bytes", 2**63 + 1, f"machine.cgroup.memory_bytes is {2**63 + 1}, outside"),
        ("machine", "payload.caches", {"L1": None, "L2": 1, "L3": "9"}, "machine.caches.L3 is '9' where an integer"),
        ("launch", "payload.kernel.types", {"a": {"b": 1, "c": -1}}, "launch.kernel.types.a.c is -1, outside 0 to"),
        ("launch", "payload.argv", ["a", 1], "launch.argv[1] is 1 where text belongs"),
        ("launch", "payload.metrics.some_s", {"value": 1}, "the field launch.metrics.some_s.unit is missing"),
        ("samples", "payload.cores", [None, [0.5, "1"]], "samples.cores[1][1] is '1' where a number belongs"),
        ("end", "time", "2026-11-23", "record.time is '2026-11-23', not of the form 2026-11-23T15:55:23Z"),
        ("end", "time", 5, "record.time is 5 where text belongs"),
        ("end", "payload", [], "record.payload is [] where an object belongs"),
        ("end", "kind", "and", "the kind 'and' is unknown: the kinds are bandwidth, build, duet, end, failure, "),
    ],
)
def test_a_refusal_names_the_field_its_value_and_the_rule(kind: str, path: str, value: Any, reason: str) -> None:
    record = copy.deepcopy(MUTATIONS["records"][kind])
    holder, place = at(record, path)
    holder[place] = value
    said = schema.refusal(record)
    assert said
    assert said.startswith(reason)


def plain(node: Any) -> Any:
    """A type without null and examples; int | float is a number."""
    if isinstance(node, msgspec.inspect.Metadata):
        return plain(node.type)
    if isinstance(node, msgspec.inspect.UnionType):
        (*_integer, node) = (item for item in node.types if not isinstance(item, msgspec.inspect.NoneType))
    return node


def nullable(node: Any) -> bool:
    return isinstance(node, msgspec.inspect.UnionType) and any(
        isinstance(item, msgspec.inspect.NoneType) for item in node.types
    )


BASIC = {
    msgspec.inspect.StrType: "text",
    msgspec.inspect.LiteralType: "text",
    msgspec.inspect.IntType: "integer",
    msgspec.inspect.CustomType: "integer",
    msgspec.inspect.FloatType: "number",
    msgspec.inspect.BoolType: "flag",
    msgspec.inspect.AnyType: "any",
}


def form(node: Any) -> Any:
    """What must agree of a type on both sides: fields, which of them must be there, what may be null, basic types."""
    null = nullable(node)
    node = plain(node)
    if isinstance(node, (msgspec.inspect.StructType, msgspec.inspect.TypedDictType)):
        described: Any = {field.name: (field.required, form(field.type)) for field in node.fields}
        if node.cls.__name__ in ("Metrics", "Gates"):
            # The producers know no names of the registry; an entry has its one form for all of them.
            described = {"*": described["wall_s"][1]}
    elif isinstance(node, msgspec.inspect.ListType):
        described = [form(node.item_type)]
    elif isinstance(node, msgspec.inspect.DictType):
        described = {"*": form(node.value_type)}
    else:
        described = BASIC[type(node)]
    return (described, "or null") if null else described


@pytest.mark.parametrize("kind", sorted(schema.KINDS))
def test_producers_and_reader_know_the_same_fields(kind: str) -> None:
    assert form(msgspec.inspect.type_info(getattr(types, kind.title()))) == form(
        msgspec.inspect.type_info(schema.KINDS[kind])
    )


def test_producers_and_reader_know_the_same_envelope() -> None:
    reader = form(msgspec.inspect.type_info(schema.Record[dict[str, Any]]))
    assert form(msgspec.inspect.type_info(types.Record)) == {"schema": (True, "integer"), **reader}
    assert list(get_type_hints(types.Record)) == ["schema", "kind", "run", "time", "machine", "payload"]


WITHOUT = """
import sys
sys.modules["msgspec"] = None
from ansible_collections.cloudbench.llama.plugins.plugin_utils.store import records, run_id
try:
    run_id.current_run()
except run_id.RunError as error:
    print(error)
single = (lambda root: records.append(root, []), lambda root: records.decode(b"{}"))
for call in (records.read, records.machines, records.Writer, *single):
    try:
        call(sys.argv[1])
    except records.RecordError as error:
        print(error)
"""


def test_without_msgspec_it_says_what_to_install(store: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT, str(store)],
        env={"PYTHONPATH": ":".join(filter(None, sys.path)), run_id.VARIABLE: "kept"},
        capture_output=True,
        text=True,
        check=True,
    )
    remedy = f"which {sys.executable} does not have: {sys.executable} -m pip install msgspec"
    assert ended.stdout == 6 * f"records are checked by msgspec, {remedy}\n"
