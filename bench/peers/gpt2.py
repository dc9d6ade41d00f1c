"""GPT-2 as our GGUF files hold it, for peers that do not open them: weights, and a plain forward pass to check peers by.

Must not know any peer. Needs numpy and gguf.
"""

import gguf
import numpy as np

BLOCK = 32
TYPES = {8: gguf.GGMLQuantizationType.Q8_0, 4: gguf.GGMLQuantizationType.Q4_0}


class Weights:
    """weights["blk.0.ffn_up.weight"]: float32, [outputs, inputs], dequantised at each call."""

    def __init__(self, path):
        reader = gguf.GGUFReader(path)
        field = lambda key: reader.get_field(f"gpt2.{key}").contents()  # noqa: E731
        self.layers, self.heads = int(field("block_count")), int(field("attention.head_count"))
        self.width, self.context = int(field("embedding_length")), int(field("context_length"))
        self.epsilon = float(field("attention.layer_norm_epsilon"))
        self.head_width = self.width // self.heads
        self.tensors = {tensor.name: tensor for tensor in reader.tensors}
        self.vocabulary = int(self.tensors["token_embd.weight"].shape[1])
        self.bits = None  # for the reference, where a peer rounds once more: what matrices are rounded to
        self.head = "output.weight" if "output.weight" in self.tensors else "token_embd.weight"

    def __getitem__(self, name):
        tensor = self.tensors[name]
        return np.ascontiguousarray(gguf.dequantize(tensor.data, tensor.tensor_type), np.float32)

    def matrix(self, name):
        if self.bits is None:
            return self[name]
        scales, codes = self.blocks(name, self.bits)
        return (codes.reshape(*scales.shape, BLOCK) * scales[..., None]).reshape(codes.shape)

    def blocks(self, name, bits):
        """What stands for every 32 weights of a row: scales [outputs, inputs / 32], integers [outputs, inputs].

        The file's own where it has as many bits, else rounded as ggml rounds to Q8_0 and Q4_0.
        """
        tensor = self.tensors[name]
        raw = tensor.data if tensor.tensor_type == TYPES[bits] else gguf.quants.quantize(self[name], TYPES[bits])
        raw = raw.reshape(raw.shape[0], -1, 2 + BLOCK * bits // 8)
        scales = raw[..., :2].copy().view(np.float16)[..., 0].astype(np.float32)
        codes = raw[..., 2:]
        if bits == 8:
            codes = codes.copy().view(np.int8)
        else:
            codes = np.concatenate([codes & 15, codes >> 4], axis=-1).astype(np.int8) - 8
        return scales, codes.reshape(raw.shape[0], -1)


def normalised(x, weights, name):
    x = x - x.mean(axis=-1, keepdims=True)
    x = x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + weights.epsilon)
    return x * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def linear(x, weights, name):
    return x @ weights.matrix(f"{name}.weight").T + weights[f"{name}.bias"]


def reference_logits(weights, ids):
    """The last id's logits, everything in float32."""
    n, heads = len(ids), weights.heads
    x = weights["token_embd.weight"][ids] + weights["position_embd.weight"][:n]
    hidden = np.triu(np.full((n, n), -np.inf, np.float32), 1)  # what comes later
    for layer in range(weights.layers):
        block = f"blk.{layer}."
        qkv = linear(normalised(x, weights, block + "attn_norm"), weights, block + "attn_qkv")
        q, k, v = qkv.reshape(n, 3, heads, -1).transpose(1, 2, 0, 3)
        scores = q @ k.transpose(0, 2, 1) / np.sqrt(np.float32(weights.head_width)) + hidden
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        mixed = scores / scores.sum(axis=-1, keepdims=True) @ v
        x = x + linear(mixed.transpose(1, 0, 2).reshape(n, -1), weights, block + "attn_output")
        h = linear(normalised(x, weights, block + "ffn_norm"), weights, block + "ffn_up")
        h = 0.5 * h * (1 + np.tanh(np.float32(0.7978845608) * (h + 0.044715 * h**3)))
        x = x + linear(h, weights, block + "ffn_down")
    return weights.matrix(weights.head) @ normalised(x[-1], weights, "output_norm")
