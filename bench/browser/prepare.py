"""What the peers of bench/compare-browser read, made of a GGUF file by what bench/compare has for its own:

    python bench/browser/prepare.py MODEL.gguf FOLDER VARIANT…

Writes into FOLDER: for every variant the graph, VARIANT.onnx; with-vocabulary.gguf, the file with a text for each id, without
which one peer takes none; and prepared.json: the ids to decode, those to check with, the logits after these, and the shape.
The logits are those of the weights as the file holds them, "file", and as each variant rounds them.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "peers"))

import gguf  # noqa: E402
import numpy as np  # noqa: E402
import onnx  # noqa: E402
from gpt2 import Weights, reference_logits  # noqa: E402
from onnx_runtime import Graph  # noqa: E402
from peer import CHECKED, random_ids  # noqa: E402


class ByRow(Graph):
    """Variant int8-row: one scale a row, activations rounded to 8 bits, as onnxruntime's quantize_dynamic makes it."""

    def linear(self, x, name, out, bias=True):
        matrix = self.weights[f"{name}.weight"]
        scales = np.abs(matrix).max(axis=1) / 127
        codes = np.rint(matrix / scales[:, None]).astype(np.int8).T
        added = self.weight(f"{name}.bias") if bias else ""
        return self.node("DynamicQuantizeMatMul", [x, self.tensor(f"{name}.codes", codes), self.tensor(f"{name}.scales", scales),
                                                   "", added], [out], ours=True)


def with_vocabulary(weights, ids, out):
    """The ids that are to be read are special tokens "<ID>": text is cut at those first, whatever stands between."""
    file = gguf.GGUFWriter(out, "gpt2")
    file.add_context_length(weights.context)
    file.add_embedding_length(weights.width)
    file.add_feed_forward_length(4 * weights.width)
    file.add_block_count(weights.layers)
    file.add_head_count(weights.heads)
    file.add_layer_norm_eps(weights.epsilon)
    kinds = [gguf.TokenType.NORMAL] * weights.vocabulary
    for i in ids:
        kinds[i] = gguf.TokenType.USER_DEFINED
    file.add_tokenizer_model("gpt2")
    file.add_tokenizer_pre("gpt-2")
    file.add_token_list([f"<{i}>" for i in range(weights.vocabulary)])
    file.add_token_types(kinds)
    file.add_token_merges(["< 0"])  # there has to be one
    file.add_bos_token_id(weights.vocabulary - 1)
    file.add_eos_token_id(weights.vocabulary - 1)
    file.add_add_bos_token(False)
    for tensor in weights.tensors.values():
        file.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()


def main():
    path, folder, variants = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
    weights, ids = Weights(path), random_ids()
    logits = {"file": reference_logits(weights, ids[:CHECKED]).tolist()}
    for variant in variants:
        graph = ByRow if variant == "int8-row" else Graph
        onnx.save(graph(weights, variant).model(), folder / f"{variant}.onnx")
        weights.bits = {"int8": 8, "int4": 4}.get(variant)
        logits[variant] = reference_logits(weights, ids[:CHECKED]).tolist()
        weights.bits = None
    with_vocabulary(weights, ids, folder / "with-vocabulary.gguf")
    shape = {"heads": weights.heads, "headWidth": weights.head_width, "context": weights.context,
             "vocabulary": weights.vocabulary}
    (folder / "prepared.json").write_text(json.dumps({"ids": ids, "checked": ids[:CHECKED], "logits": logits, "shape": shape}))


main()
