# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tables here say of a machine that is named by its instance type of EC2; the rest stays unknown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.cloudbench.llama.plugins.module_utils.record.words import alike, nearest
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog import prices, processors
from ansible_collections.cloudbench.llama.plugins.plugin_utils.catalog.processors import InstanceType
from ansible_collections.cloudbench.llama.plugins.plugin_utils.imports.forms import ImportFailed

# A family with its generation, and a size.
_TYPE = re.compile(r"[a-z]+-?\d+[a-z0-9-]*\.(?:\d*xlarge|metal(?:-\d+xl)?|nano|micro|small|medium|large)")
# What may be meant as one: a word like a family, and one like a size.
_LIKE_TYPE = re.compile(r"[a-z]+-?\d+[a-z0-9-]*\.[a-z0-9-]+")
# Of its letters so many are those of a type, in this order: c7g.16xlrage.
_ALIKE = 0.85
# Words of a processor's brand that its title in the catalog has as well.
_BRAND = re.compile(r"\b(?:intel|amd|graviton\d*)", re.IGNORECASE)


def check_region(region: str) -> None:
    """Raise ImportFailed for a region of which the table has no price; "" is none, and asks for none."""
    if region and region not in prices.regions():
        raise ImportFailed(
            f"no price is known of the region {region!r:.40}{nearest(region, prices.regions())}: name one of "
            f"{', '.join(prices.regions())}"
        )


def instance_type(name: str) -> InstanceType | None:
    """Return the instance type that a machine is named by, None for any other name."""
    plain = name.strip().lower()
    # Looking for the nearest of a thousand types takes longer than the rest of an import.
    if not _TYPE.fullmatch(plain):
        return None
    try:
        return processors.instance_type(plain)
    except processors.CatalogError:
        return None


def remark(name: str) -> str | None:
    """Return what is to be said of a name that looks like an instance type and is none of the catalog."""
    plain = name.strip().lower()
    if not _LIKE_TYPE.fullmatch(plain) or instance_type(plain):
        return None
    types = processors.instance_types()
    if not _TYPE.fullmatch(plain) and not alike(plain, types, cutoff=_ALIKE):
        return None
    known = nearest(plain, types)
    return f"{plain} is not in the catalog of instance types{known}; processor, cores and price of it are not known"


def facts(listed: InstanceType, said: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return what the catalog adds to a fingerprint; `said`, what the files say of it, goes before.

    Raises ImportFailed, which names the files by `where`, when they are of something else than an instance of it.
    """
    processor = processors.processor(listed.processor)
    _refuse_contradiction(listed, processor.title, said, where)
    count = said.get("cpu_count")
    # With fewer processors than the type has, nobody knows which ones were left.
    whole = count in (None, listed.vcpus)
    machine = {
        "architecture": listed.architecture,
        "cpu_count": count or listed.vcpus,
        "instance": {"type": listed.name},
        "physical_cores": listed.physical_cores if whole else None,
        "numa_nodes": listed.numa_nodes if whole else None,
    }
    # Of two processors that a type may have, only the flags tell, which no file has.
    return {**machine, "processor": None if processor.or_core else processors.recognise(machine)}


def _refuse_contradiction(listed: InstanceType, title: str, said: Mapping[str, Any], where: str) -> None:
    is_of = f"{listed.name} has {listed.vcpus} vCPUs of {title} ({listed.architecture})"
    remedy = "give the type that they were measured on, or a name of your own"
    architecture, model, count = said.get("architecture"), said.get("cpu_model") or "", said.get("cpu_count")
    known = {"arm64": "aarch64", "amd64": "x86_64"}
    if architecture and known.get(architecture, architecture) != listed.architecture:
        raise ImportFailed(f"{is_of}, and {where} is of a build for {architecture}: {remedy}")
    brands = [word.lower() for word in _BRAND.findall(model)]
    if brands and not any(brand in title.lower() for brand in brands):
        raise ImportFailed(f"{is_of}, and {where} is of {model}: {remedy}")
    if count and count > listed.vcpus:
        raise ImportFailed(f"{is_of}, and {where} is of a machine with {count}: {remedy}")


def price(listed: InstanceType, region: str) -> dict[str, Any] | None:
    """Return what an hour costs as a run record has it, by the list of a region; None where the table has none."""
    hour = prices.on_demand(listed.name, region) if region else prices.Price(None)
    if hour.usd is None:
        return None
    source = f"list price in {region}, {hour.source}"
    return prices.paid({"usd_hour": hour.usd, "date": hour.date, "source": source, "market": prices.ON_DEMAND})
