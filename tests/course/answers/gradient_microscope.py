"""Notebook 05."""

TAPS = "def two_taps(inside, outside, relu=jax.nn.relu):\n    "
RIGHT = {
    "two_taps": [
        TAPS + "return (outside + relu(inside + x @ W)) @ v",
        TAPS
        + "z = x @ W\n    z = z + inside\n    a = relu(z)\n    a += outside\n    return jnp.sum(a * v)",
        TAPS + "return sum((relu(x @ W[:, k] + inside[k]) + outside[k]) * v[k] for k in range(3))",
    ],
    "summands": [
        "def summands(h, W, i, j, m): return np.flip(h[i - 1 : i + 2, j - 1 : j + 2], (0, 1)) * W[:, :, m, :]",
        # in the order of the patch: each belongs to a neighbour as it does to an entry of the kernel
        "def summands(h, W, i, j, m): return h[i - 1 : i + 2, j - 1 : j + 2] * W[::-1, ::-1, m, :]",
        """
        def summands(h, W, r, c, m):
            found = jnp.zeros((3, 3, W.shape[-1]))
            for d in (-1, 0, 1):
                for e in (-1, 0, 1):
                    found = found.at[d + 1, e + 1].set(h[r - d, c - e] * W[d + 1, e + 1, m])
            return found
        """,
    ],
}

WRONG = {
    "two_taps": [
        (
            TAPS + "return (jax.nn.relu(x @ W + inside) + outside) @ v",
            "handed",
        ),  # was told of the ReLU's input
        (TAPS + "return (relu(x @ W) + inside + outside) @ v", "both taps"),
        (TAPS + "return (relu(x @ W * inside) + outside) @ v", "with zeros in both taps"),
        (TAPS + "return (relu(x @ W + inside + outside)) @ v", "outside"),
        (TAPS + "return (relu((x + inside) @ W) + outside) @ v", "stops with|output"),
        (TAPS + "return (relu(x @ W) * inside + outside) @ v", "with zeros"),
        (TAPS + "a = relu(x @ W + inside) + outside", "nothing back"),
        (TAPS + "return relu(x @ W + inside) + outside", "shape"),
        (TAPS + "return (relu(x @ W + 2 * inside) + outside) @ v", "something else"),
    ],
    "summands": [
        (
            "def summands(h, W, r, c, m): return h[r - 1 : r + 2, c - 1 : c + 2][::-1] * W[:, :, m]",
            "columns are not",
        ),
        (
            "def summands(h, W, r, c, m): return h[r - 1 : r + 2, c - 1 : c + 2][:, ::-1] * W[:, :, m]",
            "rows are not",
        ),
        (
            "def summands(h, W, r, c, m): return h[r - 1 : r + 2, c - 1 : c + 2].swapaxes(0, 1) * W[:, :, m]",
            "exchanged",
        ),
        # the right sum of the right numbers, which do not stand where they belong: was taken
        (
            "def summands(h, W, r, c, m): return np.sort((h[r - 1 : r + 2, c - 1 : c + 2][::-1, ::-1] * W[:, :, m]).ravel()).reshape(3, 3, -1)",
            "where they belong",
        ),
        (
            "def summands(h, W, r, c, m): return (h[r - 1 : r + 2, c - 1 : c + 2][::-1, ::-1] * W[:, :, m]).sum()",
            "not their sum",
        ),
        (
            "def summands(h, W, r, c, m): return h[r - 1 : r + 2, c - 1 : c + 2][::-1, ::-1, ::-1] * W[:, :, m]",
            "channels",
        ),
        (
            "def summands(h, W, r, c, m): return h[r : r + 3, c : c + 3][::-1, ::-1] * W[:, :, m]",
            "differ|shape|stops",
        ),
        (
            "def summands(h, W, r, c, m): return h[r - 1 : r + 2, c - 1 : c + 2][::-1, ::-1] * W[:, :, :, m]",
            "stops with",
        ),
    ],
}
