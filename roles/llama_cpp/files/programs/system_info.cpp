// Copyright: (c) 2026, cloudbench.llama contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Prints the processor features that the llama.cpp it is linked with was compiled for.
// llama-bench does not print them, and the tools that do want a model first.

#include "llama.h"

#include <cstdio>

int main() {
    std::puts(llama_print_system_info());
    return 0;
}
