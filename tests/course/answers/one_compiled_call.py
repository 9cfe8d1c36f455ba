"""Notebook 08."""

BOTH = """
def both_maps(model, pixels, rule):
    def relu(z):
        return jv.relu(z, rule)

    body, head = model.cut("block5_conv3")
    A, through_body = jax.vjp(lambda pixels: body(pixels, relu=relu), pixels)
    logits, through_head = jax.vjp(lambda A: head(A, relu=relu), A)
    at_logits = jnp.zeros_like(logits).at[:, target].set(1)
    (at_A,) = through_head(at_logits)
    w = jnp.mean(at_A, axis=(1, 2), keepdims=True)
    cam = jnp.maximum(jnp.sum(w * A, axis=-1), 0)
    LINE
    return jnp.max(jnp.abs(at_pixels), axis=-1), cam
"""


def both(line):
    return BOTH.replace("LINE", line)


RIGHT = {
    "both_maps": [
        both("at_pixels = through_body(at_A)[0]"),
        both(
            "(at_pixels,) = through_body(jax.grad(lambda A: head(A, relu=relu)[:, target].sum())(A))"
        ),
        both("at_pixels, *_ = through_body(at_A)")
        .replace("-1), cam", "-1), cam]")
        .replace("return jnp.max", "return [jnp.max"),
    ],
    "runs": [
        "def runs(R): return [3 * R, R + 1]",
        "def runs(rules): return np.array([2 * rules + rules, 1 + rules])",
        "def runs(rules): return float(rules * 3), sum([1] * rules) + 1",
    ],
}

WRONG = {
    "both_maps": [
        (both("(at_pixels,) = through_body(A)"), "saliency maps are wrong"),
        (both("at_pixels = through_body(at_A)"), "stops with|wrong|shape"),
        (both("(at_pixels,) = through_body(w)"), "stops with"),
        (both("(at_pixels,) = through_body(at_A * A)"), "wrong"),
        (
            both("(at_pixels,) = through_body(at_A)").replace(
                "jnp.maximum(jnp.sum(w * A, axis=-1), 0)", "jnp.sum(w * A, axis=-1)"
            ),
            "class activation map has changed",
        ),
        (
            both("(at_pixels,) = through_body(at_A)").replace(
                "jnp.max(jnp.abs(at_pixels), axis=-1), cam",
                "cam, jnp.max(jnp.abs(at_pixels), axis=-1)",
            ),
            "shape|first",
        ),
        (
            both("(at_pixels,) = jax.vjp(lambda p: body(p, relu=jax.nn.relu), pixels)[1](at_A)"),
            "wrong|same",
        ),
        (both("at_pixels = jnp.zeros_like(pixels)"), "zero everywhere"),
    ],
    "runs": [
        ("def runs(R): return 2 * R, 1 + R", "second is right"),
        ("def runs(R): return 3 * R, 4", "right for 3 rules"),
        ("def runs(R): return 9, 4", "right for 3 rules"),
        ("def runs(R): return 1 + R, 3 * R", "exchanged"),
        ("def runs(R): return 3 * R, 2 * R", "first is right"),
        ("def runs(R): return 3 * R", "two things"),
        ("def runs(R): 3 * R, 1 + R", "nothing back"),
        ("def runs(R): return 6 * R, 2 * R", "forward and back"),
    ],
}
