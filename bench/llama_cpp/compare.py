"""Our logits against llama.cpp's on the same model file and ids. Run by check.sh, in the environment that it makes.

    compare.py LIMIT MODEL IDS OURS …   IDS: uint16 rows of 1,024; OURS: a file a row, float32 [1024, vocabulary]

For every id of a row but the first, both networks' logits are turned into probabilities with one softmax over what may
stand in that slot of a triplet (an event's ids, the same as controls, SEPARATOR): the network was trained like that and
other logits mean nothing. Prints the Kullback-Leibler divergence KL(ours || llama.cpp) per slot in nats, mean and
largest, and each side's own negative log-likelihood. Exit status 1 where a mean passes LIMIT.
"""

import sys

import numpy as np
from llama_cpp import Llama

ROW = 1024
CONTROL = 27513
SEPARATOR = 55025
SLOTS = {"onset": (0, 10000), "duration": (10000, 11000), "note": (11000, 27513)}  # REST is a note


def slot_ids(name):
    begin, end = SLOTS[name]
    controls = np.arange(begin, min(end, 27512)) + CONTROL  # there is no REST among controls
    return np.concatenate([np.arange(begin, end), controls, [SEPARATOR]])


def log_softmax(logits):
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def main(limit, model, ids_path, ours_paths):
    rows = np.fromfile(ids_path, "<u2").reshape(-1, ROW)
    # The cache in float32 as ours is; what is left is the arithmetic: ggml rounds activations to 8 bits before a product
    # with Q8_0 weights, we do not.
    network = Llama(model, n_ctx=ROW, n_batch=ROW, n_ubatch=512, logits_all=True, n_threads=2, n_threads_batch=2,
                    type_k=0, type_v=0, flash_attn=False, verbose=False)
    names = list(SLOTS)
    divergences = {name: [] for name in names}
    nats = {name: [[], []] for name in names}
    for row, path in zip(rows, ours_paths, strict=True):
        network.reset()
        network.eval(row.astype(int).tolist())
        theirs = network.scores[:ROW]
        ours = np.memmap(path, "<f4", "r").reshape(ROW, -1)
        if ours.shape != theirs.shape:
            sys.exit(f"{path}: {ours.shape} logits, llama.cpp has {theirs.shape}")
        for slot, name in enumerate(names):
            ids = slot_ids(name)
            positions = np.arange(slot, ROW - 1, 3)
            actual = np.searchsorted(ids, row[positions + 1])
            if not np.array_equal(ids[actual], row[positions + 1]):
                sys.exit(f"{ids_path}: an id stands in another slot than its own")
            p = log_softmax(ours[positions][:, ids])
            q = log_softmax(theirs[positions][:, ids])
            divergences[name].append((np.exp(p) * (p - q)).sum(axis=1))
            for side, values in enumerate((p, q)):
                nats[name][side].append(-values[np.arange(len(positions)), actual])
    print(f"{model}: {len(rows)} rows")
    print(f"{'slot':10} {'mean KL':>10} {'largest':>10} {'our nats':>10} {'theirs':>10}")
    failed = False
    for name in names:
        kl = np.concatenate(divergences[name])
        own, other = (np.concatenate(side).mean() for side in nats[name])
        print(f"{name:10} {kl.mean():10.2e} {kl.max():10.2e} {own:10.4f} {other:10.4f}")
        failed |= not kl.mean() <= limit  # NaN fails too
    if failed:
        sys.exit(f"{model}: a mean passes {limit} nats")


if __name__ == "__main__":
    if len(sys.argv) < 5:
        sys.exit("usage: compare.py LIMIT MODEL IDS OURS …")
    main(float(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:])
