# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EC2: what its API answers, what consoles show, what a plan is asked for, and the words of failures."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from fuzz.families.models import _NotJsonError, _values
from fuzz.strategies import TEXT, as_json, filled, numbers, objects, values
from fuzz.target import Target, text_of
from hypothesis import strategies as st

from ansible_collections.cloudbench.llama.plugins.module_utils.record import envelope
from ansible_collections.cloudbench.llama.plugins.plugin_utils.ec2 import (
    ask_prices,
    client,
    fleet,
    known_hosts,
    matrix,
    names,
    network,
)
from ansible_collections.cloudbench.llama.plugins.plugin_utils.failures import cause


class _Pricing:
    """A client of the Pricing API that has one answer."""

    meta = SimpleNamespace(
        service_model=SimpleNamespace(service_name="pricing"),
        method_to_api_mapping={
            "get_products": "GetProducts",
            "describe_spot_price_history": "DescribeSpotPriceHistory",
        },
    )

    def __init__(self, texts: list[str], rows: Any = ()) -> None:
        self._texts, self._rows = texts, rows

    def can_paginate(self, _operation: str) -> bool:
        """One page is all."""
        return False

    def get_products(self, **_asked: object) -> dict[str, Any]:
        """Answer."""
        return {"PriceList": self._texts}

    def describe_spot_price_history(self, **_asked: object) -> dict[str, Any]:
        """Answer."""
        return {"SpotPriceHistory": self._rows}


def _prices(data: bytes) -> None:
    """List prices: a text of JSON for each product."""
    pricing = _Pricing(text_of(data).split("\n"))
    for price in (
        ask_prices.ask_on_demand(pricing, "c7g.metal", "us-east-1", "2026-11-27"),
        ask_prices.ask_storage(pricing, "us-east-1", "2026-11-27"),
    ):
        assert price.usd is None or (price.usd.is_finite() and price.usd > 0)
    for name, usd in ask_prices.ask_list(pricing, "us-east-1").items():
        assert isinstance(name, str)
        assert usd.is_finite()
        assert usd > 0


def _product(unit: str = "Hrs", usd: str = "2.3200000000", kind: str = "c7g.16xlarge") -> str:
    dimension = {"unit": unit, "pricePerUnit": {"USD": usd}}
    terms = {"OnDemand": {"A.B": {"priceDimensions": {"A.B.C": dimension}}}}
    return json.dumps({"product": {"attributes": {"instanceType": kind, "tenancy": "Shared"}}, "terms": terms})


def _console(data: bytes) -> None:
    """The keys that a console shows; what a fleet is known by."""
    text = text_of(data)
    keys = known_hosts.host_keys(text)
    assert all(len(key.split()) == 2 and key.isascii() and "\n" not in key for key in keys)
    merged = known_hosts.merge(text, {"i-0123456789abcdef0": ("10.0.0.1", keys)})
    assert [line for line in text.splitlines() if line] == [line for line in text.splitlines() if line]
    known = known_hosts.parse(merged)
    assert set(keys) <= set(known.get("i-0123456789abcdef0", ()))
    known_hosts.changed_keys(known.get("x", ()), keys)
    assert known_hosts.merge(merged, {"i-0123456789abcdef0": ("10.0.0.1", keys)}) == merged


_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHqkpNEIJPHzMWRXjKpX1xMqMNtFqtmCUtM4m7MEXAMP"
_CONSOLE = (
    f"[   12.345678] cloud-init[123]: x\ncloudbench-host-key {_KEY}\r\n"
    f"-----BEGIN SSH HOST KEY KEYS-----\n{_KEY} root@ip\n"
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAAQE= root@ip\n-----END SSH HOST KEY KEYS-----\n"
)


def _failed(data: bytes) -> None:
    """The result of a task that failed, as a host or AWS has worded it."""
    result = _values(data)
    if isinstance(result, dict):
        said = cause.cause_of(result)
        assert isinstance(said, str)
        for phase in cause.ADVICE:
            cause.advice_of(phase, said)
        envelope.canonical(envelope.failure("build", said, ""))


def _instances(data: bytes) -> None:
    """The matrix of instances, and what is there of it."""
    asked = _values(data)
    rows, errors = matrix.parse(asked if isinstance(asked, list) else [asked], "us-east-1", "on-demand", "debian-12")
    assert all(isinstance(error, str) for error in errors)
    for row in rows:
        assert 1 <= row.count_min <= row.count <= 100
        assert row.counts
        assert row.label
    plan = [{"index": row.index, "type": row.type, "count": row.count, "count_min": row.count_min} for row in rows]
    envelope.canonical(fleet.whole(plan, ["0", 1]))


def _network(data: bytes) -> None:
    """Addresses of ssh and of the VPC; names of runs and owners."""
    text = data.decode("utf-8", "surrogateescape")
    run, budget = names.run_problem(text), names.budget_problem(text)
    assert run is not None or client.proper_run(text)
    assert budget is None or budget
    client.proper_region(text)
    source, _newline, cidr = text.partition("\n")
    assert network.ssh_source(source).partition("/")[2] in [str(length) for length in range(network.WIDEST, 33)]
    for index in (0, 1):
        network.subnet(cidr, index)


