"""Notebook 10."""

BODY = """
def body2(params, x, relu=jax.nn.relu):
    x = relu(convolve(params, "conv1", x))
    return relu(convolve(params, "conv2", x))
"""
HEAD = """
def head2(params, features, relu=jax.nn.relu):
    features = relu(convolve(params, "conv3", features))
    features = relu(convolve(params, "conv4", features))
    return head(params, features)
"""

RIGHT = {
    "another_cut": [
        BODY + HEAD,
        """
        def run(params, x, layers, relu):
            for layer in layers:
                x = relu(convolve(params, layer, x))
            return x

        def body2(params, x, relu=jax.nn.relu):
            return run(params, x, list(STRIDES)[:2], relu)

        def head2(params, features, relu=jax.nn.relu):
            kernel, bias = params["dense"]
            return jnp.mean(run(params, features, list(STRIDES)[2:], relu), (1, 2)) @ kernel + bias
        """,
        BODY
        + "head2 = lambda params, f, relu=jax.nn.relu: head(params, relu(convolve(params, 'conv4', relu(convolve(params, 'conv3', f)))))",
    ],
    "density": [
        "def density(maps, masks): return np.array([m[on].mean() / m.mean() for m, on in zip(maps, masks)])",
        "def density(maps, masks): return jnp.sum(maps * masks, (1, 2)) / jnp.sum(masks, (1, 2)) / jnp.mean(maps, (1, 2))",
        "def density(maps, masks): return [float((m * on).sum() * on.size / m.sum() / on.sum()) for m, on in zip(maps, masks)]",
    ],
}

WRONG = {
    "another_cut": [
        (BODY.replace('return relu(convolve(params, "conv2", x))', "return x") + HEAD, "shape"),
        (
            BODY.replace('relu(convolve(params, "conv2", x))', 'convolve(params, "conv2", x)')
            + HEAD,
            "in front of",
        ),
        (BODY.replace("return relu", "relu") + HEAD, "nothing back"),
        (BODY + HEAD.replace("relu(convolve", "jax.nn.relu(convolve"), "guided rule"),
        (BODY.replace("relu(convolve", "jax.nn.relu(convolve") + HEAD, "guided rule"),
        (
            BODY + HEAD.replace('    features = relu(convolve(params, "conv3", features))\n', ""),
            "stops with",
        ),  # 24 channels into conv4
        (
            BODY
            + HEAD.replace(
                'relu(convolve(params, "conv4", features))', 'convolve(params, "conv4", features)'
            ),
            "not the network",
        ),
        (BODY + HEAD.replace("return head", "head"), "nothing back"),
        (
            BODY.replace('params, "conv', 'weights, "conv').replace(
                "\n    x =", "\n    weights = globals()['params']\n    x ="
            )
            + HEAD,
            "not the network|guided",
        ),
    ],
    "density": [
        (
            "def density(maps, masks): return (maps * masks).sum(axis=(1, 2)) / maps.sum(axis=(1, 2))",
            "part of the map",
        ),
        (
            "def density(maps, masks): return (maps * masks).sum(axis=(1, 2)) / masks.sum(axis=(1, 2))",
            "mean on the object",
        ),
        (
            "def density(maps, masks): return (maps * masks).sum() / maps.sum() / masks.mean()",
            "shape",
        ),
        (
            "def density(maps, masks): return (maps * masks).sum(axis=(1, 2)) / maps.sum(axis=(1, 2)) / masks.sum(axis=(1, 2))",
            "in pixels",
        ),
        (
            "def density(maps, masks): return (maps * masks).sum(axis=(1, 2)) / maps.sum(axis=(1, 2)) * masks.mean(axis=(1, 2))",
            "Divided",
        ),
        (
            "def density(maps, masks): return masks.mean(axis=(1, 2)) / ((maps * masks).sum(axis=(1, 2)) / maps.sum(axis=(1, 2)))",
            "upside down",
        ),
        ("def density(maps, masks): return maps[masks].mean()", "shape"),
    ],
}
