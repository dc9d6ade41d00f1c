"""llama.cpp on the same file: weights in memory of its own rather than in the mapped file, no flash attention, keys and
values in float16, its defaults otherwise. Products with quantised weights round activations to 8 bits."""

import ctypes

import llama_cpp
import numpy as np

from peer import BEFORE, IDS, VOCABULARY, Peer, serve


class LlamaCpp(Peer):
    name = f"llama-cpp-python {llama_cpp.__version__}"
    prefills = True

    def __init__(self, weights, path, threads, variant):
        self.network = llama_cpp.Llama(path, n_ctx=1024, n_threads=threads, n_threads_batch=threads, use_mmap=False,
                                       flash_attn=False, verbose=False)
        self.memory = llama_cpp.llama_get_memory(self.network.ctx)
        self.ids = (llama_cpp.llama_token * (BEFORE + IDS))()

    def rewind(self, begin):
        llama_cpp.llama_memory_seq_rm(self.memory, 0, begin, -1)

    def read(self, ids, begin):
        self.ids[: len(ids)] = ids
        first = ctypes.cast(self.ids, ctypes.POINTER(llama_cpp.llama_token))
        if llama_cpp.llama_decode(self.network.ctx, llama_cpp.llama_batch_get_one(first, len(ids))) != 0:
            raise RuntimeError("llama.cpp does not decode")
        return np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(self.network.ctx, -1), (VOCABULARY,))


if __name__ == "__main__":
    serve(LlamaCpp)
