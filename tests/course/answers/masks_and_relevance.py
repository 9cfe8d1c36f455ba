"""Notebook 16."""

RIGHT = {
    "occlude": [
        """
        def occlude(score, image, window, fill=0.0):
            losses = np.zeros(image.shape[:2])
            before = score(image)
            for row in range(0, len(image), window):
                for column in range(0, image.shape[1], window):
                    covered = image.copy()
                    covered[row : row + window, column : column + window, :] = fill
                    losses[row : row + window, column : column + window] = before - score(covered)
            return losses
        """,
        """
        def occlude(score, image, window, fill=0.0):
            image = jnp.asarray(image)
            losses = np.zeros(image.shape[:2])
            for row in range(0, image.shape[0], window):
                for column in range(0, image.shape[1], window):
                    square = np.s_[row : row + window, column : column + window]
                    losses[square] = score(image) - score(image.at[square].set(fill))
            return losses
        """,
        """
        def occlude(score, image, window, fill=0.0):
            rows, columns = np.indices(image.shape[:2]) // window
            losses = np.zeros(image.shape[:2])
            for r in range(rows.max() + 1):
                for c in range(columns.max() + 1):
                    here = (rows == r) & (columns == c)
                    losses[here] = score(image) - score(np.where(here[..., None], fill, image))
            return losses
        """,
    ],
    "epsilon_rule": [
        """
        def epsilon_rule(x, W, R, epsilon=1e-6):
            z = x @ W
            sign = np.sign(z)
            sign[sign == 0] = 1
            return (x[:, None] * W / (z + epsilon * sign)) @ R
        """,
        "def epsilon_rule(a, W, R, epsilon=1e-6): z = a @ W; return jnp.einsum('m,mk,k->m', a, W, R / (z + jnp.where(z >= 0, epsilon, -epsilon)))",
        """
        def epsilon_rule(a, W, R, epsilon=1e-6):
            found = []
            for m in range(len(a)):
                total = 0.0
                for k in range(len(R)):
                    z = float(np.dot(a, W[:, k]))
                    total += a[m] * W[m, k] / (z + (epsilon if z >= 0 else -epsilon)) * R[k]
                found.append(total)
            return found
        """,
    ],
}

COVER = """
def occlude(score, image, window, fill=0.0):
    losses = np.zeros(image.shape[:2])
    for row in range(0, image.shape[0], window):
        for column in range(0, image.shape[1], window):
            covered = np.array(image)
            covered[row : row + window, column : column + window] = fill
            losses[row : row + window, column : column + window] = score(image) - score(covered)
    return losses
"""
EPS = "def epsilon_rule(a, W, R, epsilon=1e-6):\n    z = a @ W\n    return "
WRONG = {
    "occlude": [
        (COVER.replace("np.array(image)", "image"), "image itself"),
        (COVER.replace("score(image) - score(covered)", "score(covered) - score(image)"), "sign"),
        (COVER.replace("] = fill", "] = 0"), "wrong for 0.5"),
        (
            COVER.replace(
                "column : column + window] = fill", "column : column + window, 0] = fill"
            ),
            "one channel",
        ),
        (
            COVER.replace(
                "covered[row : row + window, column : column + window] = fill",
                "covered[...] = fill",
            ),
            "all is covered",
        ),
        (COVER.replace("np.array(image)", "jnp.array(image)"), "stops with"),
        (
            COVER.replace("            covered = np.array(image)\n", "").replace(
                "    losses = np", "    covered = np.array(image)\n    losses = np"
            ),
            "other ones",
        ),
        (COVER.replace("    return losses\n", ""), "nothing back"),
    ],
    "epsilon_rule": [
        (EPS + "a * (W @ R)", "not divided"),
        (EPS + "W @ (R / (z + np.where(z < 0, -epsilon, epsilon)))", "no summands"),
        (EPS + "a * (W @ (R / (z + epsilon)))", "nearer to 0"),
        (EPS + "a * (W @ (R / (z + epsilon * np.sign(z))))", "divides by 0"),
        (EPS + "a * (W @ (R / (z + np.where(z < 0, -1e-6, 1e-6))))", "no effect"),
        (EPS + "a * (W @ (R / (z - np.where(z < 0, -epsilon, epsilon))))", "wrong sign|inputs get"),
        (EPS + "(a * W) @ (R / z)", "stops with"),
        (EPS + "a @ W @ R", "shape"),
    ],
}
