"""One ONNX graph for the whole way from features to a forecast, scalers and encoders included.

Inputs: `x` (m, k) double, the features in the order of the training; `instrument` (m,) int64, the
place of each sample's instrument in the training's, -1 for one that it did not have. Output:
`forecast` (m,) double. Any number of samples at once. The steps before the model compute in double,
with the operations and the order of `Prepared.apply`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from forecasts.models.forms import Form, Linear, Trees
from forecasts.pipeline import Prepared

OPSET = 17
OPSET_ML = 3
IR_VERSION = 9  # what both opsets came with: older runtimes read it too


def onnx_bytes(prepared: Prepared, form: Form, features: int, facts: dict[str, str]) -> bytes:
    """Return the graph as a file's bytes. features: k; facts: kept in the file beside it.

    The same model gives the same bytes, so that its hash names it.
    """
    import onnx  # half a second to load, and only training asks for it
    from onnx import TensorProto, helper

    made = _Graph()
    read = made.prepare(prepared)
    out = made.linear(read, form) if isinstance(form, Linear) else made.trees(read, form)
    if form.link == "sigmoid":
        out = made.node("Sigmoid", [out])
    made.nodes.append(
        helper.make_node("Reshape", [out, made.constant(np.array([-1]))], ["forecast"])
    )
    graph = helper.make_graph(
        made.nodes,
        "forecast",
        [
            helper.make_tensor_value_info("x", TensorProto.DOUBLE, ["m", features]),
            helper.make_tensor_value_info("instrument", TensorProto.INT64, ["m"]),
        ],
        [helper.make_tensor_value_info("forecast", TensorProto.DOUBLE, ["m"])],
        made.constants,
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", OPSET_ML)]
    model = helper.make_model(graph, opset_imports=opsets, producer_name="mela")
    model.ir_version = IR_VERSION
    helper.set_model_props(model, dict(sorted(facts.items())))
    onnx.checker.check_model(model)
    return model.SerializeToString(deterministic=True)


class _Graph:
    """Nodes and constants, named by their place."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, values: Any) -> str:
        from onnx import numpy_helper

        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def node(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        from onnx import helper

        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def prepare(self, prepared: Prepared) -> str:
        """Return the name of what the model reads, (m, p) double."""
        columns = self.constant(np.asarray(prepared.kept, np.int64))
        out = self.node("Gather", ["x", columns], axis=1)
        out = self.node("Sub", [out, self.constant(prepared.mean)])
        out = self.node("Div", [out, self.constant(prepared.deviation)])
        if prepared.clip is not None:
            low, high = (self.constant(np.float64(sign * prepared.clip)) for sign in (-1, 1))
            out = self.node("Clip", [out, low, high])
        if prepared.codes.shape[1]:  # the last row is that of -1, which counts from the end
            told = self.node("Gather", [self.constant(prepared.codes), "instrument"], axis=0)
            out = self.node("Concat", [out, told], axis=1)
        return out

    def linear(self, read: str, form: Linear) -> str:
        # no MatMul: its sums depend on how many samples are asked at once
        terms = self.node("Mul", [read, self.constant(form.weights)])
        out = self.node("ReduceSum", [terms, self.constant(np.array([1]))], keepdims=0)
        return self.node("Add", [out, self.constant(np.float64(form.bias))])

    def trees(self, read: str, form: Trees) -> str:
        from onnx import TensorProto

        leaf = form.feature < 0
        begins = np.searchsorted(form.tree, form.tree)  # each node's root
        ids = np.arange(len(form.tree)) - begins
        modes = np.where(leaf, "LEAF", "BRANCH_LT" if form.strict else "BRANCH_LEQ")
        narrow = self.node("Cast", [read], to=TensorProto.FLOAT)
        out = self.node(
            "TreeEnsembleRegressor",
            [narrow],
            domain="ai.onnx.ml",
            n_targets=1,
            nodes_treeids=form.tree.tolist(),
            nodes_nodeids=ids.tolist(),
            nodes_featureids=np.where(leaf, 0, form.feature).tolist(),
            nodes_values=np.where(leaf, 0.0, form.threshold).tolist(),
            nodes_modes=modes.tolist(),
            nodes_truenodeids=np.where(leaf, 0, form.left).tolist(),
            nodes_falsenodeids=np.where(leaf, 0, form.right).tolist(),
            nodes_missing_value_tracks_true=[0] * len(ids),
            target_treeids=form.tree[leaf].tolist(),
            target_nodeids=ids[leaf].tolist(),
            target_ids=[0] * int(leaf.sum()),
            target_weights=form.value[leaf].tolist(),
        )
        wide = self.node("Cast", [out], to=TensorProto.DOUBLE)
        return self.node("Add", [wide, self.constant(np.float64(form.base))])
