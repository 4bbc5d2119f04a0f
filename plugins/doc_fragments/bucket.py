# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bucket that many share."""

from __future__ import annotations


class ModuleDocFragment:
    """Found by its name."""

    DOCUMENTATION = r"""
options:
  bucket:
    description:
      - The place, as C(s3://BUCKET/PREFIX). The bucket must be there.
      - Credentials, profile, region and C(AWS_ENDPOINT_URL) are those of the environment; the region of the bucket is
        asked for.
    type: str
    required: true
"""
