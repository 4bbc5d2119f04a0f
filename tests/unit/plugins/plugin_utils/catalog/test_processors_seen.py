# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalog against what was seen on instances, on request: CLOUDBENCH_EC2_SEEN names a CSV file, gzipped or not.

Its columns: type, processor (as the catalog calls it, or empty), vcpus, physical_cores, numa_nodes, cpu (the name that
/proc/cpuinfo has). Such files have licences of their own, so none is here.
"""

from __future__ import annotations

import csv
import gzip
import os
import re
from pathlib import Path

from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import processors

SEEN = os.environ["CLOUDBENCH_EC2_SEEN"]
# What the name of a processor says of it -> those of the catalog that it may be.
NAMES = {
    r"Cortex-A72": "Graviton1",
    r"Neoverse-N1": "Graviton2",
    r"Neoverse-V1": "Graviton3|Graviton3E",
    r"Neoverse-V2": "Graviton4",
    r"Neoverse-V3": "Graviton5",
    r"E5-26.. v2": "Xeon E5 v2",
    r"E[57]-\d{4} v[34]": "Xeon E5 v3 or v4",
    r"81(24|51|75|76)M?": "Xeon 1|Xeon 1 or 2",
    r"82(52|59|75)CL?": "Xeon 2|Xeon 1 or 2",
    r"8375C": "Xeon 3",
    r"84(77|88)C|6455B": "Xeon 4",
    r"8559C": "Xeon 5",
    r"6975P-C": "Xeon 6",
    r"EPYC 7571": "EPYC 1",
    r"EPYC 7R32": "EPYC 2",
    r"EPYC 7R13": "EPYC 3",
    r"EPYC 9R14": "EPYC 4",
    r"EPYC 9R[04]5": "EPYC 5",
}


def test_the_catalog_says_what_was_seen():
    with gzip.open(SEEN, "rt") if Path(SEEN).suffix == ".gz" else Path(SEEN).open() as file:
        seen = {row["type"]: row for row in csv.DictReader(file)}
    assert seen
    different = []
    for name, row in seen.items():
        try:
            listed = processors.instance_type(name)
        except processors.CatalogError as error:
            different.append(f"{name}: {error}"[:80])
            continue
        mine = {
            "processor": listed.processor,
            "vcpus": str(listed.vcpus),
            "physical_cores": str(listed.physical_cores),
            "numa_nodes": str(listed.numa_nodes),
        }
        different += [
            f"{name}: {column} {mine[column]}, seen {row[column]}"
            for column in mine
            if row[column] not in ("", mine[column])
        ]
        may_be = [known for pattern, known in NAMES.items() if re.search(pattern, row["cpu"])]
        if not any(listed.processor in known.split("|") for known in may_be):
            different.append(f"{name}: {listed.processor}, seen {row['cpu']}")
    assert different == []
