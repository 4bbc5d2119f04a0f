# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of all launches: what gates have seen of swapping stands there where there was any."""

from __future__ import annotations

from support.records.real_run import Record, page, section


def test_pressure_and_pages_swapped_in_have_columns_where_pages_were_swapped_in(real: list[Record]) -> None:
    assert "Swapped in" not in section(page(real), "Throughput")
    for record in real:
        if record["kind"] == "launch" and record["payload"]["cell"]["test"] == "pp512":
            record["payload"]["gates"].update(swap_in_pages=1234, pressure_some_percent=56.7)
    throughput = section(page(real), "Throughput")
    assert "| Other CPU % | Swapped in | Pressure % | Validity |" in throughput
    assert "| 1,234 | 56.7 |" in throughput


def test_the_threads_that_ran_have_a_column_where_some_did_not(real: list[Record]) -> None:
    launches = [record["payload"] for record in real if record["kind"] == "launch"]
    for launch in launches:
        launch["gates"]["threads_ran"] = launch["cell"]["threads"]
    assert "Threads that ran" not in section(page(real), "Throughput")
    for launch in launches:
        if launch["cell"]["test"] == "pp512":
            launch["cell"]["threads"], launch["gates"]["threads_ran"] = 2, 1
    assert "| Other CPU % | Threads that ran | Validity |" in section(page(real), "Throughput")
