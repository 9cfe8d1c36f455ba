"""Notebook 06."""

RIGHT = {
    "class_activation_map": [
        """
        def class_activation_map(A, gradient):
            return jax.nn.relu(jnp.einsum("nk,nhwk->nhw", gradient.mean((1, 2)), A))
        """,
        """
        def class_activation_map(A, gradient):
            maps = []
            for one, slope in zip(A, gradient):
                w = np.array([slope[..., k].sum() / slope[..., k].size for k in range(slope.shape[-1])])
                maps.append(np.maximum(one @ w, 0))
            return maps
        """,
        """
        def class_activation_map(A, gradient):
            total = sum(gradient[..., k].mean(axis=(1, 2))[:, None, None] * A[..., k] for k in range(A.shape[-1]))
            return np.where(total > 0, total, 0.0)
        """,
        """
        def class_activation_map(A, gradient):
            n, h, w, c = A.shape
            weights = jnp.mean(gradient.reshape(n, h * w, c), axis=1)
            return (jnp.abs(s := jnp.matmul(A.reshape(n, h * w, c), weights[..., None])[..., 0].reshape(n, h, w)) + s) / 2
        """,
    ],
    "upsample_row": [
        """
        def upsample_row(values, size):
            where = np.arange(size) * (len(values) - 1) / (size - 1)
            return np.interp(where, np.arange(len(values)), values)
        """,
        "def upsample_row(values, size): return jv.upsample(values[None], (1, size))[0]",
        """
        def upsample_row(values, size):
            row = []
            for pixel in range(size):
                place = pixel * (len(values) - 1) / (size - 1)
                left = min(int(place), len(values) - 2)
                row.append(values[left] * (left + 1 - place) + values[left + 1] * (place - left))
            return row
        """,
        "def upsample_row(values, size): return np.interp(np.linspace(0, 1, size), np.linspace(0, 1, len(values)), values)",
    ],
}

CAM = "def class_activation_map(A, gradient):\n    w = gradient.mean(axis=(1, 2), keepdims=True)\n    "
ROW = "def upsample_row(values, size): return np.interp({}, np.arange(len(values)), values)"
WRONG = {
    "class_activation_map": [
        (CAM + "return (w * A).sum(axis=-1)", "negative values"),
        (CAM + "return max((w * A).sum(axis=-1), 0)", "Python's max"),  # was told of keepdims
        (CAM + "return np.abs((w * A).sum(axis=-1))", "became positive"),
        (CAM + "return jnp.maximum((w * A).mean(axis=-1), 0)", "too small"),
        (CAM + "return jnp.maximum(w * A, 0).sum(axis=-1)", "each term"),
        (CAM + "return jnp.maximum((jnp.maximum(w, 0) * A).sum(axis=-1), 0)", "each term"),
        (
            "def class_activation_map(A, gradient): return jnp.maximum((gradient.mean(-1, keepdims=True) * A).sum(-1), 0)",
            "averaged over the channels",
        ),
        (
            "def class_activation_map(A, gradient): return jnp.maximum((gradient * A).sum(-1), 0)",
            "at each place",
        ),
        (
            "def class_activation_map(A, gradient): return jnp.maximum((gradient.sum(axis=(1, 2), keepdims=True) * A).sum(-1), 0)",
            "too large",
        ),
        (
            "def class_activation_map(A, gradient): return jnp.maximum((gradient.mean(axis=(1, 2)) * A).sum(-1), 0)",
            "stops with",
        ),
        (
            "def class_activation_map(A, gradient): return jnp.maximum((weights * A).sum(-1), 0)",
            "NameError",
        ),
        (CAM + "m = jnp.maximum((w * A).sum(axis=-1), 0)", "nothing back"),
        (CAM + "return jnp.maximum((w * A).sum(axis=1), 0)", "shape"),
    ],
    "upsample_row": [
        (ROW.format("np.linspace(0, 13, size)"), "no numbers of your own|right"),  # was taken
        (ROW.format("np.linspace(0, len(values), size)"), "last value"),
        (ROW.format("(np.arange(size) + 0.5) * len(values) / size - 0.5"), "half-pixel"),
        (ROW.format("np.arange(size) * (len(values) - 1) / size"), "last pixel"),
        (ROW.format("np.arange(size) * len(values) / size"), "last pixel"),
        (ROW.format("np.arange(size)"), "step of one"),
        (ROW.format("np.linspace(0, len(values) - 1, 224)"), "shape"),
        (ROW.format("np.linspace(len(values) - 1, 0, size)"), "first pixel"),
        (ROW.format("range(0, len(values) - 1, size)"), "shape"),
    ],
}
