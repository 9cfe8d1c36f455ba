"""A VGG16 as a chain of layers, without normalisations: they become part of their neighbours.

A batch normalisation only scales and shifts, y = a x + c, and so does a dense layer beside it: the
two are one dense layer. As layers of their own they would take relevance for their shift; joined,
the network computes the same and each unit has but one bias (Hui & Binder, "BatchNorm Decomposition
for Deep Neural Network Interpretation", IWANN 2019).
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxvis.errors import NotSupportedError
from jaxvis.gradients.chain import LINKS, Chain, Link
from jaxvis.models.heads import Affine
from jaxvis.models.layers import LayerShape
from jaxvis.models.preprocessing import Preprocessing, preprocess


def chain_of_vgg16(model: Any) -> Chain:
    """Return a `VGG16` as a `Chain`.

    Raises:
        NotImplementedError: it has a layer inside whose output is no affine map or maximum of its
            input: a softmax, a sigmoid, or a normalisation without a dense layer beside it.
    """
    links = [_front(affine) for affine in model.architecture.front]
    rows = [row for row in model.rows if row.kind != "Dropout" and not _does_nothing(row)]
    shift: tuple[str, Any, Any] | None = None  # of a normalisation, for the dense layer behind it
    for row in rows:
        if row.activation not in ("linear", "relu"):
            raise _not_supported(row.name, f"a {row.activation} inside the network")
        relu = row.activation == "relu"
        if row.kind == "BatchNormalization":
            scale, offset = map(_wide, getattr(model, row.name).scale_and_offset())
            before = links[-1]
            if shift is None and before.kind == "Dense" and not before.relu:
                links[-1] = _behind(before, scale, offset)._replace(relu=relu)
                continue
            if relu:
                raise _not_supported(
                    row.name, "a normalisation with a ReLU, and no dense layer before it"
                )
            if shift is not None:
                scale, offset = shift[1] * scale, shift[2] * scale + offset
            shift = row.name, scale, offset
            continue
        if row.kind == "Activation" and shift is None and links[-1].kind == "Dense":
            links[-1] = links[-1]._replace(relu=relu)
            continue
        link = _link(model, row, relu)
        if shift is not None:
            if link.kind != "Dense":
                raise _not_supported(shift[0], f"a normalisation between {links[-1].name} and "
                                     f"{row.name}, no dense layer")  # fmt: skip
            link, shift = _before(link, *shift[1:]), None
        links.append(link)
    if shift is not None:
        raise _not_supported(shift[0], "a normalisation behind a ReLU, with no layer behind it")
    if model.architecture.units == 1:
        links[-1] = _of_two_units(links[-1])
    return Chain(tuple(links), *_input_range(model))


def _does_nothing(row: LayerShape) -> bool:
    return row.kind == "Activation" and row.activation == "linear"


def _link(model: Any, row: LayerShape, relu: bool) -> Link:
    assert row.kind in LINKS, row.kind
    if not row.arrays:
        return Link(row.name, row.kind, {}, relu)
    layer = getattr(model, row.name)
    arrays = {role: _wide(getattr(layer, role)[...]) for role, _ in row.arrays}
    return Link(row.name, row.kind, arrays, relu, layer.precision)


def _wide(array: Array) -> Array:
    """Return half precision as float32: what is joined must not be rounded once more."""
    return array if array.dtype.itemsize >= 4 else array.astype(jnp.float32)


def _front(affine: Affine) -> Link:
    _, _, sources, scale, offset = affine
    arrays = {"sources": np.array(sources), "scale": np.array(scale), "offset": np.array(offset)}
    return Link(affine.name, "Affine", arrays)


def _behind(link: Link, scale: Any, offset: Any) -> Link:
    """Join (x W + b) scale + offset."""
    bias = link.arrays.get("bias")
    kernel = link.arrays["kernel"] * scale[None]
    bias = offset if bias is None else bias * scale + offset
    return link._replace(arrays={"kernel": kernel, "bias": bias})


def _before(link: Link, scale: Any, offset: Any) -> Link:
    """Join (x scale + offset) W + b."""
    kernel, bias = link.arrays["kernel"], link.arrays.get("bias")
    shift = jnp.matmul(offset, kernel, precision="highest")
    bias = shift if bias is None else bias + shift
    return link._replace(arrays={"kernel": kernel * scale[:, None], "bias": bias})


def _of_two_units(link: Link) -> Link:
    """Make two units of the last one, -z and z: the two logits of `models.one_unit`."""
    if link.kind != "Dense" or link.relu:
        raise _not_supported(link.name, "no dense layer, but the last")
    pairs = {role: jnp.concatenate([-a, a], axis=-1) for role, a in link.arrays.items()}
    return link._replace(arrays=pairs)


def _input_range(model: Any) -> tuple[Any, Any]:
    """Return the lowest and highest values that the input has, where preprocessing is known."""
    reads = model.reads
    if reads is not preprocess and not isinstance(reads, Preprocessing):
        return None, None
    # All of them send each channel's 0 and 255 to the two ends.
    black, white = (np.full((1, 1, 1, 3), value, np.uint8) for value in (0, 255))
    ends = [np.asarray(reads(image)).reshape(-1) for image in (black, white)]
    return np.minimum(*ends), np.maximum(*ends)


def _not_supported(name: str, what: str) -> NotSupportedError:
    return NotSupportedError(
        f"the layer {name!r} is {what}, for which relevance propagation has no rule here; wanted "
        "convolutions, poolings, and dense layers with ReLUs, normalised or not"
    )
