"""Layer-wise relevance propagation: the class's logit, shared out among the pixels.

Bach et al., "On Pixel-Wise Explanations for Non-Linear Classifier Decisions by Layer-Wise Relevance
Propagation" (PLOS ONE 10(7), 2015). Rules are those of `gradients.relevance`, which layer has which
is said by a composite (`methods.composites`), and here is the walk. Beside layers with weights:

- a ReLU passes relevance on as it is: what it lets through is its only input;
- a maximum gives all to the one that won, as the gradient does;
- a mean over all places shares it out by what each place gave, as `Epsilon` does.
"""

from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Int

from jaxvis.errors import InputError
from jaxvis.gradients.auto_mesh import on_auto_mesh
from jaxvis.gradients.chain import Chain, Link, chain_of, dtype_of, plain
from jaxvis.gradients.compiled import Compiled
from jaxvis.gradients.groups import on_several
from jaxvis.gradients.relevance import GIVE_TO_ZEROS, PASSES, Box, Epsilon, Known, affine, passed
from jaxvis.gradients.relu import relu
from jaxvis.gradients.target import (
    Score,
    as_inputs,
    as_targets,
    channels_last,
    check_inputs,
    check_logits,
    check_target_shape,
    check_targets,
    cotangent_of,
    logit_cotangents,
    several,
)
from jaxvis.methods.batches import filled
from jaxvis.methods.composites import Composite, composite_of, rules_of
from jaxvis.methods.grad_cam import positive
from jaxvis.methods.method import Method
from jaxvis.types import AnyArray

Start = Literal["logit", "one"]


class Relevance(NamedTuple):
    """Where the relevance of a class went, for each of n images, and of k classes if asked for.

    start = pixels.sum() + biases + stabilisers, but for rounding: see `error`.

    Attributes:
        logits: of all classes.
        start: the relevance of the class, at its logit; of a score, that of all logits together.
        pixels: what reached the network's input, channel by channel.
        biases: what biases kept.
        stabilisers: what was lost to terms that keep a denominator from 0, or at units to which no
            input gave anything that the rule counts.
    """

    logits: Float[Array, "n classes"]
    start: Float[Array, "n *k"]
    pixels: Float[Array, "n *k height width channels"]
    biases: Float[Array, "n *k"]
    stabilisers: Float[Array, "n *k"]

    @property
    def error(self) -> Float[Array, "n *k"]:
        """What rounding made of the balance: (start - all the others) / sum of |pixels|."""
        reached = self.pixels.sum(axis=(-3, -2, -1))
        missing = self.start - reached - self.biases - self.stabilisers
        return missing / jnp.abs(self.pixels).sum(axis=(-3, -2, -1))


def lrp(
    model: Any,
    x: Float[AnyArray, "n height width channels"],
    classes: ArrayLike | None = None,
    *,
    score: Score | None = None,
    composite: str | Composite = "epsilon_plus_flat",
    low: ArrayLike | None = None,
    high: ArrayLike | None = None,
    start: Start = "logit",
    keep_channels: bool = False,
    batch_size: int = 8,
) -> Float[Array, "n *k height width"]:
    """Return relevance maps, raw and signed: what each pixel has in the class's logit.

    What speaks for the class is above 0, and what speaks against it below. The sum over a map is
    the logit, less what biases kept and stabilisers took: `relevance` says how much that was, and
    by how much rounding upset the balance.

    All is computed in float32 at least, by the products' precision that the model has: of a model
    in bfloat16 the weights are taken as they are, and its activations are not rounded. A map in
    bfloat16 would hold little else than the rounding of its denominators.

    Args:
        model: a `jv.VGG16`, whose batch normalisations become part of the dense layers beside them,
            or another with `chain() -> jaxvis.gradients.chain.Chain`.
        x: network input, one image or more.
        classes: index of the logit, one for all images, one per image, shape (n,), or k of every
            image, (n, k); None takes each image's largest logit.
        score: in place of classes, a function from the logits to scores (n,). A logit z_k begins
            with z_k d score / d z_k: under `contrast(a, b)` z_a is shared out, and what is z_b's
            counts against it. All together are the score if it is a sum of multiples of logits. All
            images are in one call.
        composite: a name in `jaxvis.methods.composites.COMPOSITES`, or a `Composite`.
        low, high: the lowest and highest values that the input can have, for the rule `Box`: one of
            each, or one for each channel. The model knows them where it knows its preprocessing:
            Keras's "caffe", say, has -mean and 255 - mean in the order BGR. Other rules have no use
            for them.
        start: the relevance at the class's output: its "logit", or "one"; of a score, z_k
            d score / d z_k or d score / d z_k.
        keep_channels: return (n, *k, height, width, channels), without the sum over channels.
        batch_size: how many images go together; memory grows with it, for the full VGG16 by about
            200 MB an image.

    Returns:
        Maps (n, height, width), summed over channels, of float32, or float64 for a model of it;
        with (n, k) classes, k axes behind the images'.

    Raises:
        TypeError: the model does not come apart into layers, `classes` are no integers, or the
            composite is none.
        ValueError: a class that the model does not have, an unknown name, a layer without a rule;
            for `Box`, bounds that are unknown, or an x outside of them.
        NotImplementedError: the model has a layer for which there is no rule.
    """
    found = relevance(
        model, x, classes, score=score, composite=composite, low=low, high=high, start=start,
        batch_size=batch_size,
    )  # fmt: skip
    return found.pixels if keep_channels else found.pixels.sum(axis=-1)


