"""Run the graph of a TensorFlow Lite file with torch, in float32.

Only the operators of small convolutional networks are known, and each behaves as TensorFlow Lite's reference kernel
does; tests compare every network with that runtime. Tensors keep the file's order of axes, `[N, H, W, C]`.
"""

import math
from collections.abc import Callable, Iterable
from typing import cast

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from ...errors import InvalidFileError
from .tflite import MAX_CONSTANT_BYTES, MAX_ELEMENTS, Graph, Operator, TensorInfo

# A step may use what others use too, and as often as a file likes: what all of them take together is bounded.
MAX_KEPT = 16 * MAX_ELEMENTS
"""Numbers of one picture that wait at once for later steps; the detectors' networks keep a million."""
MAX_WORK = 10**10
"""Numbers that all steps read for one picture; the detectors' networks read some 350 million."""


class Network(nn.Module):
    """A network whose weights are constants.

    Attributes:
        input_shape: Shape of what it takes, for a batch of one, `[1, H, W, C]`.
        output_shapes: Shapes of what it returns, for a batch of one.
    """

    def __init__(self, graph: Graph):
        """Prepare a graph, and check once with tensors that have a shape but no contents that all of it fits.

        Raises:
            InvalidFileError: If shapes do not fit each other, or a step is of a kind that is not computed here.
        """
        super().__init__()
        if len(graph.inputs) != 1:
            raise InvalidFileError(
                f"The network takes {len(graph.inputs)} inputs, expected one picture. Get it again with `python -m "
                "sesahand get-detector`."
            )
        constants = {
            index: torch.from_numpy(info.value.copy()) for index, info in enumerate(graph.tensors)
            if info.value is not None
        }  # fmt: skip
        self.shapes = [info.shape for info in graph.tensors]
        self.inputs, self.outputs = graph.inputs, graph.outputs
        self.steps = nn.ModuleList()
        self.constant_bytes = 0
        for operator in graph.operators:
            self._add_step(operator, graph, constants)
        self.last_use = {index: k for k, step in enumerate(self._own_steps()) for index in step.inputs}
        try:
            hollow = {name: value.to("meta") for name, value in self.named_buffers()}
            picture = torch.empty(self.input_shape, device="meta")
            torch.func.functional_call(self, hollow, (picture,), {"check": True})
        except (RuntimeError, ValueError, IndexError, TypeError, KeyError, OverflowError) as error:
            raise InvalidFileError(
                f"The network's parts do not fit together: {error!s:.200}. Get it again with `python -m sesahand "
                "get-detector`."
            ) from error

    @property
    def input_shape(self) -> tuple[int, ...]:
        return self.shapes[self.inputs[0]]

    @property
    def output_shapes(self) -> list[tuple[int, ...]]:
        return [self.shapes[index] for index in self.outputs]

    def _own_steps(self) -> "Iterable[_Step]":
        return cast("Iterable[_Step]", self.steps)

    def _add_step(self, operator: Operator, graph: Graph, constants: dict[int, Tensor]) -> None:
        try:
            if operator.kind == "DEQUANTIZE" and operator.inputs[0] in constants:
                constants[operator.outputs[0]] = constants[operator.inputs[0]].float()
                self._count(constants[operator.outputs[0]])
                return
            known = [constants.get(index) for index in operator.inputs]
            inputs = [index for index in operator.inputs if index >= 0 and index not in constants]
            run, weights = BUILDERS[operator.kind](operator, known, [graph.tensors[k] for k in operator.outputs])
            self._count(*weights.values())
            taps = _count_taps(operator, weights)
            self.steps.append(_Step(operator.kind, run, weights, tuple(inputs), operator.outputs[0], taps))
        except (RuntimeError, ValueError, IndexError, TypeError, KeyError, AttributeError) as error:
            raise InvalidFileError(
                f"The network has a {operator.kind} that cannot be computed: {error!s:.200}. Get it again with `python "
                "-m sesahand get-detector`."
            ) from error

    def _count(self, *made: Tensor) -> None:
        """Refuse constants that a file has once and asks for again and again."""
        self.constant_bytes += sum(value.numel() * value.element_size() for value in made)
        if self.constant_bytes > 4 * MAX_CONSTANT_BYTES:
            raise ValueError("with those before it, it makes more constants than there is room for")

    def forward(self, pictures: Tensor, check: bool = False) -> tuple[Tensor, ...]:
        """Run the network.

        Args:
            pictures: Input `[N, H, W, C]` of the size of `input_shape`, float32; the detectors take 0..1.
            check: Compare the shape of every step's result with what the file says.

        Returns:
            Its outputs, `[N, ...]` each.
        """
        values, work, outputs = {self.inputs[0]: pictures}, 0, set(self.outputs)
        for k, step in enumerate(self._own_steps()):
            value = step(*(values[index] for index in step.inputs))
            if check and tuple(value.shape) != self.shapes[step.output]:
                raise ValueError(
                    f"{step.kind} gives {tuple(value.shape)} where the file says {self.shapes[step.output]}."
                )
            values[step.output] = value
            if check:
                work += step.taps * value.numel() + sum(values[index].numel() for index in step.inputs)
                kept = sum(each.numel() for each in values.values())
                if work > MAX_WORK or kept > MAX_KEPT:
                    raise ValueError(f"up to its step {k + 1} it reads {work} numbers and keeps {kept}")
            for index in {*step.inputs, step.output} - outputs:
                if self.last_use.get(index, k) <= k:
                    del values[index]
        return tuple(values[index] for index in self.outputs)


