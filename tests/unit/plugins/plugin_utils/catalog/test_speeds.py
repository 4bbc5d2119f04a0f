# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fitted parameters: what they say they are, and which of them tell of a type."""

from __future__ import annotations

import pytest

from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import processors, speeds

TABLE = speeds.table()


def test_the_source_is_named_with_its_licence():
    assert TABLE.source.licence == "CC BY-SA 4.0"
    assert TABLE.source.address == "github.com/SpareCores/sc-inspector-data"
    assert TABLE.source.commit == "804d3c7"


def test_every_group_is_of_a_processor_of_the_catalog_and_has_both_speeds():
    for group in TABLE.groups.values():
        assert processors.processor(group.processor).name == group.processor
        for place in {of_place for _metric, of_place in group.speeds}:
            assert {metric for metric, of_place in group.speeds if of_place == place} == {"pp", "tg"}, group.name


def test_a_size_of_one_node_is_one_that_the_catalog_has_of_the_processor():
    sizes = {}
    for name in processors.instance_types():
        kind = processors.instance_type(name)
        sizes.setdefault(speeds.group_name(kind), set()).add((kind.numa_nodes, kind.physical_cores))
    for group in TABLE.groups.values():
        for speed in group.speeds.values():
            assert set(speed.sizes) <= sizes[group.name], group.name


@pytest.mark.parametrize(
    ("name", "group", "relation"),
    [
        ("c8g.4xlarge", "Graviton4", speeds.MEASURED),
        ("c9g.4xlarge", "Graviton5", speeds.MEASURED),
        ("r7iz.4xlarge", "Xeon 4, high clock", speeds.MEASURED),
        ("c5.4xlarge", "Xeon 1 or 2, high clock", speeds.MEASURED),
        ("g2.2xlarge", "Xeon E5 v2", speeds.RELATIVE),
    ],
)
def test_the_group_of_a_type_is_its_own_or_the_nearest(name, group, relation):
    nearest = speeds.nearest(processors.instance_type(name), list(TABLE.groups.values()))
    assert (nearest.group.name, nearest.relation) == (group, relation)


@pytest.mark.parametrize(
    ("name", "without", "group", "relation"),
    [
        ("r7iz.4xlarge", ["Xeon 4, high clock"], "Xeon 4", speeds.OTHER_CLOCK),
        ("c7gn.4xlarge", ["Graviton3E"], "Graviton3", speeds.SAME_CORE),
        ("i7i.4xlarge", ["Xeon 5"], "Xeon 4", speeds.SAME_CORE),
        ("m9g.4xlarge", ["Graviton5"], "Graviton4", speeds.RELATIVE),
    ],
)
def test_a_group_that_was_never_measured_has_the_nearest_of_its_line(name, without, group, relation):
    others = [row for row in TABLE.groups.values() if row.name not in without]
    nearest = speeds.nearest(processors.instance_type(name), others)
    assert (nearest.group.name, nearest.relation) == (group, relation)


def test_nothing_tells_of_a_type_whose_core_is_not_known():
    assert speeds.nearest(processors.instance_type("g7.2xlarge"), list(TABLE.groups.values())) is None


def test_lent_processors_are_told_by_the_family():
    assert [name for name in ("c7i", "c7i-flex", "t4g", "trn1") if speeds.flexible(name)] == ["c7i-flex", "t4g"]
