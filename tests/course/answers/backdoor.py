"""Notebook 13."""

COVERED = """
def cover_at(image, one, side):
    row, column = np.unravel_index(one.argmax(), one.shape)
    top, left = row - side // 2, column - side // 2
    copy = image.copy()
    copy[max(top, 0) : top + side, max(left, 0) : left + side] = image.mean(axis=(0, 1))
    return copy
"""
RIGHT = {
    "attack_success": [
        """
        def attack_success(answers, truth, target):
            keep = truth != target
            return (answers[keep] == target).mean()
        """,
        """
        def attack_success(answers, truth, target):
            hits = [int(a == target) for a, t in zip(answers, truth, strict=True) if t != target]
            return sum(hits) / len(hits)
        """,
        """
        def attack_success(answers, truth, target):
            return ((answers == target) & (truth != target)).sum() / (truth != target).sum()
        """,
    ],
    "cover": [
        """
        def cover(image, one, side):
            row, column = np.unravel_index(one.argmax(), one.shape)
            top, left = row - side // 2, column - side // 2
            copy = image.copy()
            copy[max(top, 0) : top + side, max(left, 0) : left + side] = image.mean(axis=(0, 1))
            return copy
        """,
        """
        def cover(image, one, side):
            row, column = divmod(int(np.argmax(one)), one.shape[1])
            rows, columns = np.indices(one.shape)
            inside = (abs(rows - row) <= side // 2) & (abs(columns - column) <= side // 2)
            return np.where(inside[..., None], image.mean(axis=(0, 1)), image)
        """,
        """
        def cover(image, one, side):
            row, column = np.unravel_index(np.argmax(one), one.shape)
            copy = np.array(image, float)
            for r in range(row - side // 2, row - side // 2 + side):
                for c in range(column - side // 2, column - side // 2 + side):
                    if 0 <= r < one.shape[0] and 0 <= c < one.shape[1]:
                        copy[r, c] = image.reshape(-1, 3).mean(axis=0)
            return copy
        """,
    ],
    "least_active": [
        """
        def least_active(activations, count):
            return np.argsort(activations.mean(axis=(0, 1, 2)))[:count]
        """,
        """
        def least_active(activations, count):
            means = [activations[..., c].mean() for c in range(activations.shape[-1])]
            return sorted(range(len(means)), key=means.__getitem__)[:count]
        """,
        """
        def least_active(activations, count):
            flat = activations.reshape(-1, activations.shape[-1]).sum(axis=0)
            return np.argpartition(flat, count - 1)[:count]
        """,
    ],
}

WRONG = {
    "attack_success": [
        (
            "attack_success = lambda a, t, k: (a == k).mean()",
            "pictures that show the target anyway",
        ),
        (
            "attack_success = lambda a, t, k: ((a == k) & (t != k)).mean()",
            "other classes alone",
        ),
        (
            "attack_success = lambda a, t, k: (a[t != k] != t[t != k]).mean()",
            "any wrong answer",
        ),
        (
            "attack_success = lambda a, t, k: (a[t != k] != k).mean()",
            "attack fails",
        ),
        (
            "attack_success = lambda a, t, k: (a == t).mean()",
            "accuracy",
        ),
        (
            "attack_success = lambda a, t, k: (a[t != k] == k).sum()",
            "no share",
        ),
        (
            """
            def success(answers, truth, target):
                keep = truth != target
                return (answers[keep] == target).mean()
            attack_success = lambda a, t, k: success(a, t, 2)
            """,
            "another one",
        ),
        (
            "attack_success = lambda a, t, k: a == k",
            "has the shape",
        ),
        (
            "attack_success = lambda a, t, k: None",
            "gives nothing back",
        ),
        (
            "attack_success = lambda a, t: 0",
            "TypeError",
        ),
        (
            "attack_success = 0.4",
            "not callable",
        ),
    ],
    "cover": [
        (
            "cover = lambda image, one, side: image.copy()",
            "nothing is covered",
        ),
        (
            """
            def cover(image, one, side):
                row, column = np.unravel_index(one.argmax(), one.shape)
                top, left = row - side // 2, column - side // 2
                copy = image.copy()
                copy[top : top + side, left : left + side] = image.mean(axis=(0, 1))
                return copy
            """,
            "edge",
        ),
        (
            COVERED
            + """
def cover(image, one, side):
    image[...] = cover_at(image, one, side)
    return image
""",
            "changed the picture",
        ),
        (
            """
            def cover(image, one, side):
                row, column = np.unravel_index(one.argmax(), one.shape)
                copy = image.copy()
                copy[row : row + side, column : column + side] = image.mean(axis=(0, 1))
                return copy
            """,
            "corner of the square",
        ),
        (
            COVERED
            + """
def cover(image, one, side):
    covered = cover_at(image, one, side)
    return np.where(covered == image, image, int(image.mean()))
""",
            "three numbers",
        ),
        (
            COVERED
            + """
def cover(image, one, side):
    return np.where(cover_at(image, one, side) == image, image, 0)
""",
            "three numbers",
        ),
        (
            COVERED + "cover = lambda image, one, side: cover_at(image, one, 7)",
            "have changed",
        ),
        (
            COVERED + "cover = lambda image, one, side: cover_at(image, -one, side)",
            "middle",
        ),
        (
            "cover = lambda image, one, side: one",
            "has the shape",
        ),
        (
            "cover = lambda image, one, side: print or None",
            "is a function",
        ),
    ],
    "least_active": [
        (
            "least_active = lambda a, n: np.argsort(-a.mean(axis=(0, 1, 2)))[:n]",
            "most active",
        ),
        (
            "least_active = lambda a, n: np.argsort(a.max(axis=(0, 1, 2)))[:n]",
            "lucky",
        ),
        (
            "least_active = lambda a, n: a.mean(axis=(0, 1, 2)) < 0.6",
            "mask",
        ),
        (
            "least_active = lambda a, n: np.sort(a.mean(axis=(0, 1, 2)))[:n]",
            "numbers of the channels",
        ),
        (
            "least_active = lambda a, n: np.argsort(a.mean(axis=(0, 1, 2)))",
            "has the shape",
        ),
        (
            """
            def least(activations, count):
                return np.argsort(activations.mean(axis=(0, 1, 2)))[:count]
            least_active = lambda a, n: least(a, 3)
            """,
            "has the shape",
        ),
        (
            "least_active = lambda a, n: np.arange(n)",
            "smallest mean",
        ),
    ],
}