def relevance(
    model: Any,
    x: Float[AnyArray, "n height width channels"],
    classes: ArrayLike | None = None,
    *,
    score: Score | None = None,
    composite: str | Composite = "epsilon_plus_flat",
    low: ArrayLike | None = None,
    high: ArrayLike | None = None,
    start: Start = "logit",
    batch_size: int = 8,
) -> Relevance:
    """Return where the relevance of a class went: what `lrp` makes its maps of, and the balance.

    Arguments and errors are those of `lrp`.
    """
    if not hasattr(model, "chain"):
        chain_of(model)  # which says what is wrong
    asked = composite_of(composite)
    if start not in ("logit", "one"):
        raise InputError(f"start is {start!r}; wanted 'logit' or 'one'")
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise InputError(f"batch_size is {batch_size!r}; wanted a whole number of at least 1")
    model, images = on_auto_mesh(model), on_auto_mesh(as_inputs(x))
    getattr(model, "check_input", lambda x: None)(images)
    n = check_inputs(images)
    targets = on_auto_mesh(as_targets(classes, score))
    each: Any = targets
    if targets is not None:
        check_target_shape(targets, n)
        each = jnp.broadcast_to(targets, (n,)) if targets.ndim == 0 else targets
    apart = on_several(images)
    # A score may hold an array with a row for each image.
    size = n if apart or score is not None else min(n, batch_size)
    # Numbers in rules are data: another epsilon compiles nothing anew.
    asked = jax.tree.map(jnp.asarray, asked)
    low, high = (None if end is None else jnp.asarray(end) for end in (low, high))
    parts = []
    for _, rows in filled(n, size):
        some = images if size == n else images[rows]
        asked_of = each if each is None or size == n else each[rows]
        part, beyond = _propagate(model, some, asked_of, score, asked, low, high, start, apart)
        check_targets(targets, part.logits)
        _check_range(beyond)
        parts.append(part)
    if len(parts) == 1:
        return parts[0]
    return jax.tree.map(lambda *all_: jnp.concatenate(all_)[:n], *parts)


@Compiled
def _propagate(
    model: Any, x: Array, targets: Int[Array, "..."] | None, score: Score | None,
    composite: Composite, low: Array | None, high: Array | None, start: Start, apart: bool,
) -> tuple[Relevance, Array | None]:  # fmt: skip
    """Return the relevance, and how far x lies outside of a box: the lowest and highest excess."""
    chain = chain_of(model)
    dtype = dtype_of(chain)
    x = x.astype(dtype)
    rules = rules_of(composite, chain.links)
    box = _box(chain, rules, low, high, x)

    def forward(x: Array, absorbed: Array) -> Array:
        return _forward(chain, rules, box, x, absorbed)

    logits, pull_back = jax.vjp(forward, x, jnp.zeros((len(x), 2), dtype))
    check_logits(logits, len(x))

    def shared_out(one_hot: Array) -> Relevance:
        at_logits = one_hot * logits if start == "logit" else one_hot
        pixels, absorbed = pull_back(at_logits)
        return Relevance(
            logits, at_logits.sum(axis=1), pixels, biases=absorbed[:, 0], stabilisers=absorbed[:, 1]
        )

    if several(targets):
        one_hots = logit_cotangents(logits, targets)
        axes = Relevance(None, 1, 1, 1, 1)  # type: ignore[arg-type]
        if apart:  # as in `one_pass`: vmap would gather images from their devices
            found = jax.lax.map(shared_out, one_hots)
            found = jax.tree.map(lambda a: jnp.moveaxis(a, 0, 1), found)
            found = found._replace(logits=logits)
        else:
            found = jax.vmap(shared_out, out_axes=axes)(one_hots)
    else:
        found = shared_out(cotangent_of(logits, targets, score, len(x)))
    if box is None:
        return found, None
    slack = 1e-3 * (box[1] - box[0])  # rounding
    beyond = jnp.stack([jnp.max(box[0] - slack - x), jnp.max(x - box[1] - slack)])
    return found, jnp.maximum(beyond, jnp.zeros((), dtype))


