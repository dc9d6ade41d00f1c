"""ONNX Runtime: the step as a graph made here of the file's weights, fused as its own tools do it.

Variants float32, int8 and int4: all matrices of the layers and the head so; int8 and int4 are MatMulNBits in blocks of 32
with int8 accumulation (accuracy_level 4), the file's own integers and scales where it has as many bits; `as-file`: each
matrix in the file's bits. Keys and values in float32, preallocated and written in place: GroupQueryAttention's past and
present are bound to one buffer.
"""

import os
import tempfile

import gguf
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from gpt2 import BLOCK
from peer import Peer, serve

BITS = {"float32": 32, "int8": 8, "int4": 4}
FILE_BITS = {gguf.GGMLQuantizationType.Q8_0: 8, gguf.GGMLQuantizationType.Q4_0: 4}


class Graph:
    def __init__(self, weights, variant):
        self.weights, self.variant = weights, variant
        self.nodes, self.tensors, self.known = [], [], set()

    def tensor(self, name, values):
        if name not in self.known:
            self.known.add(name)
            self.tensors.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def weight(self, name):
        return self.tensor(name, self.weights[name])

    def node(self, kind, inputs, outputs, ours=False, **attributes):
        self.nodes.append(helper.make_node(kind, inputs, outputs, domain="com.microsoft" if ours else "", **attributes))
        return outputs[0]

    def linear(self, x, name, out, bias=True):
        """x [1, ids, inputs] times a matrix [outputs, inputs]"""
        matrix = f"{name}.weight"
        outputs, inputs = (int(n) for n in reversed(self.weights.tensors[matrix].shape))
        bits = BITS.get(self.variant) or FILE_BITS.get(self.weights.tensors[matrix].tensor_type, 32)
        added = self.weight(f"{name}.bias") if bias else ""
        if bits == 32:
            product = f"{out}.product" if bias else out
            self.node("MatMul", [x, self.tensor(f"{matrix}.transposed", self.weights[matrix].T)], [product])
            return self.node("Add", [product, added], [out]) if bias else out
        scales, codes = self.weights.blocks(matrix, bits)
        codes = (codes.astype(np.int16) + (1 << bits - 1)).astype(np.uint8)  # the zero point when none is given
        if bits == 4:
            codes = codes[:, 0::2] | codes[:, 1::2] << 4
        blob = BLOCK * bits // 8
        return self.node("MatMulNBits", [x, self.tensor(f"{matrix}.codes", codes.reshape(outputs, -1, blob)),
                                         self.tensor(f"{matrix}.scales", scales), "", "", added], [out], ours=True,
                         K=inputs, N=outputs, bits=bits, block_size=BLOCK, accuracy_level=4)

    def model(self):
        w = self.weights
        cache = ["batch", w.heads, "room", w.head_width]
        inputs = [helper.make_tensor_value_info("ids", TensorProto.INT64, [1, "n"]),
                  helper.make_tensor_value_info("positions", TensorProto.INT64, [1, "n"]),
                  helper.make_tensor_value_info("last", TensorProto.INT32, [1]),
                  helper.make_tensor_value_info("total", TensorProto.INT32, [])]
        outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 1, w.vocabulary])]
        self.node("Gather", [self.weight("token_embd.weight"), "ids"], ["tokens"])
        self.node("Gather", [self.weight("position_embd.weight"), "positions"], ["places"])
        x = self.node("Add", ["tokens", "places"], ["x"])
        y = self.node("LayerNormalization", [x, self.weight("blk.0.attn_norm.weight"), self.weight("blk.0.attn_norm.bias")],
                      ["first"], epsilon=w.epsilon)
        for i in range(w.layers):
            b = f"blk.{i}."
            for which in "kv":
                inputs.append(helper.make_tensor_value_info(f"past.{i}.{which}", TensorProto.FLOAT, cache))
                outputs.append(helper.make_tensor_value_info(f"present.{i}.{which}", TensorProto.FLOAT, cache))
            qkv = self.linear(y, b + "attn_qkv", b + "qkv")
            mixed = self.node("GroupQueryAttention", [qkv, "", "", f"past.{i}.k", f"past.{i}.v", "last", "total"],
                              [b + "mixed", f"present.{i}.k", f"present.{i}.v"], ours=True, num_heads=w.heads,
                              kv_num_heads=w.heads)
            x, y = self.add_and_norm(x, self.linear(mixed, b + "attn_output", b + "attended"), b + "ffn_norm")
            h = self.node("FastGelu", [self.linear(y, b + "ffn_up", b + "up")], [b + "gelu"], ours=True)
            norm = f"blk.{i + 1}.attn_norm" if i + 1 < w.layers else "output_norm"
            x, y = self.add_and_norm(x, self.linear(h, b + "ffn_down", b + "down"), norm)
        self.node("Gather", [y, self.tensor("minus one", np.array(-1))], ["hidden"], axis=1)
        self.linear("hidden", w.head.removesuffix(".weight"), "logits", bias=False)
        return helper.make_model(helper.make_graph(self.nodes, "gpt2", inputs, outputs, self.tensors), ir_version=10,
                                 opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)])

    def add_and_norm(self, x, y, norm):
        normed, total = f"{norm}.out", f"{norm}.sum"
        self.node("SkipLayerNormalization", [x, y, self.weight(f"{norm}.weight"), self.weight(f"{norm}.bias")],
                  [normed, "", "", total], ours=True, epsilon=self.weights.epsilon)
        return total, normed


class OnnxRuntime(Peer):
    prefills = True

    def __init__(self, weights, path, threads, variant):
        self.name = f"ONNX Runtime {onnxruntime.__version__} {variant}"
        self.bits = {"int8": 8, "int4": 4}.get(variant)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "model.onnx")
            onnx.save(Graph(weights, variant).model(), file, save_as_external_data=True, location="weights")
            self.session = onnxruntime.InferenceSession(file, options, ["CPUExecutionProvider"])
        self.binding = self.session.io_binding()
        room = (1, weights.heads, weights.context, weights.head_width)
        for i in range(weights.layers):
            for which in "kv":
                cache = onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros(room, np.float32))
                self.binding.bind_ortvalue_input(f"past.{i}.{which}", cache)
                self.binding.bind_ortvalue_output(f"present.{i}.{which}", cache)
        self.logits = np.zeros((1, 1, weights.vocabulary), np.float32)
        self.binding.bind_ortvalue_output("logits", onnxruntime.OrtValue.ortvalue_from_numpy(self.logits))  # no copy

    def read(self, ids, begin):
        end = begin + len(ids)
        inputs = {"ids": np.array([ids], np.int64), "positions": np.arange(begin, end)[None],
                  "last": np.array([end - 1], np.int32), "total": np.array(end, np.int32)}  # bound, not copied
        for name, value in inputs.items():
            self.binding.bind_cpu_input(name, value)
        self.session.run_with_iobinding(self.binding)
        return self.logits


if __name__ == "__main__":
    serve(OnnxRuntime)