_REFUSED = "An error occurred (UnauthorizedOperation) when calling the RunInstances operation: x"
_RESULTS: list[dict[str, Any]] = [
    {
        "msg": "MODULE FAILURE",
        "module_stderr": "Traceback (most recent call last)\nSyntaxError: invalid syntax",
        "rc": 1,
    },
    {
        "msg": "non-zero return code",
        "cmd": ["ninja"],
        "rc": 1,
        "stdout": "FAILED: x\ninternal error: Killed",
        "stderr": "",
    },
    {"results": [{"failed": True, "msg": _REFUSED}], "assertion": "a"},
    {"msg": "Failed to create security group", "stdout": "held by process 12 (apt)"},
]
_MATRIX: list[dict[str, Any]] = [
    {"type": "c7g.16xlarge"},
    {
        "type": "c8g.4xlarge",
        "market": "spot",
        "max_price": 0.4,
        "count": 3,
        "count_min": 2,
        "zones": ["us-east-1a"],
        "or_types": ["m8g.4xlarge"],
        "image": "ubuntu-24.04",
    },
]

TARGETS = (
    Target(
        "price-answers",
        _prices,
        (client.AwsError,),
        lambda: [
            _product().encode(),
            f"{_product()}\n{_product('GB-Mo', '0.08')}".encode(),
            _product("Hrs", "0E-10").encode(),
        ],
        (
            "terms",
            "OnDemand",
            "priceDimensions",
            "pricePerUnit",
            "USD",
            "unit",
            "Hrs",
            "GB-Mo",
            "attributes",
            "NaN",
            "sNaN",
            "1E+99",
        ),
        share=6,
        strategy=lambda: as_json(
            objects(
                {
                    "product": objects({"attributes": objects({"instanceType": TEXT})}),
                    "terms": objects(
                        {
                            "OnDemand": st.dictionaries(
                                TEXT,
                                objects(
                                    {
                                        "priceDimensions": st.dictionaries(
                                            TEXT,
                                            objects(
                                                {
                                                    "unit": st.just("Hrs"),
                                                    "pricePerUnit": objects({"USD": st.one_of(TEXT, numbers())}),
                                                }
                                            ),
                                            max_size=2,
                                        )
                                    }
                                ),
                                max_size=2,
                            )
                        }
                    ),
                }
            )
        ),
    ),
    Target(
        "console",
        _console,
        (),
        lambda: [_CONSOLE.encode(), f"i-1,10.0.0.1 {_KEY}\n# x\n@cert-authority * {_KEY}\n|1|a|b {_KEY}\n".encode()],
        (
            "cloudbench-host-key ",
            "ssh-ed25519 ",
            "ssh-rsa ",
            "ecdsa-sha2-nistp256 ",
            "=",
            "\r",
            "-----END SSH HOST KEY KEYS-----",
            "i-0123456789abcdef0",
            ",",
        ),
        share=6,
    ),
    Target(
        "failure-words",
        _failed,
        (_NotJsonError,),
        lambda: [json.dumps(result).encode() for result in _RESULTS],
        (
            "msg",
            "results",
            "failed",
            "cmd",
            "rc",
            "stdout",
            "stderr",
            "assertion",
            "module_stdout",
            "An error occurred (X) when calling the Y operation: ",
        ),
        share=4,
        strategy=lambda: as_json(
            objects(
                {
                    "msg": TEXT,
                    "rc": st.integers(-64, 255),
                    "cmd": st.lists(TEXT, max_size=3),
                    "stderr": TEXT,
                    "stdout": TEXT,
                    "results": st.lists(values(), max_size=2),
                }
            )
        ),
    ),
    Target(
        "matrix",
        _instances,
        (_NotJsonError,),
        lambda: [json.dumps(_MATRIX).encode()],
        ("type", "count", "count_min", "market", "image", "zones", "or_types", "max_price", "spot"),
        share=6,
        strategy=lambda: as_json(
            st.lists(
                objects(
                    {
                        "type": st.sampled_from(["c7g.large", "x"]),
                        "count": numbers(),
                        "count_min": numbers(),
                        "market": TEXT,
                        "image": TEXT,
                        "zones": st.lists(TEXT, max_size=2),
                        "or_types": st.lists(TEXT, max_size=2),
                        "max_price": numbers(),
                    }
                ),
                max_size=3,
            )
        ),
    ),
    Target(
        "network",
        _network,
        (network.NetworkError,),
        lambda: [b"203.0.113.7\n10.83.0.0/16", b"203.0.113.0/24\n10.0.0.0/19", b"20261123T155523Z-1a2b"],
        ("/", ".", "/32", "/0", "255", ":", "-", "/action/"),
        share=6,
        strategy=lambda: filled(["#.#.#.#/#", "10.#.0.0/16", "@"]).map(
            lambda text: text.encode("utf-8", "surrogatepass")
        ),
    ),
)
