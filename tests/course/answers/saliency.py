"""Notebook 03."""

RIGHT = {
    "margin": [
        """
        def margin(picture):
            return logit(picture) - model(picture[None])[0, rival]
        margin_gradient = jax.grad(margin)(x[0])
        """,
        """
        signs = jnp.zeros(model(x).shape[1]).at[index].set(1).at[rival].set(-1)
        def margin(picture):
            return jnp.dot(model(picture[None])[0], signs)
        value, margin_gradient = jax.value_and_grad(margin)(jnp.asarray(x[0]))
        """,
        """
        def margin(picture):
            return (model(picture[None])[:, index] - model(picture[None])[:, rival]).sum()
        margin_gradient = np.asarray(jax.grad(logit)(x[0]) - jax.grad(lambda p: model(p[None])[0, rival])(x[0]))
        """,
    ],
    "softmax_gradient": [
        "def softmax_gradient(p, c): return p[c] * (np.eye(len(p))[c] - p)",
        "def softmax_gradient(p, c): return jax.grad(lambda s: jax.nn.softmax(s)[c])(jnp.log(p))",
        "def softmax_gradient(p, c): return [p[c] - p[c] ** 2 if j == c else -p[j] * p[c] for j in range(len(p))]",
        "def softmax_gradient(p, c): return (np.diag(p) - np.outer(p, p))[c].astype(np.float32)",
    ],
    "saliency_map": [
        "def saliency_map(gradient): return jnp.max(jnp.abs(gradient), axis=-1)",
        "def saliency_map(g): return np.maximum(g.max(-1), -g.min(-1))",
        "def saliency_map(g): return np.maximum.reduce([abs(g[..., k]) for k in range(3)])",
        "def saliency_map(g): return np.sqrt((g.astype(float) ** 2).max(axis=g.ndim - 1))",
    ],
}

GRADIENT = "\nmargin_gradient = jax.grad(margin)(x[0])"
WRONG = {
    "margin": [
        (
            "def margin(p): return model(p)[0, index] - model(p)[0, rival]\nmargin_gradient = None",
            "stops with",
        ),
        (
            "def margin(p): s = model(p[None])[0]; return s[index] - s[rival]\nmargin_gradient = jax.value_and_grad(margin)(x[0])",
            "two things",
        ),
        (
            "def margin(p): s = model(p[None])[0]; return s[rival] - s[index]" + GRADIENT,
            "other way round",
        ),
        (
            "def margin(p): s = model(p[None])[0]; return s[index] - s[rival]\nmargin_gradient = jax.grad(margin)",
            "is a function",
        ),
        (
            "def margin(p): s = model(p[None])[0]; return s[index] - s[rival]\nmargin_gradient = None",
            "missing",
        ),
        (
            "def margin(p): s = model(p[None])[0]; return s[index] - s[rival]\nmargin_gradient = jax.grad(logit)(x[0])",
            "gradient of the logit",
        ),
        (
            "def margin(p): s = model(p[None])[0]; return s[index] - s[rival]\nmargin_gradient = jax.grad(margin)(x[1])",
            "another picture",
        ),
        (
            "def margin(p): return model(p[None])[:, index] - model(p[None])[:, rival]\nmargin_gradient = None",
            "shape",
        ),
        ("def margin(p): return 7.99" + GRADIENT, "expected"),
        (
            "def margin(p): s = jax.nn.softmax(model(p[None])[0]); return s[index] - s[rival]"
            + GRADIENT,
            "expected",
        ),
    ],
    "softmax_gradient": [
        ("def softmax_gradient(p, c): return -p[c] * (np.eye(len(p))[c] - p)", "sign"),
        ("def softmax_gradient(p, c): return np.eye(len(p))[c] - p", "factor"),
        (
            "def softmax_gradient(p, c): return np.eye(len(p))[c] * p[c] * (1 - p[c])",
            "others are not",
        ),
        ("def softmax_gradient(p, c): return -p[c] * p", "entry of c is not"),
        ("def softmax_gradient(p, c): return p * (1 - p)", "others are not"),
        (
            "def softmax_gradient(p, c): return p[1] * (np.eye(len(p))[1] - p)",
            "give|expected|others",
        ),
        ("def softmax_gradient(p, c): return p[c] * (1 - p[c])", "shape"),
        (
            "def softmax_gradient(p, c): return [p[c] * (1 - p[j]) for j in range(len(p))]",
            "others are not",
        ),
        ("def softmax_gradient(p, c): return jax.grad(p)(c)", "TypeError"),
    ],
    "saliency_map": [
        ("def saliency_map(g): return g.max(axis=-1)", "negative"),
        ("def saliency_map(g): return np.abs(g.max(axis=-1))", "negative"),
        ("def saliency_map(g): return np.abs(g).sum(axis=-1)", "adds"),
        ("def saliency_map(g): return np.abs(g).mean(axis=-1)", "mean"),
        ("def saliency_map(g): return np.abs(g).max(axis=3)", "last axis|one picture"),
        ("def saliency_map(g): return np.abs(g).max(axis=1)", "shape"),
        ("def saliency_map(g): return np.abs(g).max(axis=-1, keepdims=True)", "shape"),
        ("def saliency_map(g): return np.linalg.norm(g, axis=-1)", "length"),
        ("def saliency_map(g): m = np.abs(g).max(axis=-1); return m / m.max()", "scaled"),
        ("def saliency_map(g): return max(abs(g))", "ValueError"),
    ],
}
