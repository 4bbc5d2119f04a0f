#!/usr/bin/env bash
# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# gguf 0.19.0: to open a file with a vocabulary of Llama 3's size, GGUFReader takes some eighty times the bytes that the
# file's metadata has, and many seconds of one core: it makes arrays of numpy for the length and for the bytes of each
# of the 408,403 strings (gguf_reader.py, _get_field_parts), whatever the caller is after. gguf-dump, gguf-hash,
# gguf-new-metadata and gguf-set-metadata open a file that way.
#
# Behaviour seen on 2026-11-29 of 128,256 tokens and 280,147 merges, with one tensor of 4 KiB:
#
#     file, MB   memory taken, MB   of processor, s   read for
#          6.7                548              18.5   llama.block_count = 32
#
# So on the machine that is measured, to look up one number of a model's metadata evicts the page cache of a small
# instance and warms a core: read the few bytes by hand, or do it elsewhere.
# Ends with 1 where the package does otherwise. Needs Python 3.11 or newer and a package index.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pip=("$folder/venv/bin/pip" install --quiet --disable-pip-version-check)
"${pip[@]}" gguf==0.19.0 numpy==2.4.6
"$folder/venv/bin/python" - "$folder/model.gguf" <<'END'
import sys
import time
from importlib.metadata import version
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

import gguf
import numpy as np

TOKENS, MERGES = 128_256, 280_147

model = Path(sys.argv[1])
writer = gguf.GGUFWriter(model, "llama")
writer.add_block_count(32)
writer.add_tokenizer_model("gpt2")
writer.add_token_list([f"t{number:06d}" for number in range(TOKENS)])
writer.add_token_merges([f"a{number:06d} b" for number in range(MERGES)])
writer.add_tensor("token_embd.weight", np.zeros((32, 32), np.float32))
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
size = model.stat().st_size / 1e6

before, start = getrusage(RUSAGE_SELF).ru_maxrss, time.process_time()
reader = gguf.GGUFReader(model)
layers = reader.get_field("llama.block_count").contents()
taken = (getrusage(RUSAGE_SELF).ru_maxrss - before) * 1024 / 1e6
seconds = time.process_time() - start
print(f"gguf {version('gguf')}\n\nfile, MB   memory taken, MB   of processor, s   read for")
print(f"{size:8.1f}{taken:19.0f}{seconds:18.1f}   llama.block_count = {layers}")
same = layers == 32 and taken > 50 * size
print("\nas described" if same else "\nNOT as described")
sys.exit(0 if same else 1)
END
