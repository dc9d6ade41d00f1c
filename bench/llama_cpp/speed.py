"""Our decoding against llama.cpp's on the same model file, in turns. Run by bench/compare, in the environment it makes.

Each round, both decode 48 ids one by one, three times, around context 512 (487 to 534 ids read before): `midinfinite
bench --only decode` with the rows of the head that a generator asks for and with the whole head, llama.cpp with the
whole head, which it always computes. The best of all rounds and the median of the rounds' medians are printed, and the
ratios. llama.cpp: weights in memory of its own on huge pages rather than in the mapped file, no flash attention, keys and
values in float16, its defaults otherwise.
"""

import argparse
import ctypes
import json
import os
import random
import statistics
import subprocess
import time

import llama_cpp

CONTEXT, IDS, REPEATS = 512, 48, 3
BEFORE = 487  # as `midinfinite bench` has at context 512
VOCABULARY = 55028


class LlamaCpp:
    def __init__(self, model, threads):
        self.network = llama_cpp.Llama(model, n_ctx=1024, n_threads=threads, n_threads_batch=threads, use_mmap=False,
                                       flash_attn=False, verbose=False)
        self.memory = llama_cpp.llama_get_memory(self.network.ctx)
        random.seed(1)
        ids = [random.randrange(VOCABULARY) for _ in range(BEFORE + IDS)]
        self.ids = (llama_cpp.llama_token * len(ids))(*ids)
        self.read(0, BEFORE)

    def read(self, begin, count):
        first = ctypes.cast(ctypes.byref(self.ids, begin * ctypes.sizeof(llama_cpp.llama_token)),
                            ctypes.POINTER(llama_cpp.llama_token))
        if llama_cpp.llama_decode(self.network.ctx, llama_cpp.llama_batch_get_one(first, count)) != 0:
            raise SystemExit("llama.cpp does not decode")
        return llama_cpp.llama_get_logits_ith(self.network.ctx, -1)  # waits for them

    def round(self):
        speeds = []
        for _ in range(REPEATS):
            llama_cpp.llama_memory_seq_rm(self.memory, 0, BEFORE, -1)
            began = time.perf_counter()
            for i in range(BEFORE, BEFORE + IDS):
                self.read(i, 1)
            speeds.append(IDS / (time.perf_counter() - began))
        return {"best": max(speeds), "median": statistics.median(speeds)}


def our_round(program, model, threads):
    environment = {key: value for key, value in os.environ.items() if key != "GLIBC_TUNABLES"}
    command = [program, "bench", "--json", "--only", "decode", "--rounds", str(REPEATS), "--threads", str(threads),
               "--model", model]
    report = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment).stdout)
    return {p["head"]: p["tokens_per_second"] for p in report["decode"] if p["context"] == CONTEXT}


def main():
    parser = argparse.ArgumentParser(prog="bench/compare")
    parser.add_argument("--program", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--model", default="models/mini-q8_0.gguf")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    theirs = LlamaCpp(arguments.model, arguments.threads)
    rounds = {"allowed": [], "whole": [], "llama.cpp": []}
    for _ in range(arguments.rounds):
        for head, speed in our_round(arguments.program, arguments.model, arguments.threads).items():
            rounds[head].append(speed)
        rounds["llama.cpp"].append(theirs.round())
    speeds = {who: {"best": max(r["best"] for r in each), "median": statistics.median(r["median"] for r in each)}
              for who, each in rounds.items()}
    ratios = {head: {key: speeds[head][key] / speeds["llama.cpp"][key] for key in ("best", "median")}
              for head in ("allowed", "whole")}
    if arguments.json:
        print(json.dumps({"model": arguments.model, "threads": arguments.threads, "context": CONTEXT,
                          "rounds": arguments.rounds, "llama_cpp": llama_cpp.__version__,
                          "tokens_per_second": speeds, "ratio": ratios}, indent=2))
        return
    print(f"{arguments.model}, {arguments.threads} threads, context {CONTEXT}, {arguments.rounds} rounds: best (median)")
    names = {"allowed": "midinfinite, the rows a generator asks for", "whole": "midinfinite, the whole head",
             "llama.cpp": f"llama-cpp-python {llama_cpp.__version__}, the whole head"}
    for who, name in names.items():
        print(f"  {name:45} {speeds[who]['best']:8.1f} ({speeds[who]['median']:.1f}) tokens/s")
    print(f"  {'as many times as fast, for music':45} {ratios['allowed']['best']:8.2f} ({ratios['allowed']['median']:.2f})")
    print(f"  {'as many times as fast, at the same work':45} {ratios['whole']['best']:8.2f} ({ratios['whole']['median']:.2f})")


if __name__ == "__main__":
    main()
