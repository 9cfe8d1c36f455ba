"""Notebook 02."""

RIGHT = {
    "undo": [
        "def undo(x): return np.clip(np.round(x + MEAN), 0, 255)[..., ::-1].astype('uint8')",
        "undo = jv.deprocess",
        """
        def undo(x):
            blue, green, red = (x[..., i] + MEAN[i] for i in range(3))
            return np.stack([np.clip(np.rint(one), 0, 255) for one in (red, green, blue)], -1).astype(np.uint8)
        """,
        "def undo(x): return jnp.clip(jnp.round(jnp.flip(x + MEAN, -1)), 0, 255).astype(jnp.uint8)",
        "def undo(x): return (np.clip(x + MEAN, 0, 255) + 0.5).astype(np.uint8)[..., ::-1]",
    ],
    "convert": [
        """
        def convert(from_torch):
            rgb = np.transpose(from_torch, (0, 2, 3, 1)) * TORCH_STD + TORCH_MEAN
            return jv.preprocess((255 * rgb).round().clip(0, 255).astype(np.uint8))
        """,
        """
        def convert(from_torch):
            y = from_torch * TORCH_STD[:, None, None] + TORCH_MEAN[:, None, None]
            return np.moveaxis(255 * y[:, ::-1], 1, 3) - MEAN
        """,
        """
        def convert(from_torch):
            return jnp.moveaxis(jnp.asarray(from_torch), 1, -1)[..., ::-1] * (255 * TORCH_STD[::-1]) + (255 * TORCH_MEAN[::-1] - MEAN)
        """,
    ],
}

WRONG = {
    "undo": [
        (
            "def undo(x): return (x + MEAN).round().clip(0, 255).astype(np.uint8)",
            "blue, green, red",
        ),
        (
            "def undo(x): return (x[..., ::-1] + MEAN).round().clip(0, 255).astype(np.uint8)",
            "mean of red",
        ),
        ("def undo(x): return (x + MEAN)[..., ::-1].clip(0, 255).astype(np.uint8)", "became|off"),
        ("def undo(x): return (x + MEAN)[..., ::-1].round().astype(np.uint8)", "became|clip"),
        (
            "def undo(x): x += MEAN; return x[..., ::-1].round().clip(0, 255).astype(np.uint8)",
            "changed the input",
        ),
        ("def undo(x): return (x + MEAN)[..., ::-1].round().clip(0, 255)", "type is float"),
        ("def undo(x): return x[..., ::-1].round().clip(0, 255).astype(np.uint8)", "off|missing"),
        ("def undo(x): return (x + MEAN)[::-1].round().clip(0, 255).astype(np.uint8)", "off"),
        ("def undo(x): return (x + mean)[..., ::-1]", "NameError"),
    ],
    "convert": [
        # counts the same numbers off in another shape: a generic hint before
        (
            "def convert(t): return jv.preprocess((255 * (t.reshape(len(t), t.shape[2], t.shape[3], 3) * TORCH_STD + TORCH_MEAN)).clip(0, 255))",
            "lost their places",
        ),
        (
            "def convert(t): return jv.preprocess(255 * (np.moveaxis(t, 1, -1) * TORCH_STD + TORCH_MEAN))[..., ::-1]",
            "order RGB",
        ),
        (
            "def convert(t): return 255 * (np.moveaxis(t, 1, -1) * TORCH_STD + TORCH_MEAN)",
            "pictures again",
        ),
        (
            "def convert(t): return (255 * (np.moveaxis(t, 1, -1) * TORCH_STD + TORCH_MEAN))[..., ::-1]",
            "MEAN is not",
        ),
        ("def convert(t): return np.moveaxis(t, 1, -1)", "largest value"),
        ("def convert(t): return t.transpose(0, 3, 2, 1)", "shape"),
        (
            "def convert(t): return jv.preprocess(np.moveaxis(t, 1, -1) * TORCH_STD + TORCH_MEAN)",
            "stops with",
        ),
        ("def convert(t): return t * TORCH_STD + TORCH_MEAN", "ValueError"),
        (
            "def convert(t): return jv.preprocess((255 * (np.moveaxis(t, 1, -1) * TORCH_STD + TORCH_MEAN)).clip(0, 255).astype(np.uint8))",
            "one grey level|right",
        ),
        (
            "def convert(t): return (255 * (np.moveaxis(t, 1, -1) + TORCH_MEAN) * TORCH_STD)[..., ::-1] - MEAN",
            "wrong order",
        ),
    ],
}