def _forward(
    chain: Chain, rules: dict[str, Any], box: tuple[Array, Array] | None, x: Array, absorbed: Array
) -> Array:
    """Return the logits, computed so that relevance goes back by the rules."""
    positive = False  # whether nothing is below 0 here
    names = list(rules)
    last = max(
        (i for i, name in enumerate(names) if isinstance(rules[name], GIVE_TO_ZEROS)), default=0
    )
    for link in chain.links:
        match link.kind:
            case "Affine":
                x, box = _rescaled(link, x, box)
            case "Conv2D" | "Dense":
                rule = rules[link.name]
                if isinstance(rule, Box):
                    rule = _filled(rule, box)
                arrays = {role: array.astype(x.dtype) for role, array in link.arrays.items()}
                known = Known(positive, link.relu and names.index(link.name) >= last)
                x = affine(
                    x, arrays["kernel"], arrays.get("bias"), absorbed, rule, link.precision, known
                )
                positive = False
            case "GlobalAveragePooling2D":
                x = affine(x, None, None, absorbed, Epsilon())
            case _:
                x = plain(link, x)
        if link.relu:
            x, positive = relu(x, PASSES), True
    return x


def _rescaled(
    link: Link, x: Array, box: tuple[Array, Array] | None
) -> tuple[Array, tuple[Array, Array] | None]:
    """Return pixels as the first layer reads them, and their bounds; relevance passes as it is."""
    y = plain(link, x)
    if box is not None:
        ends = [plain(link, end) for end in box]
        box = jnp.minimum(*ends), jnp.maximum(*ends)
    return passed(x[..., list(link.arrays["sources"])], y), box


def _filled(rule: Box, box: tuple[Array, Array] | None) -> Box:
    """Return the rule with the network's own bounds where it has none."""
    if box is None:
        return rule
    low, high = box
    return Box(low if rule.low is None else rule.low, high if rule.high is None else rule.high)


def _box(
    chain: Chain, rules: dict[str, Any], low: Array | None, high: Array | None, x: Array
) -> tuple[Array, Array] | None:
    """Return the bounds of the network's input, (1, 1, 1, channels); None where no rule asks.

    Raises:
        ValueError: they are not known, of another shape, or asked for by a layer behind the first.
    """
    asking = [
        name
        for name, rule in rules.items()
        if isinstance(rule, Box) and (rule.low is None or rule.high is None)
    ]
    if not asking:
        return None
    first = next(iter(rules))
    if asking != [first]:
        raise InputError(
            f"the rule of {asking[-1]!r} is a Box without bounds, which are known of {first!r} "
            "alone, which reads the pixels; wanted Box(low, high), or another rule"
        )
    channels = x.shape[-1]
    ends = []
    for name, given, known in (("low", low, chain.low), ("high", high, chain.high)):
        end = known if given is None else given
        if end is None:
            raise InputError(
                f"{name} is not known: the rule Box needs the lowest and highest values that the "
                "network's input can have, and how images became it is not known; wanted low= and "
                "high=, numbers or one for each channel: of images in [0, 1], 0 and 1"
            )
        if end.shape not in ((), (channels,)):
            raise InputError(
                f"{name} has shape {end.shape}; wanted one number, or one of each channel: "
                f"({channels},)"
            )
        row = jnp.asarray(end, x.dtype).reshape(1, 1, 1, -1)
        ends.append(jnp.broadcast_to(row, (1, 1, 1, channels)))
    return ends[0], ends[1]


def _check_range(beyond: Array | None) -> None:
    """Raise ValueError if x was outside of the box; of a traced one nothing is known."""
    if beyond is None or isinstance(beyond, jax.core.Tracer):
        return
    below, above = np.asarray(beyond).tolist()
    if below > 0 or above > 0:
        raise InputError(
            f"x goes {below:.4g} below the lowest and {above:.4g} above the highest value that it "
            "is said to have, and the rule Box would share out more than there is; wanted images "
            "as the model's own preprocessing makes them, or low= and high= that hold for x"
        )


def _as_row(model: Any, x: Any, classes: Any, **options: Any) -> Array:
    channels_last(x, options["channel_axis"], x)
    return lrp(model, x, classes, score=options["score"])


LRP = Method(
    name="lrp",
    title="LRP",
    function=_as_row,
    shown=positive,
    kind="layer by layer",
    at="input",
    signed=False,
    rules=False,
    forward=1,
    backward=2,
    paper="Bach et al., PLOS ONE 10(7) (2015)",
    about="What speaks for the class: the logit, shared out among the pixels layer by layer "
    "(epsilon_plus_flat).",
    of_chain=True,
)
