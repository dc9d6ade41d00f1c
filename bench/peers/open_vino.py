"""OpenVINO: the step as a stateful model made here of the file's weights, which its CPU plugin fuses as it fuses models of
its own converter: keys and values are its state, kept as it keeps them by default.

Variants float32; int8 and int4: all matrices of the layers and the head in blocks of 32, the file's own integers and
scales where it has as many bits; int8-row: rounded by nncf.compress_weights instead, one scale a row. Activations and the
state are rounded as the plugin does by default.
"""

import nncf
import numpy as np
import openvino as ov
from openvino import opset13 as op

from gpt2 import BLOCK
from peer import Peer, serve


class Graph:
    def __init__(self, weights, bits):
        self.weights, self.bits, self.states, self.packed = weights, bits, [], []

    def matrix(self, name):
        if self.bits is None:
            return op.constant(self.weights[name])
        scales, codes = self.weights.blocks(name, self.bits)
        shape = [*scales.shape, BLOCK]
        if self.bits == 8:
            codes = op.constant(np.ascontiguousarray(codes.reshape(shape)))
        else:
            codes = codes.reshape(-1).astype(np.uint8) & 15
            self.packed.append(np.ascontiguousarray(codes[0::2] | codes[1::2] << 4))  # constants do not copy them
            codes = op.constant(ov.Tensor(self.packed[-1], ov.Shape(shape), ov.Type.i4))
        product = op.multiply(op.convert(codes, "f16"), op.constant(scales[..., None].astype(np.float16)))
        return op.convert(op.reshape(product, op.constant([scales.shape[0], -1]), False), "f32")

    def linear(self, x, name, bias=True):
        y = op.matmul(x, self.matrix(f"{name}.weight"), False, True)
        return op.add(y, op.constant(self.weights[f"{name}.bias"])) if bias else y

    def norm(self, x, name):
        y = op.mvn(x, op.constant([-1]), True, self.weights.epsilon, "INSIDE_SQRT")
        y = op.multiply(y, op.constant(self.weights[f"{name}.weight"]))
        return op.add(y, op.constant(self.weights[f"{name}.bias"]))

    def remembered(self, new, name, beam):
        """What is in the state and `new` after it."""
        w = self.weights
        info = ov.op.util.VariableInfo()
        info.data_shape = ov.PartialShape([-1, w.heads, -1, w.head_width])
        info.data_type, info.variable_id = ov.Type.f32, name
        variable = ov.op.util.Variable(info)
        nothing = op.constant(np.zeros((1, w.heads, 0, w.head_width), np.float32))
        past = op.gather(op.read_value(nothing, variable), beam, op.constant(0))
        both = op.concat([past, new], 2)
        self.states.append(op.assign(both, variable))
        return both

    def model(self):
        w = self.weights
        ids = op.parameter([1, -1], np.int64, "ids")
        positions = op.parameter([1, -1], np.int64, "positions")
        mask = op.parameter([1, 1, -1, -1], np.float32, "mask")
        beam = op.parameter([-1], np.int32, "beam")
        zero = op.constant(0)
        x = op.add(op.gather(op.constant(w["token_embd.weight"]), ids, zero),
                   op.gather(op.constant(w["position_embd.weight"]), positions, zero))
        for i in range(w.layers):
            b = f"blk.{i}."
            qkv = op.split(self.linear(self.norm(x, b + "attn_norm"), b + "attn_qkv"), op.constant(2), 3)
            q, k, v = (op.transpose(op.reshape(part, op.constant([0, 0, w.heads, w.head_width]), True),
                                    op.constant([0, 2, 1, 3])) for part in qkv.outputs())
            k, v = self.remembered(k, f"k{i}", beam), self.remembered(v, f"v{i}", beam)
            mixed = op.transpose(op.scaled_dot_product_attention(q, k, v, mask), op.constant([0, 2, 1, 3]))
            mixed = op.reshape(mixed, op.constant([0, 0, w.width]), True)
            x = op.add(x, self.linear(mixed, b + "attn_output"))
            h = op.gelu(self.linear(self.norm(x, b + "ffn_norm"), b + "ffn_up"), "TANH")
            x = op.add(x, self.linear(h, b + "ffn_down"))
        last = op.gather(self.norm(x, "output_norm"), op.constant([-1]), op.constant(1))
        logits = self.linear(last, w.head.removesuffix(".weight"), bias=False)
        return ov.Model([op.result(logits)], self.states, [ids, positions, mask, beam], "gpt2")


class OpenVino(Peer):
    prefills = True

    def __init__(self, weights, path, threads, variant):
        self.bits = {"int8": 8, "int4": 4}.get(variant)
        self.graph = Graph(weights, self.bits)
        model = self.graph.model()
        if variant == "int8-row":
            model = nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_SYM)
        hints = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
        if variant == "float32":
            hints |= {"INFERENCE_PRECISION_HINT": "f32", "KV_CACHE_PRECISION": "f32"}
        compiled = ov.Core().compile_model(model, "CPU", hints)
        precision = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        cache = compiled.get_property("KV_CACHE_PRECISION").get_type_name()
        self.name = f"OpenVINO {ov.__version__.split('-')[0]} {variant}, {precision}, cache {cache}"
        self.request = compiled.create_infer_request()
        self.layout = (1, weights.heads, 0, weights.head_width)
        self.beam = np.zeros(1, np.int32)
        self.kept = None

    def rewind(self, begin):
        if begin == 0:
            self.request.reset_state()
            self.kept = None
            return
        if self.kept is None:  # only ever the ids read first
            self.kept = [np.array(state.state.data[:, :, :begin]) for state in self.request.query_state()]
        for state, kept in zip(self.request.query_state(), self.kept):
            state.state = ov.Tensor(kept)

    def read(self, ids, begin):
        n = len(ids)
        mask = np.zeros((1, 1, n, begin + n), np.float32)
        if n > 1:
            mask += np.triu(np.full((n, begin + n), -np.inf, np.float32), begin + 1)
        inputs = [np.array([ids], np.int64), np.arange(begin, begin + n)[None], mask, self.beam]
        self.request.infer(dict(enumerate(inputs)), share_inputs=True)
        return self.request.get_output_tensor(0).data


if __name__ == "__main__":
    serve(OpenVino)
