// Copyright: (c) 2026, cloudbench.llama contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// GCC's _tile_loadconfig tells the compiler of 8 of the 64 bytes that the instruction reads (seen in GCC 12's
// amxtileintrin.h: "m" (*((const void **)__config))), so -O3 drops the stores of the others, the tiles are not configured,
// and llama.cpp's AMX kernels end with SIGILL at their first tileloadd. This one names all 64 bytes. Included before each
// C++ file of ggml-cpu where GCC compiles for x86.

#pragma once

#include <immintrin.h>

#undef _tile_loadconfig
#define _tile_loadconfig(config) __asm__ volatile("ldtilecfg\t%X0" ::"m"(*reinterpret_cast<const char(*)[64]>(config)))
