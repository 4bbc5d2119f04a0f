// Copyright: (c) 2026, cloudbench.llama contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// The two ceilings of this machine for a number of threads (S. Williams, A. Waterman, D. Patterson, Roofline, CACM 52
// (2009)). Of memory, in 1e9 bytes a second: read (a sum over one array, as the weights are read for each token) and triad
// (a[i] = b[i] + s * c[i]; J. D. McCalpin, STREAM). Triad counts 24 bytes for each element, as STREAM does; that a store
// first reads its line is not counted. Of arithmetic, in 1e9 operations a second: multiplications and additions of 32-bit
// floating-point numbers in registers, two operations for each pair.
//
//     llama-roofline --threads N --bytes B --repetitions R
//
// B is the size of each of three arrays. They ask for huge pages: where the kernel finds small ones for a new process
// depends on who freed memory before, and pages that do not follow each other were read at 24 GB/s on a machine that
// reads at 35. Prints one line of JSON; "huge_pages" says whether most of the arrays have them.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#ifdef _OPENMP
#include <omp.h>
#endif
#ifdef __linux__
#include <sys/mman.h>
#endif

namespace {

double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct Free {
    void operator()(double * p) const { std::free(p); }
};
using Array = std::unique_ptr<double[], Free>;

Array allocate(size_t n) {
    // Whole huge pages, so that no two arrays share one.
    constexpr size_t HUGE_PAGE = 2 << 20;
    const size_t size = (n * sizeof(double) + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    void * p = std::aligned_alloc(HUGE_PAGE, size);
    if (p == nullptr) {
        std::fprintf(stderr, "error: no memory for %zu bytes\n", n * sizeof(double));
        std::exit(1);
    }
#ifdef MADV_HUGEPAGE
    // A kernel without them answers with an error, and the pages are small.
    (void) madvise(p, size, MADV_HUGEPAGE);
#endif
    return Array(static_cast<double *>(p));
}

// The bytes of this process that are in huge pages, 0 where the kernel does not say.
double in_huge_pages() {
    double kilobytes = 0;
    if (std::FILE * file = std::fopen("/proc/self/smaps_rollup", "r")) {
        char line[256];
        while (std::fgets(line, sizeof line, file) != nullptr) {
            if (std::sscanf(line, "AnonHugePages: %lf kB", &kilobytes) == 1) {
                break;
            }
        }
        std::fclose(file);
    }
    return kilobytes * 1024;
}

// Each thread has one part, the same one in every loop: what it touched first lies near it (NUMA).
void part(size_t n, int thread, int threads, size_t & begin, size_t & end) {
    const size_t lines = n / 8;
    begin = lines * thread / threads * 8;
    end = thread + 1 == threads ? n : lines * (thread + 1) / threads * 8;
}

double sum(const double * a, size_t begin, size_t end) {
    // 32 chains of additions: with one, the latency of the addition would be measured.
    double s[32] = {};
    size_t i = begin;
    for (; i + 32 <= end; i += 32) {
        for (int k = 0; k < 32; ++k) {
            s[k] += a[i + k];
        }
    }
    for (; i < end; ++i) {
        s[0] += a[i];
    }
    double all = 0;
    for (double one : s) {
        all += one;
    }
    return all;
}

// The widest registers that the compiler may use. Where the processor has fused multiply-add it makes that of the two
// operations, which is its default (-ffp-contract=fast of GCC, =on of Clang).
#if defined(__AVX512F__)
typedef float Vector __attribute__((vector_size(64)));
#elif defined(__AVX__)
typedef float Vector __attribute__((vector_size(32)));
#else
typedef float Vector __attribute__((vector_size(16)));
#endif
constexpr int LANES = sizeof(Vector) / sizeof(float);
// Enough chains for two units of latency 4 or four of latency 4, and few enough for 16 registers short of two.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int CHAINS = 20;
#else
constexpr int CHAINS = 12;
#endif

float multiply_and_add(float seed, long long steps) {
    Vector x[CHAINS], scale, step;
    for (int lane = 0; lane < LANES; ++lane) {
        scale[lane] = 0.5f + seed;
        step[lane] = 0.25f + seed;
    }
    for (int k = 0; k < CHAINS; ++k) {
        x[k] = step * static_cast<float>(k);
    }
    for (long long i = 0; i < steps; ++i) {
#pragma GCC unroll 32
        for (int k = 0; k < CHAINS; ++k) {
            x[k] = x[k] * scale + step;
        }
    }
    float all = 0;
    for (const Vector & one : x) {
        for (int lane = 0; lane < LANES; ++lane) {
            all += one[lane];
        }
    }
    return all;
}

template <typename F> void in_parallel(int threads, F work) {
#ifdef _OPENMP
    #pragma omp parallel num_threads(threads)
    work(omp_get_thread_num(), omp_get_num_threads());
#else
    (void) threads;
    work(0, 1);
#endif
}

void print(const char * name, const std::vector<double> & rates, const char * end) {
    std::printf("\"%s\": [", name);
    for (size_t i = 0; i < rates.size(); ++i) {
        std::printf("%s%.6g", i ? ", " : "", rates[i]);
    }
    std::printf("]%s", end);
}

long long number(const char * text, const char * name) {
    char * end = nullptr;
    const long long value = std::strtoll(text, &end, 10);
    if (*text == '\0' || *end != '\0' || value < 1) {
        std::fprintf(stderr, "error: %s must be a whole number of 1 or more, not '%s'\n", name, text);
        std::exit(2);
    }
    return value;
}

}  // namespace

int main(int argc, char ** argv) {
    long long threads = 1, bytes = 256ll << 20, repetitions = 10;
    for (int i = 1; i < argc; ++i) {
        if (std::strcmp(argv[i], "--help") == 0) {
            std::puts("usage: llama-roofline --threads N --bytes B --repetitions R");
            return 0;
        }
        long long * wanted = std::strcmp(argv[i], "--threads") == 0     ? &threads
                             : std::strcmp(argv[i], "--bytes") == 0       ? &bytes
                             : std::strcmp(argv[i], "--repetitions") == 0 ? &repetitions
                                                                          : nullptr;
        if (wanted == nullptr || i + 1 == argc) {
            std::fprintf(stderr, "error: '%s' is no option, or lacks its value\n", argv[i]);
            return 2;
        }
        *wanted = number(argv[i + 1], argv[i]);
        ++i;
    }
#ifndef _OPENMP
    if (threads > 1) {
        std::fprintf(stderr, "error: compiled without OpenMP, it has only one thread\n");
        return 1;
    }
#endif
    const size_t n = static_cast<size_t>(bytes) / sizeof(double);
    Array a = allocate(n), b = allocate(n), c = allocate(n);
    in_parallel(static_cast<int>(threads), [&](int thread, int of) {
        size_t begin, end;
        part(n, thread, of, begin, end);
        for (size_t i = begin; i < end; ++i) {
            a[i] = 1.0;
            b[i] = 2.0;
            c[i] = 3.0;
        }
    });
    std::vector<double> read, triad, arithmetic;
    double check = 0;
    // So many steps as take some 10 ms: long enough for the clock and the start of the threads, short on any machine.
    long long steps = 1000;
    for (double took = 0; took < 0.01; steps *= 2) {
        const double start = now();
        check += static_cast<double>(multiply_and_add(0, steps));
        took = now() - start;
    }
    for (long long r = 0; r <= repetitions; ++r) {
        std::vector<double> sums(static_cast<size_t>(threads) * 8);
        double start = now();
        in_parallel(static_cast<int>(threads), [&](int thread, int of) {
            size_t begin, end;
            part(n, thread, of, begin, end);
            sums[static_cast<size_t>(thread) * 8] = sum(b.get(), begin, end);
        });
        const double read_s = now() - start;
        for (double one : sums) {
            check += one;
        }
        const double scale = 1.0 / static_cast<double>(r + 2);
        start = now();
        in_parallel(static_cast<int>(threads), [&](int thread, int of) {
            size_t begin, end;
            part(n, thread, of, begin, end);
            double * __restrict x = a.get();
            const double * __restrict y = b.get();
            const double * __restrict z = c.get();
            for (size_t i = begin; i < end; ++i) {
                x[i] = y[i] + scale * z[i];
            }
        });
        const double triad_s = now() - start;
        check += a[n / 2];
        start = now();
        in_parallel(static_cast<int>(threads), [&](int thread, int) {
            sums[static_cast<size_t>(thread) * 8] = static_cast<double>(multiply_and_add(static_cast<float>(r) * 1e-9f, steps));
        });
        const double arithmetic_s = now() - start;
        for (double one : sums) {
            check += one;
        }
        // The first time warms up.
        if (r > 0) {
            arithmetic.push_back(2.0 * LANES * CHAINS * static_cast<double>(steps) * static_cast<double>(threads) / arithmetic_s / 1e9);
            read.push_back(static_cast<double>(n) * sizeof(double) / read_s / 1e9);
            triad.push_back(3.0 * static_cast<double>(n) * sizeof(double) / triad_s / 1e9);
        }
    }
    // Sums that nobody looks at would not be formed.
    if (!(check > 0)) {
        std::fprintf(stderr, "error: the sums are wrong\n");
        return 1;
    }
    const bool huge = in_huge_pages() > 1.5 * static_cast<double>(bytes);
    std::printf("{\"threads\": %lld, \"bytes\": %lld, \"huge_pages\": %s, ", threads, bytes, huge ? "true" : "false");
    print("read_gb_s", read, ", ");
    print("triad_gb_s", triad, ", ");
    print("fma_gflops", arithmetic, "}\n");
    return 0;
}
