"""Attacks on a picture, as the lessons on security have their readers write them.

On drawn scenes and the demo, where nobody comes to harm. Distances are in grey levels of 255, of
which what `jv.preprocess` returns has one to the unit: a picture x, blue, green, red, is a real one
where `LOWEST <= x <= HIGHEST`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxvis.gradients.relu import Relu
from jaxvis.models.preprocessing import preprocess
from jaxvis.types import AnyArray

Images = Float[AnyArray, "n height width 3"]
ShownMaps = Float[Array, "n height width"]

LOWEST = preprocess(np.zeros((1, 1, 1, 3), np.uint8))[0, 0, 0]  # of each channel: black
HIGHEST = preprocess(np.full((1, 1, 1, 3), 255, np.uint8))[0, 0, 0]  # white


def near(x: Images, start: Images, epsilon: float) -> Array:
    """Return the nearest real picture to x that differs from `start` by at most epsilon."""
    least = jnp.maximum(jnp.asarray(start) - epsilon, LOWEST[None, None, None])
    most = jnp.minimum(jnp.asarray(start) + epsilon, HIGHEST[None, None, None])
    return jnp.clip(x, least, most)


@jax.jit
def loss_gradient(model: Any, x: Images, classes: AnyArray) -> Array:
    """Return d/dx of the cross entropy of each image's class, -log p."""

    def loss(x: Any) -> Array:
        log_p = jax.nn.log_softmax(model(x))
        return -jnp.take_along_axis(log_p, classes[:, None], axis=1).sum()

    return jax.grad(loss)(x)


def fgsm(model: Any, x: Images, classes: AnyArray, epsilon: float) -> Array:
    """Return x + epsilon sign(gradient of the loss), kept a picture.

    The fast gradient sign method: Goodfellow, Shlens & Szegedy, "Explaining and Harnessing
    Adversarial Examples" (arXiv 1412.6572, 2015), section 4.
    """
    gradient = loss_gradient(model, x, jnp.asarray(classes))
    return near(x + epsilon * jnp.sign(gradient), x, epsilon)


def pgd(
    model: Any, x: Images, classes: AnyArray, epsilon: float, *, steps: int = 10, step: float = 0.0
) -> Array:
    """Return what `steps` small steps of FGSM come to, each brought back to within epsilon of x.

    Projected gradient descent: Madry et al., "Towards Deep Learning Models Resistant to Adversarial
    Attacks" (arXiv 1706.06083, 2018), section 2.1, from x itself. `step` is epsilon / 4 unless
    given.
    """
    now = jnp.asarray(x)
    for _ in range(steps):
        gradient = loss_gradient(model, now, jnp.asarray(classes))
        now = near(now + (step or epsilon / 4) * jnp.sign(gradient), x, epsilon)
    return now


def softplus_relu(beta: float | AnyArray) -> Callable[[Any], Array]:
    """Return log(1 + exp(beta z)) / beta: a ReLU without its corner, the sharper the larger beta.

    Where a ReLU is used the second derivative of a network is 0, and a map cannot be steered by it;
    with this in its place it can: Dombrowski et al., "Explanations can be manipulated and geometry
    is to blame" (arXiv 1906.07983, 2019), section 2.1.
    """

    def relu(z: Any) -> Array:
        return jax.nn.softplus(beta * z) / beta

    return relu


def share_in(maps: ShownMaps, region: Float[AnyArray, "..."]) -> Float[Array, " n"]:
    """Return the share of each map's sum that lies in the region, 0 of a map of zeros.

    The region is one for all, (height, width), or one for each.
    """
    total = maps.sum(axis=(1, 2))
    inside = (maps * jnp.broadcast_to(region, maps.shape)).sum(axis=(1, 2))
    return inside / jnp.maximum(total, 1e-20)


def steered(
    map_of: Callable[..., tuple[ShownMaps, Array]],
    model: Any,
    x: Images,
    classes: AnyArray,
    region: Float[AnyArray, "..."],
    *,
    epsilon: float = 8.0,
    steps: int = 30,
    beta: float = 10.0,
    hold: float = 0.3,
    seed: int = 0,
) -> Array:
    """Return pictures near x whose maps lie in the region, while the logits stay.

    Small steps of the sign of the gradient of -log(share of the map in the region) + hold * mean
    squared change of the logits, through the softplus; pushing a map's mass elsewhere is one of the
    attacks of Ghorbani, Abid & Zou, "Interpretation of Neural Networks is Fragile" (arXiv
    1710.10547, 2019), section 2.

    Args:
        map_of: `map_of(model, x, classes, relu, key)` returns maps (n, height, width) and logits;
            `key` is another one at each step, for what draws noise.
        model, x, classes: as in `jv.saliency`.
        region: 1 where the attacker wants the map, 0 elsewhere; of the maps' size, (height, width),
            or one for each image.
        epsilon: how far a channel of a pixel may go, in grey levels.
        steps: of the attack. The last third are small.
        beta: of the softplus; its maps are those that are steered.
        hold: what a change of the logits costs.
        seed: of the keys.
    """
    x, classes = jnp.asarray(x), jnp.asarray(classes)
    logits = model(x)
    now = x
    for number in range(steps):
        key = jax.random.fold_in(jax.random.key(seed), number)
        gradient = _steering(map_of, model, now, classes, region, logits, beta, hold, key)
        length = epsilon / 10 * (1 if 3 * number < 2 * steps else 0.3)
        now = near(now - length * jnp.sign(gradient), x, epsilon)
    return now


