"""Notebook 01."""

RIGHT = {
    "parameters": [
        """
        def parameters(kind, inputs, outputs):
            window = 9 if kind == "Conv2D" else 1
            return np.int64(window * inputs * outputs + outputs)
        """,
        """
        def parameters(kind, inputs, outputs):
            shape = (3, 3, inputs, outputs) if kind.startswith("Conv") else (inputs, outputs)
            return float(np.prod(shape)) + outputs
        """,
        """
        def parameters(kind, inputs, outputs):
            return sum(inputs * (3 * 3 if kind == "Conv2D" else 1) + 1 for _ in range(outputs))
        """,
    ],
    "softmax": [
        "softmax = jax.nn.softmax",
        """
        import math
        def softmax(z):
            shifted = [float(one) - float(max(z)) for one in z]
            total = sum(math.exp(one) for one in shifted)
            return [math.exp(one) / total for one in shifted]
        """,
        """
        def softmax(s):
            s = s.astype(np.float64)
            log_sum = s.max() + np.log(np.exp(s - s.max()).sum())
            return np.exp(s - log_sum)
        """,
        "def softmax(z): return jnp.array([1 / jnp.exp(jnp.asarray(z) - one).sum() for one in z])",
    ],
}

WRONG = {
    "parameters": [
        ("def parameters(kind, i, o): return 9 * i * o if kind == 'Conv2D' else i * o", "bias"),
        (
            "def parameters(kind, i, o): return (3 * i + 1) * o if kind == 'Conv2D' else (i + 1) * o",
            "3 x 3",
        ),
        (
            "def parameters(kind, i, o): return (9 + 1) * o if kind == 'Conv2D' else (i + 1) * o",
            "every.*input channel",
        ),
        (
            "def parameters(kind, i, o): return 9 * i * o + i if kind == 'Conv2D' else i * o + i",
            "outputs, not",
        ),
        (
            "def parameters(kind, i, o): return 9 * i * o + 1 if kind == 'Conv2D' else i * o + 1",
            "each output",
        ),
        (
            "def parameters(kind, i, o): return 9 * (i + 1) * o if kind == 'Conv2D' else (i + 1) * o",
            "once per output",
        ),
        ("def parameters(kind, i, o): return 3**2 * input * o + o", "TypeError"),
        ("def parameters(kind, i, o): (9 * i + 1) * o", "return"),
        (
            "def parameters(kind, i, o): return {('Conv2D', 10): 637, ('Dense', 10): 77}[kind, i]",
            "KeyError",
        ),
        ("parameters = 138_357_544", "TypeError"),
    ],
    "softmax": [
        ("def softmax(z): return np.exp(z)", "sum is not 1"),
        ("def softmax(z): return np.exp(z) / np.exp(z).sum()", "largest exponent"),
        # an 80-bit float holds e to the 1000, but not to the 20,000
        (
            "def softmax(z): e = np.exp(z.astype(np.longdouble)); return e / e.sum()",
            "largest exponent",
        ),
        ("def softmax(z): return z / z.sum()", "np.exp"),
        ("def softmax(z): e = np.exp(z - z.max()); return e / e.max()", "sum is not 1"),
        ("def softmax(z): return jax.nn.log_softmax(z)", "logarithms"),
        ("def softmax(z): z -= z.max(); e = np.exp(z); return e / e.sum()", "changed the logits"),
        ("import math\ndef softmax(z): return math.exp(z) / sum(math.exp(z))", "TypeError"),
        ("def softmax(z): e = np.exp(z - z.mean()); return e / e.sum()", "largest exponent"),
        ("def softmax(z): return np.exp(z - z.max()).sum()", "shape"),
        ("def softmax(z): return np.eye(len(z))[z.argmax()]", "is expected"),
    ],
}
