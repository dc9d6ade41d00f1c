"""What all peers share: how they are checked, timed, and asked by bench/compare. Run it as a peer's module is run:

    python bench/peers/NAME.py MODEL THREADS VARIANT

Each line on standard input is a question, {"do": "decode"} or {"do": "prefill"}; each line on standard output an answer:
first {"name", "check"}, or {"error"} from a peer that cannot run or computes something else; then tokens a second,
{"best", "median"}. A peer is a class with `name`, made of Weights (gpt2.py), the path, the number of threads and the
variant.
"""

import json
import os
import random
import statistics
import sys
import time

import numpy as np

from gpt2 import Weights, reference_logits

BEFORE, IDS, REPEATS = 487, 48, 3  # as `midinfinite bench` has at context 512
PREFILL = 511
CHECKED = 24
VOCABULARY = 55028


class Peer:
    """read() is all that most peers need to have."""

    prefills = False  # whether several ids at once are read as one product, and worth timing
    correlation = 0.99  # with the reference's logits, at least
    near = 5  # the reference's highest logit is among so many highest of the peer's: rounding swaps close ones
    bits = None  # 4 or 8 where it rounds the file's weights to Q4_0 or Q8_0: checked against weights so rounded

    def read(self, ids, begin):
        """Logits of the last of `ids`, which follow the first `begin` ids read; what was read after those is forgotten."""
        raise NotImplementedError

    def rewind(self, begin):
        """Not timed: before read() goes back to `begin`."""

    def check(self):
        """Ids, and the logits after them: most read at once, the rest one by one."""
        ids = random_ids()[:CHECKED]
        self.rewind(0)
        self.read(ids[: CHECKED - 8], 0)
        for i in range(CHECKED - 8, CHECKED):
            logits = self.read(ids[i : i + 1], i)
        return ids, np.array(logits, np.float32).reshape(-1)

    def prepare(self):
        self.rewind(0)
        self.read(random_ids()[:BEFORE], 0)

    def decode(self):
        ids = random_ids()
        self.rewind(BEFORE)
        began = time.perf_counter()
        for i in range(BEFORE, BEFORE + IDS):
            self.read(ids[i : i + 1], i)
        return IDS / (time.perf_counter() - began)

    def prefill(self):
        ids = random_ids()[:PREFILL]
        self.rewind(0)
        began = time.perf_counter()
        self.read(ids, 0)
        return PREFILL / (time.perf_counter() - began)


def random_ids():
    random.seed(1)
    return [random.randrange(VOCABULARY) for _ in range(BEFORE + IDS)]


def checked(peer, weights):
    ids, logits = peer.check()
    weights.bits = peer.bits
    expected = reference_logits(weights, ids)
    expected, logits = expected[: weights.vocabulary - 1], logits[: weights.vocabulary - 1]  # one peer's end: not allowed
    correlation = float(np.corrcoef(logits, expected)[0, 1])
    rank = int((logits > logits[expected.argmax()]).sum()) + 1
    says = f"correlation {correlation:.6f}, the highest is number {rank} here"
    if not (correlation > peer.correlation and rank <= peer.near):  # NaN fails too
        raise RuntimeError(f"computes something else: {says}")
    return says


def in_one_line(error):
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]


def serve(make):
    """make(weights, path, threads, variant) -> Peer"""
    path, threads, variant = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print

    def answer(value):
        print(json.dumps(value), file=answers, flush=True)

    try:
        weights = Weights(path)
        peer = make(weights, path, threads, variant)
        check = checked(peer, weights)
        del weights
        peer.prepare()
        peer.decode()
        answer({"name": peer.name, "check": check, "prefills": peer.prefills})
        for line in sys.stdin:
            what = json.loads(line)["do"]
            if what == "prefill":
                speeds = [peer.prefill()]
                peer.prepare()
            else:
                speeds = [peer.decode() for _ in range(REPEATS)]
            answer({"best": max(speeds), "median": statistics.median(speeds)})
    except Exception as error:  # whatever a library throws
        import traceback

        traceback.print_exc()
        answer({"error": in_one_line(error)})
        sys.exit(1)