@partial(jax.jit, static_argnums=0)
def _steering(
    map_of: Callable[..., tuple[ShownMaps, Array]],
    model: Any,
    x: Array,
    classes: Array,
    region: Array,
    wanted: Array,
    beta: Array,
    hold: Array,
    key: Array,
) -> Array:
    def loss(x: Array) -> Array:
        maps, logits = map_of(model, x, classes, softplus_relu(beta), key)
        off = ((logits - wanted) ** 2).mean(axis=1)
        return (-jnp.log(share_in(maps, region) + 1e-6) + hold * off).sum()

    return jax.grad(loss)(x)


def _logit(logits: Array, classes: Array) -> Array:
    return jnp.take_along_axis(logits, classes[:, None], axis=1).sum()


def gradient_map(
    model: Any, x: Any, classes: Any, relu: Relu, key: Any = None
) -> tuple[Array, Array]:
    """Saliency, for `steered`: the largest |d logit / dx| over the channels."""

    def logit(x: Array) -> tuple[Array, Array]:
        logits = model(x, relu=relu)
        return _logit(logits, classes), logits

    gradient, logits = jax.grad(logit, has_aux=True)(x)
    return jnp.abs(gradient).max(axis=-1), logits


def guided_map(
    model: Any, x: Any, classes: Any, relu: Relu, key: Any = None
) -> tuple[Array, Array]:
    """Guided saliency, for `steered`: what the smooth ReLU passes back, where that is positive."""
    return gradient_map(model, x, classes, _guided(relu))


def _guided(relu: Relu) -> Relu:
    @jax.custom_vjp
    def guided(z: Array) -> Array:
        return relu(z)

    def forward(z: Array) -> tuple[Array, Array]:
        return relu(z), z

    def backward(z: Array, g: Array) -> tuple[Array]:
        return jax.vjp(relu, z)[1](jnp.maximum(g, 0))

    guided.defvjp(forward, backward)
    return guided


def grad_cam_map(
    model: Any, x: Any, classes: Any, relu: Relu, key: Any = None, layer: str = "block5_conv3"
) -> tuple[Array, Array]:
    """Grad-CAM, for `steered`, of the layer's size."""
    body, head = model.cut(layer)

    def logit(features: Array) -> tuple[Array, Array]:
        logits = head(features, relu=relu)
        return _logit(logits, classes), logits

    features = body(x, relu=relu)
    gradient, logits = jax.grad(logit, has_aux=True)(features)
    weights = gradient.mean(axis=(1, 2), keepdims=True)
    return jnp.maximum((weights * features).sum(axis=-1), 0), logits


def smoothgrad_map(
    model: Any, x: Any, classes: Any, relu: Relu, key: Any, samples: int = 2, noise: float = 0.15
) -> tuple[Array, Array]:
    """SmoothGrad of a few samples, for `steered`, which draws others at every step."""
    sigma = noise * (x.max(axis=(1, 2, 3)) - x.min(axis=(1, 2, 3)))
    shape = (samples, *x.shape)
    copies = x[None] + sigma[None, :, None, None, None] * jax.random.normal(key, shape, x.dtype)
    gradient = _gradients(model, copies, classes, relu).mean(axis=0)
    return jnp.abs(gradient).max(axis=-1), model(x, relu=relu)


def integrated_map(
    model: Any, x: Any, classes: Any, relu: Relu, key: Any, samples: int = 2
) -> tuple[Array, Array]:
    """|Integrated gradients| from the mean colour, for `steered`, at a few points of the way."""
    steps = jnp.arange(samples, dtype=x.dtype)
    shares = (steps + jax.random.uniform(key, (samples,), x.dtype)) / samples
    gradient = _gradients(model, shares[:, None, None, None, None] * x[None], classes, relu)
    return jnp.abs((gradient.mean(axis=0) * x).sum(axis=-1)), model(x, relu=relu)


def _gradients(model: Any, copies: Array, classes: Array, relu: Relu) -> Array:
    """The gradient of every copy (samples, n, height, width, 3), in one batch."""
    samples = len(copies)
    many = jnp.tile(classes, samples)

    def logit(x: Array) -> Array:
        return _logit(model(x, relu=relu), many)

    return jax.grad(logit)(copies.reshape(-1, *copies.shape[2:])).reshape(copies.shape)


def covered(image: np.ndarray, one: np.ndarray, side: int) -> np.ndarray:
    """Return the image, uint8 (height, width, 3), with its map's maximum under a square.

    The square, of `side` pixels, has the image's mean colour; what would stick out is left out.
    """
    row, column = np.unravel_index(one.argmax(), one.shape)
    top, left = int(row) - side // 2, int(column) - side // 2
    copy = image.copy()
    copy[max(top, 0) : top + side, max(left, 0) : left + side] = image.mean(axis=(0, 1))
    return copy
