# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an entry of the matrix may hold."""

from __future__ import annotations

import re

import pytest

from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2.matrix import IMAGES, Row, parse


def rows(*entries, market="on-demand", image="amazon-linux-2023"):
    return parse(list(entries), "us-east-1", market, image)


def test_an_entry_in_short_and_in_full():
    found, errors = rows(
        {"type": "c7g.16xlarge"},
        {
            "type": "c8g.4xlarge",
            "count": "2",
            "market": "spot",
            "image": "debian-12",
            "zones": ["us-east-1b", "us-east-1a"],
            "or_types": ["m8g.4xlarge"],
            "max_price": "0.4",
        },
    )
    assert errors == []
    assert found == [
        Row(0, "c7g.16xlarge", 1, "on-demand", "amazon-linux-2023", (), (), None, 1),
        Row(1, "c8g.4xlarge", 2, "spot", "debian-12", ("us-east-1b", "us-east-1a"), ("m8g.4xlarge",), 0.4, 2),
    ]


def test_what_an_entry_does_not_say():
    found, errors = rows({"type": "c7g.large", "zones": None, "max_price": None}, market="spot", image="ubuntu-24.04")
    assert errors == []
    assert found == [Row(0, "c7g.large", 1, "spot", "ubuntu-24.04", (), (), None, 1)]


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ("c7g.large", "row 0 is 'c7g.large': write a mapping with a type, such as {type: c7g.16xlarge}"),
        ({}, "row 0: names no type; say which, such as c7g.16xlarge"),
        ({"type": 7}, "'7' is no instance type: write family and size"),
        ({"type": "c7g"}, "row 0 (c7g): 'c7g' is no instance type"),
        ({"type": "c7g.large", "cuont": 2}, "'cuont' means nothing; the keys are type, count"),
        ({"type": "c7g.large", "cuont": 2}, "did you mean count?"),
        ({"type": "c7g.large", "count": 0}, "count is a whole number from 1 to 100, not 0"),
        ({"type": "c7g.large", "count": 1.5}, "count is a whole number from 1 to 100, not 1.5"),
        ({"type": "c7g.large", "count": "inf"}, "count is a whole number from 1 to 100, not 'inf'"),
        ({"type": "c7g.large", "count": True}, "count is a whole number from 1 to 100, not True"),
        ({"type": "c7g.large", "count_min": 0}, "count_min, how many are enough, is a whole number from 1 to count"),
        (
            {"type": "c7g.large", "count": 20, "count_min": 21},
            "from 1 to count, which is 20, not 21: correct it",
        ),
        ({"type": "c7g.large", "count": 20, "count_min": 1.5}, "which is 20, not 1.5"),
        ({"type": "c7g.large", "count": 20, "count_min": "many"}, "not 'many'"),
        ({"type": "c7g.large", "count": 20, "count_min": True}, "not True"),
        ({"type": "c7g.large", "market": "sopt"}, "market is on-demand or spot, not 'sopt'; did you mean spot?"),
        ({"type": "c7g.large", "image": "ubuntu"}, "image is one of amazon-linux-2023, ubuntu-24.04, debian-12, not"),
        ({"type": "c7g.large", "zones": ["eu-west-1a"]}, "'eu-west-1a' is no zone of us-east-1: write us-east-1a"),
        ({"type": "c7g.large", "zones": "us-east-1"}, "'us-east-1' is no zone of us-east-1"),
        ({"type": "c7g.large", "zones": ["us-east-1a", "us-east-1a"]}, "name the same twice"),
        ({"type": "c7g.large", "or_types": ["c7g.large"]}, "name the same twice"),
        ({"type": "c7g.large", "or_types": ["c7g"]}, "'c7g' is no instance type"),
        ({"type": "c7g.large", "max_price": 1}, "max_price goes with market spot, not with on-demand; leave it out"),
        ({"type": "c7g.large", "market": "spot", "max_price": 0}, "max_price is USD an hour, a number above 0"),
        ({"type": "c7g.large", "market": "spot", "max_price": "x"}, "not 'x'"),
    ],
)
def test_what_is_wrong_is_said(entry, sentence):
    found, errors = rows(entry)
    assert found == []
    assert any(sentence in error for error in errors), errors


def test_everything_that_is_wrong_is_said_at_once():
    found, errors = rows({"type": "c7g.large", "count": 0, "market": "x"}, {"type": "c7g.large"}, {"image": "x"})
    assert [row.index for row in found] == [1]
    assert [re.match(r"row \d", error).group(0) for error in errors] == ["row 0", "row 0", "row 2", "row 2"]
    assert parse([], "us-east-1", "spot", "debian-12")[1][0].startswith("ec2_environment_instances is empty: name")


@pytest.mark.parametrize(
    ("count", "least", "tried"),
    [
        (20, 15, (20, 17, 16, 15)),
        (2, 1, (2, 1)),
        (4, 4, (4,)),
        (1, "1", (1,)),
        (100, 1, (100, 50, 25, 13, 7, 4, 2, 1)),
    ],
)
def test_fewer_are_asked_for_by_halves_of_the_distance(count, least, tried):
    ((row,), errors) = rows({"type": "c7g.large", "count": count, "count_min": least})
    assert errors == []
    assert row.counts == tried


def test_local_and_wavelength_zones_are_zones():
    for zone in ("us-west-2-lax-1a", "us-west-2-wl1-las-wlz-1"):
        assert parse([{"type": "c7g.large", "zones": [zone]}], "us-west-2", "spot", "debian-12")[1] == []


@pytest.mark.parametrize(
    ("image", "architecture", "parameter"),
    [
        ("amazon-linux-2023", "aarch64", "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"),
        ("amazon-linux-2023", "x86_64", "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"),
        (
            "ubuntu-24.04",
            "x86_64",
            "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id",
        ),
        ("debian-12", "aarch64", "/aws/service/debian/release/12/latest/arm64"),
    ],
)
def test_images(image, architecture, parameter):
    assert IMAGES[image].parameter_for(architecture) == parameter


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"image": []}, r"image is one of .*, not \[\]"),
        ({"market": {}}, r"market is .*, not \{\}"),
        ({"zones": [[]]}, r"\[\] is no zone"),
        ({"count": 10**400}, "count is a whole number from 1 to 100, not 1000"),
        ({"market": "spot", "max_price": 10**400}, "max_price is USD an hour"),
    ],
)
def test_a_value_of_another_kind_is_refused_like_a_wrong_one(entry, words):
    found, errors = rows({"type": "c7g.large", **entry})
    assert found == []
    assert re.search(words, " ".join(errors))
    assert all(len(error) < 500 for error in errors)
