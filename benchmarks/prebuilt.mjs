// Copyright: (c) 2026, cloudbench.llama contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
//
// One launch of node-llama-cpp for prebuilt.py, which copies this file beside the node_modules it is to use and gives
// the job as the one argument. Prints the outcome as one line of JSON; llama.cpp's own log goes to standard error.
//
// The clock is read where llama-server reads its own: the prompt's time ends and the generation's begins when the first
// token has been sampled.

import {readFileSync} from "node:fs";
import {performance} from "node:perf_hooks";
import {getLlama, LlamaLogLevel} from "node-llama-cpp";

const job = JSON.parse(process.argv[2]);
const llama = await getLlama({
    gpu: false,
    build: "never",
    skipDownload: true,
    maxThreads: job.threads,
    logLevel: LlamaLogLevel.debug,
    logger: (level, message) => process.stderr.write(message + "\n")
});
const model = await llama.loadModel({modelPath: job.model, useMmap: true});
const context = await model.createContext({
    contextSize: job.context,
    batchSize: job.batch,
    sequences: 1,
    threads: {ideal: job.threads, min: job.threads},
    flashAttention: true
});
const sequence = context.getSequence();

async function complete({prompt, predict}) {
    await sequence.clearHistory();
    const started = performance.now();
    let first, last, predicted = 0;
    for await (const token of sequence.evaluate(prompt, {temperature: 0, yieldEogToken: true})) {
        last = performance.now();
        first ??= last;
        predicted += 1;
        if (predicted === predict)
            break;
    }
    return {prompt_n: prompt.length, prompt_ms: first - started, predicted_n: predicted, predicted_ms: last - first};
}

await complete(job.warm_up);
const timings = await complete(job.measured);
const libraries = new Set(readFileSync("/proc/self/maps", "utf8").match(/libggml-cpu[^/\s]*\.so/g));
const outcome = {
    timings,
    system_info: llama.systemInfo,
    version: `llama.cpp ${llama.llamaCppRelease.release}, ${llama.buildType}, ${[...libraries].join(" ")}`,
    threads: context.currentThreads,
    batch: context.batchSize
};
await llama.dispose();
process.stdout.write(JSON.stringify(outcome) + "\n");