class _Step(nn.Module):
    """One operator: what it reads, where its result goes, and its weights as buffers, so that they move along."""

    def __init__(
        self, kind: str, run: Callable, weights: dict[str, Tensor], inputs: tuple[int, ...], output: int, taps: int
    ):
        super().__init__()
        self.kind, self.run, self.inputs, self.output, self.taps = kind, run, inputs, output, taps
        self.names = tuple(weights)
        for name, value in weights.items():
            self.register_buffer(name, value, persistent=False)

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.run(*inputs, **{name: getattr(self, name) for name in self.names})


Built = tuple[Callable, dict[str, Tensor]]
Known = list[Tensor | None]


def _count_taps(operator: Operator, weights: dict[str, Tensor]) -> int:
    """Return how many numbers a step reads for each number of its result."""
    if "weight" in weights:
        return weights["weight"][0].numel()
    return operator.options.get("filter_h", 1) * operator.options.get("filter_w", 1)


def _constant(value: Tensor | None) -> Tensor:
    """Return what an operator takes from the file, not from a step."""
    if value is None:
        raise ValueError("it lacks a constant")
    return value


def _activate(value: Tensor, name: str | None) -> Tensor:
    if name is None:
        return value
    return functional.relu_(value) if name == "relu" else functional.hardtanh_(value, 0.0, 6.0)


def _margins(size: int, window: int, stride: int, padding: str) -> tuple[int, int]:
    """Return how many rows "same" padding adds before and after; an odd one goes after."""
    total = max((math.ceil(size / stride) - 1) * stride + window - size, 0) if padding == "same" else 0
    return total // 2, total - total // 2


def _padded(
    picture: Tensor, window: tuple[int, int], options: dict, filling: float = 0.0
) -> tuple[Tensor, tuple[int, int]]:
    """Return `[N, C, H, W]` with margins for windows of this height and width, and those still to be added, if equal.

    Margins of zeros that are alike on both sides are left to the convolution, which needs no copy for them.
    """
    vertical = _margins(picture.shape[2], window[0], options["stride_h"], options["padding"])
    horizontal = _margins(picture.shape[3], window[1], options["stride_w"], options["padding"])
    margins = (*horizontal, *vertical)
    # Only what steps give has a shape in the file; a wide window asks for more than that on its way.
    padded = picture.shape[1] * (picture.shape[2] + sum(vertical)) * (picture.shape[3] + sum(horizontal))
    if padded > MAX_ELEMENTS:
        raise ValueError(f"a window of {window[0]}x{window[1]} needs {padded} values with their margins")
    if filling == 0 and vertical[0] == vertical[1] and horizontal[0] == horizontal[1]:
        return picture, (vertical[0], horizontal[0])
    return (functional.pad(picture, margins, value=filling) if any(margins) else picture), (0, 0)


def _channels_first(value: Tensor) -> Tensor:
    return value.permute(0, 3, 1, 2)


def _channels_last(value: Tensor) -> Tensor:
    return value.permute(0, 2, 3, 1)


