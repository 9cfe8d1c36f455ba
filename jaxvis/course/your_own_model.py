"""Notebook 10: another cut, and the density of a map on the object."""

import jax
import numpy as np

from jaxvis.course.check import NotYet, exercise
from jaxvis.course.compare import attempt, numbers, refuse, same
from jaxvis.gradients.relu import guided_relu


@exercise(
    "body2 runs conv1 and conv2, relu(convolve(...)) each; head2 runs conv3 and conv4 likewise, then head."
)
def another_cut(body2, head2, network, initial):
    params = initial(
        7
    )  # not those of the notebook: an answer that does not use its argument is seen
    x = np.random.default_rng(0).normal(size=(2, 56, 56, 3)).astype(np.float32)
    hints = {
        "feature": (
            "Each convolution takes as many channels as the one before gives: conv1, conv2, conv3, conv4.",
        ),
        "lhs": (
            "Each convolution takes as many channels as the one before gives: conv1, conv2, conv3, conv4.",
        ),
        "dot_general": ("The dense layer reads the mean of conv4's feature maps.",),
    }
    answer = attempt(body2, params, x, hints=hints)
    features = numbers(
        answer, "body2(params, x)", (2, 14, 14, 24), "body2 runs conv1 and conv2, and stops there."
    )
    if features.min() < 0:
        raise NotYet(
            "the feature maps are cut in front of conv2's ReLU.",
            "Both layers: relu(convolve(...)).",
        )
    logits = numbers(
        attempt(head2, params, answer, hints=hints),
        "head2(params, features)",
        (2, 3),
        "head2 runs conv3 and conv4, and what head does.",
    )
    if not same(logits, network(params, x), 1e-3):
        raise NotYet(
            "head2(body2(x)) is not the network.",
            "After the four convolutions, each with its ReLU, comes what `head` does; all with the `params` that are handed in.",
        )

    def gradient(part_one, part_two):
        def total(x):
            return part_two(params, part_one(params, x, relu=guided_relu), relu=guided_relu).sum()

        return jax.grad(total)(x)

    found = numbers(attempt(gradient, body2, head2), "the gradient", x.shape)
    if not same(found, jax.grad(lambda x: network(params, x, relu=guided_relu).sum())(x), 1e-3):
        raise NotYet(
            "under the guided rule the gradients differ.",
            "Some ReLU is jax.nn.relu, and not the `relu` that is handed in.",
        )
    return "cut behind conv2, and the rule reaches every ReLU."


@exercise(
    "(maps * masks).sum over axes 1 and 2, over maps.sum(axis=(1, 2)), over masks.mean(axis=(1, 2))."
)
def density(density):
    for seed in range(3):
        random = np.random.default_rng(seed)
        maps, masks = random.random((3, 8, 10)), random.random((3, 8, 10)) < 0.3
        wanted = []
        for one, mask in zip(maps, masks, strict=True):
            inside = [value for value, on in zip(one.ravel(), mask.ravel(), strict=True) if on]
            wanted.append(
                sum(inside) / len(inside) / (sum(one.ravel()) / one.size)
            )  # mean on it over mean of all
        answer = attempt(density, maps.copy(), masks.copy())
        found = numbers(
            answer, "density(...)", (3,), "One number for each map: sum over axes 1 and 2 only."
        )
        if same(found, wanted):
            continue
        energy = (maps * masks).sum(axis=(1, 2)) / maps.sum(axis=(1, 2))
        area = masks.mean(axis=(1, 2))
        refuse(
            found,
            (
                energy,
                "this is the part of the map on the object.",
                "A large object gets more of any map. Divide by the part of the area.",
            ),
            (energy * area, "multiplied by the part of the area.", "Divided."),
            (
                (maps * masks).sum(axis=(1, 2)),
                "a map twice as bright would be twice as dense.",
                "First divide by the map's sum, then by the part of the area.",
            ),
            (
                (maps * masks).sum(axis=(1, 2)) / masks.sum(axis=(1, 2)),
                "a map twice as bright would be twice as dense.",
                "This is the mean on the object. Divide it by the mean everywhere.",
            ),
            (
                energy / masks.sum(axis=(1, 2)),
                "the area is counted in pixels.",
                "As a part of the picture: the mean of the mask.",
            ),
            (1 / np.array(wanted), "it is upside down.", "More on the object is a larger number."),
        )
        raise NotYet(
            f"found {found.round(2)}; {np.round(wanted, 2)} is expected.",
            "The mean of the map on the object, over its mean everywhere.",
        )
    return "a constant map has density 1, and brightness does not count."
