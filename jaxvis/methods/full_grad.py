"""FullGrad: what the pixels and every bias have in the score, added up.

Srinivas & Fleuret, "Full-Gradient Representation for Neural Network Visualization" (NeurIPS 2019).
A network of ReLUs is linear around an image, so its score is the gradient times the image, plus the
gradient at every sum of a layer times that layer's bias: nothing is left over, at every image
(their proposition on completeness). The map adds up the absolute values of these terms.
"""

from collections import OrderedDict
from collections.abc import Mapping
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from jaxvis.errors import InputError
from jaxvis.gradients.chain import chain_of, dtype_of, plain
from jaxvis.gradients.compiled import Compiled
from jaxvis.gradients.convolution import row
from jaxvis.gradients.onednn import bare
from jaxvis.gradients.relu import VANILLA, Relu, Rule, relu_under
from jaxvis.gradients.target import (
    Score,
    channels_last,
    check_logits,
    check_targets,
    cotangent_of,
)
from jaxvis.methods.batches import filled
from jaxvis.methods.enlarge import enlarged
from jaxvis.methods.method import Method
from jaxvis.methods.samples import check_count, one_array, one_class
from jaxvis.methods.unit import to_unit
from jaxvis.types import AnyArray

Scale = Literal["channel", "layer"]
BATCH = 4  # images in one compiled call


class FullGradients(NamedTuple):
    """The terms that a network's score is made of, each signed.

    score = pixels.sum() + the sum over all of biases, under the rule `VANILLA` and for a score that
    is linear in the logits.

    Attributes:
        logits: of all classes.
        pixels: the gradient times the image, as the first layer with weights reads it.
        biases: by the layer's name, first to last: the gradient at what the layer adds up, before
            its ReLU, times its bias; (n, height, width, features), or (n, features) of dense ones.
    """

    logits: Float[Array, "n classes"]
    pixels: Float[Array, "n height width channels"]
    biases: Mapping[str, Float[Array, "n *space features"]]


def full_gradients(
    model: Any,
    x: Float[AnyArray, "n height width channels"],
    classes: ArrayLike | None = None,
    *,
    rule: Rule | Relu = VANILLA,
    score: Score | None = None,
) -> FullGradients:
    """Return all terms of the score, those that `full_grad` makes its map of.

    Arguments and errors are those of `full_grad`. Memory grows with the network: for VGG16 about
    60 MB an image for the result alone.
    """
    x = _images(model, x)
    targets = one_class(x, classes, score)
    found = _terms(model, x, targets, rule, score)
    check_targets(targets, found.logits)
    return found


def full_grad(
    model: Any,
    x: Float[AnyArray, "n height width channels"],
    classes: ArrayLike | None = None,
    *,
    rule: Rule | Relu = VANILLA,
    score: Score | None = None,
    scale: Scale = "channel",
    batch_size: int = BATCH,
) -> Float[Array, "n height width"]:
    """Return the sum, over pixels and the biases of convolutions, of their terms' sizes.

    Raw: at least 0, not scaled as a whole. |.| of every term is brought to [0, 1], enlarged to the
    input (linear, aligned corners), and added up over all channels of all layers; the biases of
    dense layers have no place, and are left out. Section 4.1.

    Args:
        model: a `jv.VGG16`, or another with `chain() -> jaxvis.gradients.chain.Chain`, whose biases
            can be had.
        x: network input, one array of images, channels last.
        classes: as in `saliency`, one for each image.
        rule: of the ReLUs; the sum of terms is the score under `VANILLA` alone.
        score: as in `saliency`.
        scale: what is brought to [0, 1]: every "channel" of an image by itself, as the formula of
            the paper and pytorch-grad-cam have it, so that how large it is counts for nothing; or
            every "layer", all channels together, as the authors' own program does.
        batch_size: images in one compiled call, which bounds memory: VGG16 takes about 200 MB an
            image. With a `score` all images are in one call.

    Raises:
        TypeError: the model does not come apart into layers; as `saliency`.
        ValueError: an unknown scale; as `saliency`.
        NotImplementedError: the model has a layer of another kind.
    """
    if scale not in ("channel", "layer"):
        raise InputError(f"scale is {scale!r}; wanted 'channel' or 'layer'")
    check_count("batch_size", batch_size)
    x = _images(model, x)
    targets = one_class(x, classes, score)
    n = len(x)
    size = n if score is not None else min(n, batch_size)
    maps = []
    for start, rows in filled(n, size):
        given = None if targets is None else targets[rows]
        logits, found = _map(model, x[rows], given, rule, score, scale)
        check_targets(given, logits)
        maps.append(found[: n - start])
    return jnp.concatenate(maps)


def _images(model: Any, x: Any) -> Float[Array, "n height width channels"]:
    x = one_array(x)
    getattr(model, "check_input", lambda x: None)(x)
    return x


def _explained(
    model: Any, x: Array, targets: Array | None, rule: Any, score: Score | None
) -> FullGradients:
    """Return all terms, from a walk through the layers and back."""
    chain = chain_of(model)
    relu = relu_under(rule)
    x = x.astype(dtype_of(chain))
    links = list(chain.links)
    while links[0].kind == "Affine":  # what scales pixels: no layer whose bias is explained
        x = plain(links.pop(0), x)
    at, ways_back = x, []
    for link in links:
        at, pull = jax.vjp(partial(plain, link), at)
        at, pull_relu = jax.vjp(relu, at) if link.relu else (at, lambda g: (g,))
        ways_back.append((link, pull, pull_relu))
    check_logits(at, len(x))
    g = cotangent_of(at, targets, score, len(x))
    biases = {}
    for link, pull, pull_relu in reversed(ways_back):
        (g,) = pull_relu(g)
        if "bias" in link.arrays:
            biases[link.name] = g * row(link.arrays["bias"], g)
        g = bare(pull(g)[0])
    return FullGradients(at, g * x, OrderedDict(reversed(biases.items())))


_terms = Compiled(_explained)


@Compiled
def _map(
    model: Any, x: Array, targets: Array | None, rule: Any, score: Score | None, scale: Scale
) -> tuple[Array, Array]:
    """Return the logits and the maps."""
    found = _explained(model, x, targets, rule, score)
    total = _shown(found.pixels, scale)
    for terms in found.biases.values():
        if terms.ndim == 4:
            total += enlarged(_shown(terms, scale), x.shape[1:3])
    return found.logits, total


def _shown(terms: Float[Array, "n h w features"], scale: Scale) -> Float[Array, "n h w"]:
    """Return |terms|, each channel or all of a layer in [0, 1], summed over channels.

    Enlarging is linear, so that the sum may be enlarged in the place of every channel.
    """
    axes = (1, 2) if scale == "channel" else (1, 2, 3)
    return jnp.sum(to_unit(jnp.abs(terms), axes), axis=-1)


def _as_row(model: Any, x: Any, classes: Any, **options: Any) -> Array:
    channels_last(x, options["channel_axis"], x)
    return full_grad(model, x, classes, rule=options["rule"], score=options["score"])


FULL_GRAD = Method(
    name="full_grad",
    title="FullGrad",
    function=_as_row,
    shown=lambda maps: maps,
    kind="layer by layer",
    at="input",
    signed=False,
    rules=True,
    forward=1,
    backward=1,
    paper="Srinivas & Fleuret, NeurIPS 2019",
    about="The sizes of what pixels and biases of convolutions have in the score, each channel "
    "brought to [0, 1].",
    of_chain=True,
)
