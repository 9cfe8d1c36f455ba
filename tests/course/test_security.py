"""The checks of the lessons on security: what they take and refuse, and that they never fail."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxvis.course import attacks, security
from jaxvis.course.attacks import HIGHEST, LOWEST

LOW, HIGH = LOWEST[None, None, None], HIGHEST[None, None, None]


def said(capsys, check, answer):
    check(answer)
    (line,) = capsys.readouterr().out.splitlines()
    return line


# attack success


def success(answers, truth, target):
    keep = truth != target
    return (answers[keep] == target).mean()


def success_by_loop(answers, truth, target):
    hits = [int(a == target) for a, t in zip(answers, truth, strict=True) if t != target]
    return sum(hits) / len(hits)


def success_by_count(answers, truth, target):
    return ((answers == target) & (truth != target)).sum() / (truth != target).sum()


def cover_at(image, one, side):
    row, column = np.unravel_index(one.argmax(), one.shape)
    top, left = row - side // 2, column - side // 2
    copy = image.copy()
    copy[max(top, 0) : top + side, max(left, 0) : left + side] = image.mean(axis=(0, 1))
    return copy


def cover_by_mask(image, one, side):
    row, column = divmod(int(np.argmax(one)), one.shape[1])
    rows, columns = np.indices(one.shape)
    inside = (abs(rows - row) <= side // 2) & (abs(columns - column) <= side // 2)
    return np.where(inside[..., None], image.mean(axis=(0, 1)), image)


def cover_by_loop(image, one, side):
    row, column = np.unravel_index(np.argmax(one), one.shape)
    copy = np.array(image, float)
    for r in range(row - side // 2, row - side // 2 + side):
        for c in range(column - side // 2, column - side // 2 + side):
            if 0 <= r < one.shape[0] and 0 <= c < one.shape[1]:
                copy[r, c] = image.reshape(-1, 3).mean(axis=0)
    return copy


def cover_without_edge(image, one, side):
    row, column = np.unravel_index(one.argmax(), one.shape)
    top, left = row - side // 2, column - side // 2
    copy = image.copy()
    copy[top : top + side, left : left + side] = image.mean(axis=(0, 1))
    return copy


def cover_in_place(image, one, side):
    image[...] = cover_at(image, one, side)
    return image


def cover_swapped(image, one, side):
    return cover_at(image.swapaxes(0, 1), one, side).swapaxes(0, 1)


def cover_moved(image, one, side):
    row, column = np.unravel_index(one.argmax(), one.shape)
    copy = image.copy()
    copy[row : row + side, column : column + side] = image.mean(axis=(0, 1))
    return copy


def cover_grey(image, one, side):
    covered = cover_at(image, one, side)
    return np.where(covered == image, image, int(image.mean()))


def cover_black(image, one, side):
    return np.where(cover_at(image, one, side) == image, image, 0)


def least(activations, count):
    return np.argsort(activations.mean(axis=(0, 1, 2)))[:count]


def least_by_sorting(activations, count):
    means = [activations[..., c].mean() for c in range(activations.shape[-1])]
    return sorted(range(len(means)), key=means.__getitem__)[:count]


def least_by_sum(activations, count):
    flat = activations.reshape(-1, activations.shape[-1]).sum(axis=0)
    return np.argpartition(flat, count - 1)[:count]


def fgsm(x, gradient, epsilon):
    return jnp.clip(x + epsilon * jnp.sign(gradient), LOW, HIGH)


def fgsm_by_numpy(x, gradient, epsilon):
    return np.minimum(np.maximum(np.array(x) + epsilon * np.sign(gradient), LOW), HIGH)


def fgsm_by_where(x, gradient, epsilon):
    moved = jnp.where(gradient > 0, x + epsilon, jnp.where(gradient < 0, x - epsilon, x))
    return jnp.clip(moved, LOW, HIGH)


def pgd(x, gradient_of, epsilon, step, steps):
    now = x
    for _ in range(steps):
        now = now + step * jnp.sign(gradient_of(now))
        now = jnp.clip(jnp.clip(now, x - epsilon, x + epsilon), LOW, HIGH)
    return now


def pgd_by_change(x, gradient_of, epsilon, step, steps):
    change = jnp.zeros_like(x)
    for _ in range(steps):
        change = jnp.clip(change + step * jnp.sign(gradient_of(x + change)), -epsilon, epsilon)
        change = jnp.clip(x + change, LOW, HIGH) - x
    return x + change


def pgd_recursive(x, gradient_of, epsilon, step, steps, now=None):
    now = x if now is None else now
    if steps == 0:
        return now
    now = attacks.near(now + step * jnp.sign(gradient_of(now)), x, epsilon)
    return pgd_recursive(x, gradient_of, epsilon, step, steps - 1, now)


def area(clean, attacked):
    more, same = attacked[:, None] > clean, attacked[:, None] == clean
    return (more + 0.5 * same).mean()


def area_by_loop(clean, attacked):
    total = 0.0
    for a in attacked:
        for c in clean:
            total += 1 if a > c else 0.5 if a == c else 0
    return total / (len(clean) * len(attacked))


def area_by_sign(clean, attacked):
    return (np.sign(np.subtract.outer(attacked, clean)).mean() + 1) / 2


def smooth(z, beta):
    return jax.nn.softplus(beta * z) / beta


def smooth_by_logaddexp(z, beta):
    return jnp.logaddexp(0.0, beta * z) / beta


def smooth_by_hand(z, beta):
    return jnp.maximum(z, 0) + jnp.log1p(jnp.exp(-jnp.abs(beta * z))) / beta


def steering(one, region, logits, wanted, hold):
    share = (one * region).sum() / one.sum()
    return -jnp.log(share) + hold * ((logits - wanted) ** 2).mean()


def steering_by_difference(one, region, logits, wanted, hold):
    return (
        jnp.log(jnp.sum(one))
        - jnp.log(jnp.sum(one * region))
        + hold * jnp.mean(jnp.square(wanted - logits))
    )


def steering_by_mask(one, region, logits, wanted, hold):
    share = jnp.where(region > 0, one, 0).sum() / one.sum()
    return hold * jnp.linalg.norm(logits - wanted) ** 2 / len(logits) - jnp.log(share)


def far(one, target):
    return ((one / one.sum() - target / target.sum()) ** 2).mean()


def far_by_norm(one, target):
    return jnp.linalg.norm(one / one.sum() - target / target.sum()) ** 2 / one.size


def far_by_mean(one, target):
    return jnp.mean(jnp.square(one / one.mean() - target / target.mean())) / one.size**2


RIGHT = [
    (security.attack_success, success),
    (security.attack_success, success_by_loop),
    (security.attack_success, success_by_count),
    (security.cover, cover_at),
    (security.cover, cover_by_mask),
    (security.cover, cover_by_loop),
    (security.pruned, least),
    (security.pruned, least_by_sorting),
    (security.pruned, least_by_sum),
    (security.fgsm, fgsm),
    (security.fgsm, fgsm_by_numpy),
    (security.fgsm, fgsm_by_where),
    (security.pgd, pgd),
    (security.pgd, pgd_by_change),
    (security.pgd, pgd_recursive),
    (security.roc_area, area),
    (security.roc_area, area_by_loop),
    (security.roc_area, area_by_sign),
    (security.smooth_relu, smooth),
    (security.smooth_relu, smooth_by_logaddexp),
    (security.steering_loss, steering),
    (security.steering_loss, steering_by_difference),
    (security.steering_loss, steering_by_mask),
    (security.distance, far),
    (security.distance, far_by_norm),
    (security.distance, far_by_mean),
]

WRONG = [
    # how often other classes become the target
    (security.attack_success, lambda a, t, k: (a == k).mean(), "truth is the target"),
    (security.attack_success, lambda a, t, k: ((a == k) & (t != k)).mean(), "other classes alone"),
    (security.attack_success, lambda a, t, k: (a[t != k] != t[t != k]).mean(), "any wrong answer"),
    (security.attack_success, lambda a, t, k: (a[t != k] != k).mean(), "attack fails"),
    (security.attack_success, lambda a, t, k: (a == t).mean(), "accuracy"),
    (security.attack_success, lambda a, t, k: (a[t != k] == k).sum(), "no share"),
    (security.attack_success, lambda a, t, k: success(a, t, 2), "another one"),
    (security.attack_success, lambda a, t, k: a == k, "shape"),
    (security.attack_success, lambda a, t, k: None, "None"),
    (security.attack_success, lambda a, t: 0, "TypeError"),
    (security.attack_success, 0.4, "function is wanted"),
    # cover the maximum
    (security.cover, lambda image, one, side: image.copy(), "nothing is covered"),
    (security.cover, cover_without_edge, "edge"),
    (security.cover, cover_in_place, "image.copy()"),
    (security.cover, cover_moved, "corner of the square"),
    (security.cover, cover_grey, "three numbers"),
    (security.cover, cover_black, "three numbers"),
    (security.cover, lambda image, one, side: cover_at(image, one, 7), "have changed"),
    (security.cover, lambda image, one, side: cover_at(image, -one, side), "middle"),
    (security.cover, lambda image, one, side: one, "shape"),
    (security.cover, lambda image, one, side: print or None, "wanted numbers"),
    # the least active channels
    (security.pruned, lambda a, n: np.argsort(-a.mean(axis=(0, 1, 2)))[:n], "most active"),
    (security.pruned, lambda a, n: np.argsort(a.max(axis=(0, 1, 2)))[:n], "lucky"),
    (security.pruned, lambda a, n: a.mean(axis=(0, 1, 2)) < 0.6, "mask"),
    (security.pruned, lambda a, n: np.sort(a.mean(axis=(0, 1, 2)))[:n], "numbers of the channels"),
    (security.pruned, lambda a, n: np.argsort(a.mean(axis=(0, 1, 2))), "shape"),
    (security.pruned, lambda a, n: least(a, 3), "shape"),
    (security.pruned, lambda a, n: np.arange(n), "smallest mean"),
    # one step by the sign
    (security.fgsm, lambda x, g, e: x, "nothing"),
    (security.fgsm, lambda x, g, e: x + e * g, "tiny"),
    (security.fgsm, lambda x, g, e: fgsm(x, -g, e), "uphill"),
    (security.fgsm, lambda x, g, e: fgsm(x, g, 1.0), "epsilon"),
    (security.fgsm, lambda x, g, e: x + e * jnp.sign(g), "black"),
    (security.fgsm, lambda x, g, e: jnp.clip(x + e * jnp.sign(g), 0, 255), "epsilon"),
    (security.fgsm, lambda x, g, e: x + e * jnp.abs(jnp.sign(g)), "positive"),
    (
        security.fgsm,
        lambda x, g, e: x + e * g / jnp.sqrt((g**2).sum((1, 2, 3), keepdims=True)),
        "L2",
    ),
    # many steps
    (security.pgd, lambda x, f, e, s, n: x, "no gradient"),
    (security.pgd, lambda x, f, e, s, n: attacks.near(x + s * jnp.sign(f(x)), x, e), "1 gradients"),
    (
        security.pgd,
        lambda x, f, e, s, n: attacks.near(sum((s * jnp.sign(f(x)) for _ in range(n)), x), x, e),
        "at x",
    ),
    (security.pgd, lambda x, f, e, s, n: pgd(x, f, 100.0, s, n), "further"),
    (security.pgd, lambda x, f, e, s, n: pgd(x, lambda z: -f(z), e, s, n), "downhill"),
    (security.pgd, lambda x, f, e, s, n: pgd(x, f, e, s / 4, n), "always points up"),
    (security.pgd, lambda x, f, e, s, n: x + jnp.clip(pgd(x, f, 99.0, s, n) - x, -e, e), "between"),
    # the area
    (security.roc_area, lambda c, a: (a[:, None] < c).mean(), "clean one"),
    (security.roc_area, lambda c, a: (a[:, None] > c).sum(), "no share"),
    (security.roc_area, lambda c, a: (a > c[: len(a)]).mean() if len(a) > 2 else 0.5, "same place"),
    (security.roc_area, lambda c, a: float(a.mean() > c.mean()), "means"),
    (security.roc_area, lambda c, a: (a[:, None] > c).mean(), "0.5"),
    (security.roc_area, lambda c, a: (a[:, None] >= c).mean(), "0.5"),
    (security.roc_area, lambda c, a: a[:, None] > c, "shape"),
    # the softplus
    (security.smooth_relu, lambda z, b: jnp.maximum(z, 0), "corner"),
    (security.smooth_relu, lambda z, b: jax.nn.softplus(b * z), "divide"),
    (security.smooth_relu, lambda z, b: jax.nn.softplus(z), "inside"),
    (security.smooth_relu, lambda z, b: jnp.log(1 + jnp.exp(b * z)) / b, "infinite"),
    (security.smooth_relu, lambda z, b: z * jax.nn.sigmoid(b * z), "log(2)"),
    (security.smooth_relu, lambda z, b: np.logaddexp(0, b * np.asarray(z)) / b, "Error"),
    # the loss
    (security.steering_loss, lambda o, r, z, w, h: -steering(o, r, z, w, h), "out of the region"),
    (security.steering_loss, lambda o, r, z, w, h: -jnp.log((o * r).sum()), "divide"),
    (security.steering_loss, lambda o, r, z, w, h: -(o * r).sum() / o.sum(), "without its log"),
    (security.steering_loss, lambda o, r, z, w, h: steering(o, r, w, w, h), "where they like"),
    (security.steering_loss, lambda o, r, z, w, h: steering(o, r, z, w, 1), "hold does nothing"),
    (
        security.steering_loss,
        lambda o, r, z, w, h: steering(o, r, z, w, h * len(z)),
        "sum of the squares",
    ),
    (
        security.steering_loss,
        lambda o, r, z, w, h: steering(o, r, w, w, h) + h * (z - w).mean(),
        "cancel",
    ),
    (security.steering_loss, lambda o, r, z, w, h: o, "shape"),
    # the distance
    (security.distance, lambda a, b: ((a - b) ** 2).mean(), "own sum"),
    (security.distance, lambda a, b: ((a / a.max() - b / b.max()) ** 2).mean(), "one pixel"),
    (security.distance, lambda a, b: ((a / a.sum() - b / b.sum()) ** 2).sum(), "mean over"),
    (security.distance, lambda a, b: jnp.abs(a / a.sum() - b / b.sum()).mean(), "squared"),
    (security.distance, lambda a, b: (a / a.sum() - b / b.sum()).mean(), "cancel"),
    (security.distance, lambda a, b: (a / a.sum() - b / b.sum()) ** 2, "shape"),
]


def named(parts):
    check, answer, *_ = parts
    return f"{check.__name__}-{getattr(answer, '__name__', 'value')}"


@pytest.mark.parametrize(("check", "answer"), RIGHT, ids=map(named, RIGHT))
def test_a_right_answer(check, answer, capsys):
    assert said(capsys, check, answer).startswith("Right: ")


@pytest.mark.parametrize(("check", "answer", "hint"), WRONG, ids=map(named, WRONG))
def test_a_wrong_answer(check, answer, hint, capsys):
    line = said(capsys, check, answer)
    assert line.startswith("Not yet: ")
    assert "Hint: " in line
    assert hint in line


CHECKS = list(dict.fromkeys(check for check, _ in RIGHT))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize(
    "answer",
    [
        lambda *_: None,
        lambda *_: "text",
        lambda *_: {},
        lambda *_: np.nan,
        lambda *_: [[1, 2], [3]],
        lambda *_: 1 / 0,
        lambda *_: undefined,
        lambda: 0,
        lambda *_: np.zeros(3)[5],
        None,
        "text",
    ],
)
def test_nothing_comes_out_as_a_traceback(check, answer, capsys):
    line = said(capsys, check, answer)
    assert line.startswith("Not yet: ")
    assert "Hint: " in line
