"""PyTorch: the step written here, keys and values in preallocated float32 tensors, scaled_dot_product_attention.

Variants float32; bfloat16: weights, activations, keys and values; int8: the matrices of the layers and the head by
quantize_dynamic (one scale a row, activations rounded at each product); compiled: float32 through torch.compile. Runs in
PyTorch 1.13 too, which Debian has.
"""

import os
import re

import torch
from torch.nn import functional

from peer import Peer, serve


class Product(torch.nn.Linear):
    """For one id as a matrix times a vector, which is up to ten times as fast with OpenBLAS."""

    def forward(self, x):
        if x.shape[0] > 1:
            return super().forward(x)
        return (torch.mv(self.weight, x[0]) if self.bias is None else torch.addmv(self.bias, self.weight, x[0]))[None]


class Gpt2(torch.nn.Module):
    def __init__(self, weights, dtype, product):
        super().__init__()
        self.heads, self.head_width, self.epsilon = weights.heads, weights.head_width, weights.epsilon
        tensor = lambda name: torch.tensor(weights[name], dtype=dtype)  # noqa: E731

        def linear(name, bias=True):
            module = product(1, 1, bias=bias)
            module.weight = torch.nn.Parameter(tensor(f"{name}.weight"), requires_grad=False)
            module.out_features, module.in_features = module.weight.shape
            if bias:
                module.bias = torch.nn.Parameter(tensor(f"{name}.bias"), requires_grad=False)
            return module

        def norm(name):
            module = torch.nn.LayerNorm(weights.width, eps=weights.epsilon)
            module.weight = torch.nn.Parameter(tensor(f"{name}.weight"), requires_grad=False)
            module.bias = torch.nn.Parameter(tensor(f"{name}.bias"), requires_grad=False)
            return module

        self.embeddings, self.positions = tensor("token_embd.weight"), tensor("position_embd.weight")
        self.layers = torch.nn.ModuleList()
        for i in range(weights.layers):
            layer = {name: norm(f"blk.{i}.{name}") for name in ("attn_norm", "ffn_norm")}
            layer |= {name: linear(f"blk.{i}.{name}") for name in ("attn_qkv", "attn_output", "ffn_up", "ffn_down")}
            self.layers.append(torch.nn.ModuleDict(layer))
        self.norm, self.head = norm("output_norm"), linear(weights.head.removesuffix(".weight"), bias=False)
        room = (weights.layers, weights.heads, weights.context, weights.head_width)
        self.keys, self.values = torch.zeros(room, dtype=dtype), torch.zeros(room, dtype=dtype)

    def forward(self, ids, begin: int):
        n = ids.shape[0]
        end = begin + n
        x = self.embeddings[ids] + self.positions[begin:end]
        for i, layer in enumerate(self.layers):
            qkv = layer["attn_qkv"](layer["attn_norm"](x))
            q, k, v = qkv.view(n, 3, self.heads, self.head_width).permute(1, 2, 0, 3)
            self.keys[i, :, begin:end], self.values[i, :, begin:end] = k, v
            # Several ids are read at the beginning only.
            mixed = functional.scaled_dot_product_attention(q[None], self.keys[None, i, :, :end],
                                                            self.values[None, i, :, :end], is_causal=n > 1)
            x = x + layer["attn_output"](mixed[0].transpose(0, 1).reshape(n, -1))
            h = functional.gelu(layer["ffn_up"](layer["ffn_norm"](x)), approximate="tanh")
            x = x + layer["ffn_down"](h)
        return self.head(self.norm(x[-1:]))


class PyTorch(Peer):
    def __init__(self, weights, path, threads, variant):
        self.prefills = variant != "compiled"  # reads several ids as float32 does
        torch.set_num_threads(threads)
        self.name = f"PyTorch {torch.__version__} {variant}, {blas()}"
        if not hasattr(functional, "scaled_dot_product_attention"):
            functional.scaled_dot_product_attention = attention
        self.network = Gpt2(weights, torch.bfloat16 if variant == "bfloat16" else torch.float32,
                            torch.nn.Linear if variant in ("bfloat16", "int8") else Product)
        if variant == "int8":
            rows = {torch.nn.Linear: torch.ao.quantization.per_channel_dynamic_qconfig}
            self.network = torch.ao.quantization.quantize_dynamic(self.network, rows, dtype=torch.qint8)
        self.step = self.network
        if variant == "compiled":
            self.step = torch.compile(self.network, dynamic=True)

    @torch.inference_mode()
    def read(self, ids, begin):
        if begin == 0:
            return self.network(torch.tensor(ids), 0).float().numpy()
        return self.step(torch.tensor(ids), begin).float().numpy()


def attention(q, k, v, is_causal):
    """PyTorch 1 has none of its own."""
    scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
    if is_causal:
        scores = scores + torch.full(scores.shape[-2:], float("-inf")).triu(1)
    return scores.softmax(-1) @ v


def blas():
    """The library that multiplies matrices, and the instructions that PyTorch's own kernels use."""
    library = "MKL"
    if not torch.backends.mkl.is_available():
        with open("/proc/self/maps") as maps:
            if "openblas" not in maps.read():
                raise RuntimeError("its BLAS is a plain one, which is no comparison: install libopenblas0-pthread")
        library = f"OpenBLAS {os.environ.get('OPENBLAS_CORETYPE', '')}".strip()
    instructions = re.search(r"CPU capability usage: (\S+)", torch.__config__.show())
    return f"{library}, {instructions[1] if instructions else 'unknown'}"


if __name__ == "__main__":
    serve(PyTorch)
