"""Apache TVM: the step written in Relax, compiled for this processor by TVM's LLVM, run by its virtual machine; float32.

What the paper's authors took. Untuned, TVM makes a plain loop of a matrix product, so the kernels are written here in
TensorIR: weights in panels of 64 outputs, one panel a thread at a time; a head a thread in attention. Keys and values in
preallocated float32 tensors, written in place.
"""

import os
import sys

import numpy as np

os.environ["TVM_NUM_THREADS"] = sys.argv[2]
import tvm  # noqa: E402
from tvm import relax  # noqa: E402
from tvm.script import tirx as T  # noqa: E402

from peer import Peer, serve  # noqa: E402

LANES = 64


def embed(vocabulary, context, width):
    @T.prim_func
    def kernel(where: T.Buffer((2,), "int32"), tokens: T.Buffer((vocabulary, width), "float32"),
               positions: T.Buffer((context, width), "float32"), y: T.Buffer((width,), "float32")):
        for i in T.serial(width):
            y[i] = tokens[where[0], i] + positions[where[1], i]

    return kernel


def norm(width, epsilon):
    @T.prim_func
    def kernel(x: T.Buffer((width,), "float32"), weight: T.Buffer((width,), "float32"),
               bias: T.Buffer((width,), "float32"), y: T.Buffer((width,), "float32")):
        sums = T.alloc_buffer((LANES,), "float32", scope="local")
        total = T.alloc_buffer((2,), "float32", scope="local")
        for lane in T.vectorized(LANES):
            sums[lane] = T.float32(0)
        for i in T.serial(width // LANES):
            for lane in T.vectorized(LANES):
                sums[lane] = sums[lane] + x[i * LANES + lane]
        total[0] = T.float32(0)
        for lane in T.serial(LANES):
            total[0] = total[0] + sums[lane]
        total[0] = total[0] / T.float32(width)
        for lane in T.vectorized(LANES):
            sums[lane] = T.float32(0)
        for i in T.serial(width // LANES):
            for lane in T.vectorized(LANES):
                sums[lane] = sums[lane] + (x[i * LANES + lane] - total[0]) * (x[i * LANES + lane] - total[0])
        total[1] = T.float32(0)
        for lane in T.serial(LANES):
            total[1] = total[1] + sums[lane]
        total[1] = T.float32(1) / T.sqrt(total[1] / T.float32(width) + T.float32(epsilon))
        for i in T.serial(width // LANES):
            for lane in T.vectorized(LANES):
                y[i * LANES + lane] = ((x[i * LANES + lane] - total[0]) * total[1] * weight[i * LANES + lane]
                                       + bias[i * LANES + lane])

    return kernel


def linear(outputs, inputs, gelu):
    panels = outputs // LANES

    @T.prim_func
    def kernel(x: T.Buffer((inputs,), "float32"), w: T.Buffer((panels, inputs, LANES), "float32"),
               b: T.Buffer((outputs,), "float32"), y: T.Buffer((outputs,), "float32")):
        for panel in T.parallel(panels):
            sums = T.alloc_buffer((LANES,), "float32", scope="local")
            for lane in T.vectorized(LANES):
                sums[lane] = b[panel * LANES + lane]
            for i in T.serial(inputs):
                for lane in T.vectorized(LANES):
                    sums[lane] = sums[lane] + x[i] * w[panel, i, lane]
            for lane in T.vectorized(LANES):
                if gelu:
                    y[panel * LANES + lane] = sums[lane] / (T.float32(1) + T.exp(T.float32(-1.5957691216) * (
                        sums[lane] + T.float32(0.044715) * sums[lane] * sums[lane] * sums[lane])))
                else:
                    y[panel * LANES + lane] = sums[lane]

    return kernel


def add(width):
    @T.prim_func
    def kernel(x: T.Buffer((width,), "float32"), y: T.Buffer((width,), "float32"), z: T.Buffer((width,), "float32")):
        for i in T.vectorized(width):
            z[i] = x[i] + y[i]

    return kernel


def attention(heads, head_width, context):
    """Keys [heads, context / 64, head width, 64]: 64 places at once; values [heads, context, head width]."""
    width, blocks, scale = heads * head_width, context // LANES, head_width**-0.5

    @T.prim_func
    def kernel(where: T.Buffer((2,), "int32"), qkv: T.Buffer((3 * width,), "float32"),
               keys: T.Buffer((heads, blocks, head_width, LANES), "float32"),
               values: T.Buffer((heads, context, head_width), "float32"), y: T.Buffer((width,), "float32")):
        for head in T.parallel(heads):
            scores = T.alloc_buffer((context,), "float32")
            sums = T.alloc_buffer((LANES,), "float32", scope="local")
            mixed = T.alloc_buffer((head_width,), "float32", scope="local")
            most = T.alloc_buffer((2,), "float32", scope="local")
            for d in T.serial(head_width):
                keys[head, where[1] // LANES, d, where[1] % LANES] = qkv[width + head * head_width + d]
                values[head, where[1], d] = qkv[2 * width + head * head_width + d]
            for block in T.serial(where[1] // LANES + 1):
                for lane in T.vectorized(LANES):
                    sums[lane] = T.float32(0)
                for d in T.serial(head_width):
                    for lane in T.vectorized(LANES):
                        sums[lane] = sums[lane] + qkv[head * head_width + d] * keys[head, block, d, lane]
                for lane in T.vectorized(LANES):
                    scores[block * LANES + lane] = sums[lane] * T.float32(scale)
            most[0] = scores[0]
            most[1] = T.float32(0)
            for t in T.serial(where[1] + 1):
                most[0] = T.max(most[0], scores[t])
            for block in T.serial(where[1] // LANES + 1):
                for lane in T.vectorized(LANES):
                    scores[block * LANES + lane] = T.exp(scores[block * LANES + lane] - most[0])
            for d in T.vectorized(head_width):
                mixed[d] = T.float32(0)
            for t in T.serial(where[1] + 1):
                most[1] = most[1] + scores[t]
                for d in T.vectorized(head_width):
                    mixed[d] = mixed[d] + scores[t] * values[head, t, d]
            for d in T.vectorized(head_width):
                y[head * head_width + d] = mixed[d] / most[1]

    return kernel


class Step:
    """The Relax function, and the tensors that it is called with."""

    def __init__(self, weights):
        self.weights, self.builder, self.kernels = weights, relax.BlockBuilder(), {}
        self.tensors, self.variables = [], []

    def tensor(self, values):
        self.tensors.append(tvm.runtime.tensor(np.ascontiguousarray(values, np.float32)))
        self.variables.append(relax.Var(f"w{len(self.tensors)}", relax.TensorType(values.shape, "float32")))
        return self.variables[-1]

    def call(self, make, shape, inputs, outputs):
        if (make, shape) not in self.kernels:
            name = f"{make.__name__}{len(self.kernels)}"
            self.kernels[make, shape] = self.builder.add_func(make(*shape).with_attr("global_symbol", name), name)
        return self.builder.emit(relax.op.call_tir(self.kernels[make, shape], relax.Tuple(inputs),
                                                   relax.TensorType((outputs,), "float32")))

    def linear(self, x, name, gelu=False, bias=True):
        matrix = self.weights[f"{name}.weight"]
        pad = -matrix.shape[0] % LANES
        matrix = np.pad(matrix, ((0, pad), (0, 0)))
        outputs, inputs = matrix.shape
        panels = self.tensor(matrix.reshape(-1, LANES, inputs).transpose(0, 2, 1))
        added = self.tensor(self.weights[f"{name}.bias"] if bias else np.zeros(outputs, np.float32))
        return self.call(linear, (outputs, inputs, gelu), [x, panels, added], outputs)

    def norm(self, x, name):
        w = self.weights
        return self.call(norm, (w.width, w.epsilon),
                         [x, self.tensor(w[f"{name}.weight"]), self.tensor(w[f"{name}.bias"])], w.width)

    def add(self, x, y):
        return self.call(add, (self.weights.width,), [x, y], self.weights.width)

    def module(self):
        w, b = self.weights, self.builder
        where = relax.Var("where", relax.TensorType((2,), "int32"))
        with b.function("step"):
            x = self.call(embed, (w.vocabulary, w.context, w.width),
                          [where, self.tensor(w["token_embd.weight"]), self.tensor(w["position_embd.weight"])], w.width)
            for i in range(w.layers):
                name = f"blk.{i}."
                qkv = self.linear(self.norm(x, name + "attn_norm"), name + "attn_qkv")
                keys = self.tensor(np.zeros((w.heads, w.context // LANES, w.head_width, LANES), np.float32))
                values = self.tensor(np.zeros((w.heads, w.context, w.head_width), np.float32))
                mixed = self.call(attention, (w.heads, w.head_width, w.context), [where, qkv, keys, values], w.width)
                x = self.add(x, self.linear(mixed, name + "attn_output"))
                h = self.linear(self.norm(x, name + "ffn_norm"), name + "ffn_up", gelu=True)
                x = self.add(x, self.linear(h, name + "ffn_down"))
            logits = self.linear(self.norm(x, "output_norm"), w.head.removesuffix(".weight"), bias=False)
            b.emit_func_output(logits, [where, *self.variables])
        return b.get()


class ApacheTvm(Peer):
    def __init__(self, weights, path, threads, variant):
        if not tvm.runtime.enabled("llvm"):
            raise RuntimeError("this apache-tvm is built without LLVM: no code for processors")
        step = Step(weights)
        cpu = tvm.target.codegen.llvm_get_system_cpu()
        module = tvm.compile(step.module(), tvm.target.Target({"kind": "llvm", "mcpu": cpu}))
        self.machine = relax.VirtualMachine(module, tvm.cpu())
        self.tensors, self.vocabulary = step.tensors, weights.vocabulary
        self.name = f"Apache TVM {tvm.__version__} {variant}, LLVM for {cpu}"

    def read(self, ids, begin):
        for place, one in enumerate(ids, begin):
            logits = self.machine["step"](tvm.runtime.tensor(np.array([one, place], np.int32)), *self.tensors)
        return logits.numpy()[: self.vocabulary]


if __name__ == "__main__":
    serve(ApacheTvm)