def _build_convolution(operator: Operator, known: Known, outputs: list[TensorInfo]) -> Built:
    options = operator.options
    depthwise = operator.kind == "DEPTHWISE_CONV_2D"
    _, weight, bias = [*known, None][:3]
    weight = _constant(weight)
    stride = _positive(options, "stride_h", "stride_w")
    dilation = _positive(options, "dilation_h", "dilation_w")
    weight = (weight.permute(3, 0, 1, 2) if depthwise else weight.permute(0, 3, 1, 2)).contiguous()
    height, width = ((size - 1) * step + 1 for size, step in zip(weight.shape[2:], dilation, strict=True))

    def run(picture: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        picture, margin = _padded(_channels_first(picture), (height, width), options)
        groups = picture.shape[1] if depthwise else 1
        value = functional.conv2d(picture, weight, bias, stride, margin, dilation, groups)
        return _activate(_channels_last(value), options["activation"])

    return run, {"weight": weight} if bias is None else {"weight": weight, "bias": bias}


def _positive(options: dict, *names: str) -> tuple[int, ...]:
    values = tuple(options[name] for name in names)
    if min(values) < 1:
        raise ValueError(f"{', '.join(names)} are {values}, expected at least 1")
    return values


def _build_pool(operator: Operator, known: Known, outputs: list[TensorInfo]) -> Built:
    options = operator.options
    stride, (height, width) = _positive(options, "stride_h", "stride_w"), _positive(options, "filter_h", "filter_w")

    def run(picture: Tensor) -> Tensor:
        picture, _ = _padded(_channels_first(picture), (height, width), options, -math.inf)
        return _activate(_channels_last(functional.max_pool2d(picture, (height, width), stride)), options["activation"])

    return run, {}


def _build_prelu(operator: Operator, known: Known, outputs: list[TensorInfo]) -> Built:
    slope = _constant(known[1])
    if slope.numel() != slope.shape[-1]:
        raise ValueError("its slopes differ within a channel")
    slope = slope.flatten()

    def run(value: Tensor, slope: Tensor) -> Tensor:
        return functional.prelu(value.movedim(-1, 1), slope).movedim(1, -1)

    return run, {"slope": slope}


def _build_add(operator: Operator, known: Known, outputs: list[TensorInfo]) -> Built:
    constants = [value for value in known if value is not None]

    def run(first: Tensor, second: Tensor) -> Tensor:
        return _activate(first + second, operator.options["activation"])

    return run, {"second": constants[0]} if constants else {}


def _build_pad(operator: Operator, known: Known, outputs: list[TensorInfo]) -> Built:
    margins_of = _constant(known[1])
    before_after = margins_of.tolist()
    if margins_of.min() < 0 or margins_of[0].any():
        raise ValueError("it cuts, or pads the batch")
    margins = [size for pair in reversed(before_after) for size in pair]
    return (lambda value: functional.pad(value, margins)), {}


def _build_resize(operator: Operator, known: Known, outputs: list[TensorInfo]) -> Built:
    if operator.options["align_corners"] or not operator.options["half_pixel"]:
        raise ValueError("it does not sample at the centres of pixels")
    size = _constant(known[1]).tolist()

    def run(picture: Tensor) -> Tensor:
        return _channels_last(functional.interpolate(_channels_first(picture), size, mode="bilinear"))

    return run, {}


def _build_dense(operator: Operator, known: Known, outputs: list[TensorInfo]) -> Built:
    _, weight, bias = [*known, None][:3]
    weight = _constant(weight)
    if operator.options["weights_format"]:
        raise ValueError("its weights are shuffled")

    def run(value: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        return _activate(functional.linear(value, weight, bias), operator.options["activation"])

    return run, {"weight": weight} if bias is None else {"weight": weight, "bias": bias}


def _build_mean(operator: Operator, known: Known, outputs: list[TensorInfo]) -> Built:
    axes, keep = _constant(known[1]).flatten().tolist(), bool(operator.options["keep_dims"])
    if 0 in axes or not axes:
        raise ValueError("it averages over the batch")
    return (lambda value: value.mean(axes, keepdim=keep)), {}


def _build_reshape(operator: Operator, known: Known, outputs: list[TensorInfo]) -> Built:
    first, *rest = outputs[0].shape
    if first != 1:
        raise ValueError("it moves the batch")
    return (lambda value: value.reshape(value.shape[0], *rest)), {}


def _build_concatenation(operator: Operator, known: Known, outputs: list[TensorInfo]) -> Built:
    axis = operator.options["axis"]
    if any(value is not None for value in known) or axis == 0:
        raise ValueError("it joins constants or batches")
    return (lambda *values: _activate(torch.cat(values, axis), operator.options["activation"])), {}


def _build_logistic(operator: Operator, known: Known, outputs: list[TensorInfo]) -> Built:
    return torch.sigmoid, {}


def _build_dequantize(operator: Operator, known: Known, outputs: list[TensorInfo]) -> Built:
    return Tensor.float, {}


BUILDERS: dict[str, Callable[[Operator, Known, list[TensorInfo]], Built]] = {
    "ADD": _build_add,
    "CONCATENATION": _build_concatenation,
    "CONV_2D": _build_convolution,
    "DEPTHWISE_CONV_2D": _build_convolution,
    "DEQUANTIZE": _build_dequantize,
    "FULLY_CONNECTED": _build_dense,
    "LOGISTIC": _build_logistic,
    "MAX_POOL_2D": _build_pool,
    "MEAN": _build_mean,
    "PAD": _build_pad,
    "RESHAPE": _build_reshape,
    "RESIZE_BILINEAR": _build_resize,
    "PRELU": _build_prelu,
}
