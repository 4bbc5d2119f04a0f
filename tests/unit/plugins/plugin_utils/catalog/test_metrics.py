# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every figure on a page takes its unit, range and form from the registry."""

from __future__ import annotations

import math
import random

import pytest

from ansible_collections.cloudbench.llama.plugins.module_utils.llamacpp.log import buffer_bytes
from ansible_collections.cloudbench.llama.plugins.module_utils.probe import gates
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import metrics
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog.metrics import MetricError


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "N/A"),
        (math.nan, "N/A"),
        (math.inf, "N/A"),
        (0, "0"),
        (0.0, "0"),
        (38.2149, "38.21"),
        (9.99951, "10.00"),
        (99.996, "100.0"),
        (112.449, "112.4"),
        (1234.5, "1,234"),
        (123456.7, "123,457"),
        (1235814432, "1,235,814,432"),
        (0.00123456, "0.001235"),
        (0.0000001, "0.000000"),
        (-3.14159, "-3.142"),
    ],
)
def test_number(value: float | None, shown: str) -> None:
    assert metrics.number(value) == shown


def test_a_number_has_the_decimals_that_it_is_said_to_have() -> None:
    draw = random.Random(3)
    values = [draw.choice((1, -1)) * 10 ** draw.uniform(-5, 6) for _time in range(20_000)]
    edges = [9999.5, 9999.4999999, 999.95, 99.995, 9.9995, 0.99995, 0.001, 0.00099999999, 1234.5, 1235.5, 0.0, -0.0]
    for value in [*values, *(round(value, draw.randint(0, 4)) for value in values), *edges]:
        assert metrics.number(value) == "{:,.{}f}".format(value, metrics.decimals(value))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "N/A"),
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.00 KiB"),
        (32768, "32.0 KiB"),
        (703201280, "671 MiB"),
        (1024**3 - 1, "1.00 GiB"),
        (1439 * 10**6, "1.34 GiB"),
        (128 * 1024**3, "128 GiB"),
        (5000 * 1024**4, "5,000 TiB"),
    ],
)
def test_binary(value: int | None, shown: str) -> None:
    assert metrics.binary(value).replace(metrics.NO_BREAK, " ") == shown


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("tg_tps", 38.2149, "38.21 token/s"),
        ("token_time_ms", metrics.token_time_ms(40.0), "25.00 ms"),
        ("prompt_time_ms", metrics.prompt_time_ms(512, 128.0), "4,000 ms"),
        ("cpu_percent", 97.46, "97.5 %"),
        ("rss_peak_bytes", 1024**3, "1.00 GiB"),
        ("minor_faults", 181885.4, "181,885"),
        ("steal_percent", None, "N/A"),
    ],
)
def test_with_unit(name: str, value: float | None, shown: str) -> None:
    assert metrics.with_unit(name, value).replace(metrics.NO_BREAK, " ") == shown


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (38.1, 38.3, "38.10 to 38.30"),
        (0.052999, 7521.67, "0.05300 to 7,522"),
        (None, 1.0, "N/A"),
        (1.0, None, "N/A"),
    ],
)
def test_span(low: float | None, high: float | None, shown: str) -> None:
    assert metrics.span(low, high, 2).replace(metrics.NO_BREAK, " ") == shown


@pytest.mark.parametrize(
    ("count", "word", "shown"),
    [(0, "cell", "0 cells"), (1, "launch", "1 launch"), (2, "launch", "2 launches"), (1234, "CPU", "1,234 CPUs")],
)
def test_plural(count: int, word: str, shown: str) -> None:
    assert metrics.plural(count, word) == shown


def test_an_undefined_time_is_not_available() -> None:
    assert metrics.token_time_ms(None) is None
    assert metrics.token_time_ms(0) is None
    assert metrics.prompt_time_ms(512, 0.0) is None
    assert metrics.prompt_time_ms(0, 100.0) is None


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("tg_tps", 38.2, None),
        ("tg_tps", 0, "outside"),
        ("tg_tps", 1e300, "outside"),
        ("tg_tps", math.nan, "outside"),
        ("tg_tps", True, "not a number"),
        ("tg_tps", "38", "not a number"),
        ("cpu_percent", 100.4, None),
        ("cpu_percent", 250, "outside"),
        ("steal_percent", -0.1, "outside"),
        ("rss_peak_bytes", 10**400, "outside"),
    ],
)
def test_trouble(name: str, value: object, reason: str | None) -> None:
    found = metrics.trouble(name, value)
    assert (found is None) if reason is None else (found is not None and reason in found)


def test_an_unknown_name_is_refused_and_the_known_ones_are_told() -> None:
    with pytest.raises(MetricError, match=r"'speed' is no metric: .*tg_tps"):
        metrics.metric("speed")


def test_what_the_target_measures_is_registered() -> None:
    unknown = gates.gates(
        gates.snapshot("/nonexistent"),
        gates.snapshot("/nonexistent"),
        gates.Usage(1.0, 1.0, 0.0, 1, 0, 0, 0, 0),
    )
    assert set(unknown) == set(metrics.GATES)
    assert set(gates.LIMITS) <= set(metrics.REGISTRY)
    assert set(buffer_bytes({"buffers": []})) <= set(metrics.REGISTRY)


@pytest.mark.parametrize("row", metrics.REGISTRY.values(), ids=lambda row: row.name)
def test_rows_are_complete(row: metrics.Metric) -> None:
    assert row.unit in ("token/s", "ms", "s", "%", "B", "GB/s", "GFLOP/s", "USD", "1/s", "1", "nat")
    assert row.better in ("higher", "lower", "none")
    assert row.low < row.high
    assert row.label
    assert row.formula
    assert row.source
    assert row.formatter(None) == "N/A"


def test_means_over_tokens_are_told_from_ratios() -> None:
    means = {name for name in metrics.REGISTRY if metrics.over_tokens(name)}
    names = ("kld_mean", "kld_median", "kld_p99", "top1_percent", "p_change_rms_percent")
    assert means == {prefix + name for prefix in ("", "agree_") for name in names}
