# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door: all targets, by the families that they are of."""

from __future__ import annotations

from fuzz.families import cloud, hosts, models, outputs, rows, servers, stores, tables, words
from fuzz.target import Target

TARGETS: tuple[Target, ...] = (
    *rows.TARGETS, *outputs.TARGETS, *models.TARGETS, *hosts.TARGETS, *servers.TARGETS, *stores.TARGETS,
    *tables.TARGETS, *cloud.TARGETS, *words.TARGETS,
)  # fmt: skip
