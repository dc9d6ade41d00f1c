"""CTranslate2: its GPT-2 filled with the file's weights. Variants float32 and int8: all matrices so, the head too,
rounded by CTranslate2 (one scale a row), activations to 8 bits at each product.

It chooses its ids itself (the likeliest, no beams) and hands them out one by one; decoding is timed from the first to 48
ids later, so that reading the 487 before is not in it. Keys and values in float32, as its generator keeps them.
"""

import tempfile
import time

import ctranslate2
import numpy as np

from peer import BEFORE, CHECKED, IDS, PREFILL, Peer, random_ids, serve

LONG = 8  # ids generated for the check


def specification(weights, variant):
    specs = ctranslate2.specs
    model = specs.TransformerDecoderModelSpec.from_config(weights.layers, weights.heads, pre_norm=True,
                                                          activation=specs.Activation.GELUTanh)

    def linear(to, name):
        to.weight, to.bias = weights[f"{name}.weight"], weights[f"{name}.bias"]

    def norm(to, name):
        to.gamma, to.beta = weights[f"{name}.weight"], weights[f"{name}.bias"]

    decoder = model.decoder
    decoder.scale_embeddings = False
    decoder.embeddings.weight = weights["token_embd.weight"]
    decoder.position_encodings.encodings = weights["position_embd.weight"]
    decoder.projection.weight = weights[weights.head]
    norm(decoder.layer_norm, "output_norm")
    for i, layer in enumerate(decoder.layer):
        norm(layer.self_attention.layer_norm, f"blk.{i}.attn_norm")
        linear(layer.self_attention.linear[0], f"blk.{i}.attn_qkv")
        linear(layer.self_attention.linear[1], f"blk.{i}.attn_output")
        norm(layer.ffn.layer_norm, f"blk.{i}.ffn_norm")
        linear(layer.ffn.linear_0, f"blk.{i}.ffn_up")
        linear(layer.ffn.linear_1, f"blk.{i}.ffn_down")
    model.register_vocabulary([str(i) for i in range(weights.vocabulary)])
    model.config.unk_token, model.config.bos_token, model.config.eos_token = "0", "1", str(weights.vocabulary - 1)
    model.validate()
    model.optimize(quantization=variant)
    return model


class CTranslate(Peer):
    prefills = True

    def __init__(self, weights, path, threads, variant):
        with tempfile.TemporaryDirectory() as folder:
            specification(weights, variant).save(folder)
            self.generator = ctranslate2.Generator(folder, device="cpu", compute_type=variant, inter_threads=1,
                                                   intra_threads=threads)
        self.name = f"CTranslate2 {ctranslate2.__version__} {self.generator.compute_type}"

    def generate(self, ids, count, **options):
        return self.generator.generate_batch([[str(i) for i in ids]], beam_size=1, max_length=count, min_length=count,
                                             include_prompt_in_result=False, **options)[0]

    def check(self):
        ids = random_ids()[: CHECKED - LONG + 1]
        result = self.generate(ids, LONG, return_logits_vocab=True)
        return ids + result.sequences_ids[0][: LONG - 1], np.array(result.logits[0][-1], np.float32).reshape(-1)

    def prepare(self):
        self.decode()

    def decode(self):
        times = []

        def step(_):
            times.append(time.perf_counter())
            return False

        self.generate(random_ids()[:BEFORE], IDS + 1, callback=step)
        return IDS / (times[IDS] - times[0])

    def prefill(self):
        ids = random_ids()[:PREFILL]
        began = time.perf_counter()
        self.generate(ids, 1)
        return PREFILL / (time.perf_counter() - began)


if __name__ == "__main__":
    serve(CTranslate)
