"""Notebook 03: a margin and its gradient, the gradient of the softmax, the saliency map."""

import jax
import numpy as np

from jaxvis.course.check import NotYet, exercise
from jaxvis.course.compare import attempt, numbers, refuse, same


@exercise(
    "s = model(picture[None])[0] are its logits; s[index] - s[rival]. Then jax.grad(margin)(x[0])."
)
def margin(margin, margin_gradient, model, x, index, rival):
    logits = np.asarray(model(x))
    batch = {
        "expected": (
            "The network takes a batch, (n, height, width, 3): picture[None] is a batch of one.",
        ),
        "scalar": ("[0, index] takes one number out of (1, classes).",),
        "rgument": ("margin takes one picture.",),
    }
    for number in range(min(2, len(x))):
        value = numbers(
            attempt(margin, x[number], hints=batch),
            "margin(picture)",
            (),
            "[0, index] takes one number out of (1, classes).",
        )
        of_class, of_rival = float(logits[number, index]), float(logits[number, rival])
        wanted = of_class - of_rival
        if same(value, -wanted, 1e-3):
            raise NotYet("the sign is the other way round.", "The class first, minus the rival.")
        refuse(
            value,
            (of_class, "margin is the logit of the class alone.", "Take the rival's logit off."),
            (
                of_rival,
                "margin is the logit of the rival alone.",
                "Take it off the logit of the class.",
            ),
            (of_class + of_rival, "margin is the sum of the two logits.", "Minus, not plus."),
            tolerance=1e-3,
        )
        if not same(value, wanted, 1e-3):
            raise NotYet(
                f"margin of picture {number + 1} is {value:.2f}; {wanted:.2f} is expected.",
                "Take two logits of the picture that the function was given, and their difference.",
            )
    found = margin_gradient
    if found is None or found is Ellipsis:
        raise NotYet(
            "margin is right, its gradient is missing.",
            "jax.grad(margin) is a function of a picture; call it.",
        )
    if callable(found) and not hasattr(found, "dtype"):
        raise NotYet(
            "margin_gradient is a function.",
            "jax.grad(margin) is the function; the gradient is what it returns for x[0].",
        )
    if isinstance(found, tuple | list) and len(found) == 2 and np.shape(found[1]) == np.shape(x[0]):
        raise NotYet(
            "margin_gradient is two things, the value and the gradient.",
            "jax.value_and_grad returns both; the gradient is the second.",
        )
    found = numbers(
        found, "margin_gradient", np.shape(x[0]), "One picture is x[0]; x[:1] is a batch of one."
    )
    of_class, of_rival = (
        np.asarray(jax.grad(lambda picture, c=c: model(picture[None])[0, c])(x[0]))
        for c in (index, rival)
    )
    wanted = of_class - of_rival
    if same(found, wanted, 2e-3):
        return f"it is the difference of the two gradients, which reach {np.abs(of_class).max():.4f} and {np.abs(of_rival).max():.4f}."
    refuse(
        found,
        (of_class, "this is the gradient of the logit.", "Differentiate margin."),
        (np.abs(wanted), "the signs of the gradient are gone.", "No absolute value yet."),
        (-wanted, "the sign is the other way round.", "The class first, minus the rival."),
        tolerance=2e-3,
    )
    raise NotYet(
        "the gradient is that of another function, or of another picture.",
        "Differentiate margin, at the first picture, x[0].",
    )


@exercise("p[c] * (1 - p[c]) if r == c else -p[c] * p[r].")
def softmax_gradient(softmax_gradient):
    random = np.random.default_rng(0)
    cases = [(np.array([0.5, 0.3, 0.2]), 1)]
    cases += [(random.dirichlet(np.ones(n)), c) for n, c in ((3, 0), (5, 4), (8, 2))]
    for p, c in cases:
        found = numbers(
            attempt(softmax_gradient, p.copy(), c),
            "softmax_gradient(p, c)",
            p.shape,
            "One derivative for each logit.",
        )

        def probability(logits, c=c):
            e = np.exp(logits)
            return e[c] / e.sum()

        steps = 1e-4 * np.eye(
            len(p)
        )  # small steps of each logit; np.log(p) are logits whose probabilities are p
        wanted = np.array(
            [(probability(np.log(p) + s) - probability(np.log(p) - s)) / 2e-4 for s in steps]
        )
        if same(found, wanted, 1e-3):
            continue
        other = np.arange(len(p)) != c
        if same(found, -wanted, 1e-3):
            raise NotYet("the sign is the other way round.", "p[c] rises with its own logit.")
        if same(found, wanted / p[c], 1e-3):
            raise NotYet(
                "a factor is missing.",
                "Each entry is a product of two probabilities, or of p[c] and 1 - p[c].",
            )
        if same(found[c], wanted[c], 1e-3):
            raise NotYet(
                "the entry of c is right, the others are not.",
                "The logit of another class is only in the sum below the line, N.",
                "The derivative is minus e^s_c times e^s_r, divided by N squared. Write it with p[c] and p[r].",
            )
        if same(found[other], wanted[other], 1e-3):
            raise NotYet(
                "the entry of c is not right, the others are.",
                "The logit of c is above the line as well as in the sum below.",
                "e^s_c / N - e^s_c e^s_c / N^2. Write it with p[c].",
            )
        raise NotYet(
            f"p = {p.round(3)}, c = {c} give {found.round(3)}; measured with small steps: {wanted.round(3)}.",
            "Two formulas: one for r = c, one for all others. Both can be written with p[c] and p[j].",
        )
    return "p_c (1 - p_c) for the class itself, and -p_c p_r for every other."


@exercise("np.abs(gradient), and of that .max(axis=-1).")
def saliency_map(saliency_map):
    random = np.random.default_rng(0)
    many, single = random.normal(-0.3, 1, (2, 5, 7, 3)), random.normal(-0.3, 1, (5, 7, 3))
    last = "axis=-1 is the last axis, however many there are."
    for given in (many, single, np.stack([single] * 4)):
        one = "one picture" if given.ndim == 3 else "many pictures"
        found = numbers(
            attempt(
                saliency_map,
                given.astype(np.float32),
                hints={"axis": (f"This was {one}, of shape {given.shape}.", last)},
            ),
            f"saliency_map of {one}",
        )
        size = np.abs(given)
        if found.shape != given.shape[:-1]:
            raise NotYet(
                f"for {one} the shape is {found.shape}; {given.shape[:-1]} is expected.",
                "One number for each pixel: the axis of the channels goes.",
                last,
            )
        wanted = size.max(axis=-1)
        refuse(
            found,
            (
                given.max(axis=-1),
                "large negative values are lost.",
                "First the absolute value, then the maximum.",
            ),
            (
                np.abs(given.max(axis=-1)),
                "large negative values are lost.",
                "First the absolute value, then the maximum.",
            ),
            (size.sum(axis=-1), "this adds the channels up.", "The largest, not the sum."),
            (size.mean(axis=-1), "this is the mean of the channels.", "The largest, not the mean."),
            (
                np.sqrt((size**2).sum(-1)),
                "this is the length of the three channels' vector.",
                "The largest of them, no root.",
            ),
            (size.min(axis=-1), "this is the smallest of the channels.", "The largest."),
            (
                wanted / wanted.max(),
                "the map is scaled already.",
                "Raw values, please: scaling comes later, in the figure.",
            ),
        )
        if not same(found, wanted):
            raise NotYet(
                "this is another map.",
                "Of each pixel: the absolute values of its three channels, and of them the largest.",
            )
    return "these are the maps of jv.saliency, for one picture and for many."
