"""Notebook 01: the parameters of a layer, and the softmax."""

import numpy as np

from jaxvis.course.check import NotYet, exercise
from jaxvis.course.compare import attempt, numbers, refuse, same, unchanged
from jaxvis.models.layers import layer_shapes


@exercise("One output of a dense layer: `inputs` weights and one bias. Times `outputs`.")
def parameters(parameters):
    def count(kind, inputs, outputs):
        return float(numbers(attempt(parameters, kind, inputs, outputs), "parameters(...)", ()))

    i, o = 10, 7
    conv, dense = count("Conv2D", i, o), count("Dense", i, o)
    seen = f"with {i} inputs and {o} outputs, Conv2D has {conv:g} and Dense {dense:g}."
    if conv == 9 * i * o or dense == i * o:
        raise NotYet(seen, "Weights are not all: every output has a bias besides.")
    if conv in (3 * i * o + o, i * o + o):
        raise NotYet(seen, "In how many places does a 3 x 3 window lie on the picture?")
    if conv == 9 * o + o:
        raise NotYet(seen, "A filter has weights for *every* input channel.")
    if conv == 9 * i * o + i or dense == i * o + i:
        raise NotYet(seen, "The biases belong to the outputs, not to the inputs.")
    if conv == 9 * i * o + 1 or dense == i * o + 1:
        raise NotYet(seen, "There is one bias for each output, not one for the layer.")
    if conv == 9 * (i + 1) * o:
        raise NotYet(seen, "The bias is added once per output, not once per place of the window.")
    for kind, i, o, shape in (
        ("Conv2D", 10, 7, (3, 3, 10, 7)),
        ("Dense", 10, 7, (10, 7)),
        ("Conv2D", 3, 8, (3, 3, 3, 8)),
        ("Dense", 3136, 128, (3136, 128)),
    ):
        wanted = np.zeros(shape).size + np.zeros(o).size  # counted in arrays
        found = count(kind, i, o)
        if found != wanted:
            raise NotYet(
                f"{kind} with {i} inputs and {o} outputs has {wanted} parameters; you count {found:g}.",
                "Count the weights of one output, and its bias; multiply by the outputs.",
            )
    rows = [row for row in layer_shapes() if row.kernel_shape is not None]
    total = sum(count(row.kind, *row.kernel_shape[-2:]) for row in rows)
    return f"every layer agrees with its arrays, and the full network has {total:,.0f} parameters."


@exercise("e = np.exp(logits - logits.max()), then divide e by its sum.")
def softmax(softmax, model=None, logits=None):
    random = np.random.default_rng(1)
    rows = [
        np.array([2.0, 1.0, -1.0], np.float32),
        *(random.normal(0, 3, n).astype(np.float32) for n in (5, 12)),
    ]
    for row in rows:
        given = row.copy()
        found = numbers(
            attempt(softmax, given), "softmax(...)", row.shape, "np.exp works on the whole array."
        )
        unchanged(given, row, "the logits")
        exact = np.exp(row.astype(float) - float(row.max()))
        wanted = exact / exact.sum()
        refuse(
            found,
            (
                np.exp(row.astype(float)),
                "the sum is not 1.",
                "Divide by the sum of all exponentials.",
            ),
            (exact, "the sum is not 1.", "Divide by the sum of all of them."),
            (
                np.log(wanted),
                "these are logarithms of the probabilities.",
                "One np.exp is missing.",
            ),
            (row / row.sum(), "these are logits divided by their sum.", "First np.exp."),
        )
        if not same(found, wanted, 1e-3):
            raise NotYet(
                f"the logits {row.round(2)} give {found.round(4)}; {wanted.round(4)} is expected.",
                "Each probability is e to the power of its logit, divided by the sum of all of those.",
            )
    for scale in (500, 20_000):
        for row in (scale * rows[0], scale * (rows[0] - 5)):
            found = numbers(attempt(softmax, row.copy()), "softmax(...)", row.shape)
            if not same(found, [1, 0, 0]):
                raise NotYet(
                    f"the logits {row} give {found}.",
                    "Which number can be subtracted from all logits, so that the largest exponent is 0?",
                )
    if model is None or logits is None:
        return "for large logits as well."
    p = np.asarray(softmax(np.array(logits[0])))
    best = int(p.argmax())
    return f"the first picture is {model.labels[best]} with probability {p[best]:.2%}."
