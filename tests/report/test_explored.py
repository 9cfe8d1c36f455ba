"""What a page is explored with: classes, deletion, the microscope; each by brute force."""

import jax
import numpy as np
import pytest
from conftest import relative_error

import jaxvis as jv
from jaxvis.evaluate.maps import name_of
from jaxvis.evaluate.metrics.baselines import BASELINES
from jaxvis.models.preprocessing import preprocessing
from jaxvis.report.other_classes import check_methods, other_classes
from jaxvis.report.relus import CHANNELS, SIDE, halved, seen_at_relus
from jaxvis.report.what_if import colour_of_zero, data, what_if


@pytest.fixture
def network(narrow):
    return jv.describe(narrow, labels=[f"class {i}" for i in range(7)])


def silent(_):
    pass


def test_the_curve_of_what_if(network, subjects):
    x = network.preprocess(subjects.images)
    maps = jv.explain(network.model, x, subjects.classes, rules=["guided"])
    found = what_if(network, subjects, maps, progress=silent)
    names = [name_of(key) for key in maps]
    assert list(found.curves) == [*names, *BASELINES]
    assert found.shares[0] == 0
    assert found.shares[-1] == 1
    large = jv.upsample(np.asarray(maps["grad_cam", "guided"]), (64, 64))
    model = jax.jit(lambda x: network.model(x))
    for number in (0, 2):
        order = np.argsort(-large[number].ravel(), kind="stable")
        for place in (0, 1, 7, 20):
            gone = order[: round(found.shares[place] * 64 * 64)]
            left = np.array(x[number]).reshape(-1, 3)
            left[gone] = 0
            logits = model(left.reshape(1, 64, 64, 3))
            wanted = jax.nn.softmax(logits)[0, subjects.classes[number]]
            curve = found.curves["Grad-CAM guided"][number]
            assert curve[place] == pytest.approx(float(wanted), rel=1e-3, abs=1e-6)
            assert data(found, number)["Grad-CAM guided"][place] == round(float(curve[place]), 4)


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [
        ("caffe", (124, 117, 104)),
        ("tf", (128, 128, 128)),
        ("torch", (124, 116, 104)),
        ("rescale", (0, 0, 0)),
        (lambda images: images[..., [1, 2, 0]] / np.float32(51) - 2, (102, 102, 102)),
        (lambda images: images + np.float32(9), (0, 0, 0)),  # nothing reads as zero: the nearest
    ],
)
def test_the_colour_that_reads_as_zero(network, mode, wanted):
    reads = preprocessing(mode, 3) if isinstance(mode, str) else mode
    colour = colour_of_zero(network._replace(preprocess=reads))
    assert np.abs(colour.astype(int) - wanted).max() <= (mode == "tf")  # 127.5


def test_further_classes_are_explained_each(network, subjects):
    x = network.preprocess(subjects.images)
    logits = np.asarray(jax.jit(lambda x: network.model(x))(x))
    probable = np.argsort(-logits, axis=1)[:, :5]
    explained = np.array([probable[0, 0], probable[1, 2], 6])
    found = other_classes(
        network, subjects.images, explained, probable.tolist(), 4, batch_size=2, progress=silent,
        rules=["vanilla", "guided"],
    )  # fmt: skip
    assert found.classes.shape == (3, 3)
    for number in range(3):
        row = [index for index in probable[number] if index != explained[number]][:3]
        assert found.classes[number].tolist() == row
        for place, index in enumerate(row):
            one = jv.explain(
                network.model, x[number : number + 1], int(index), rules=["vanilla", "guided"]
            )
            for key, maps in found.maps.items():
                assert relative_error(maps[number, place], one[key][0]) < 1e-4


def test_further_classes_of_many_passes_are_refused():
    check_methods(["saliency", "rise"], 1)
    check_methods(["saliency", "layer_cam"], 5)
    with pytest.raises(ValueError, match=r"--classes 5 with rise.*leave out one of the two"):
        check_methods(["saliency", "rise"], 5)


def test_what_is_seen_at_the_relus(network, subjects):
    found = seen_at_relus(
        network, subjects.images, subjects.classes, ["rectified", "guided"], progress=silent
    )
    assert len(found) == 3
    assert list(found[1]) == ["rectified", "guided"]
    x = network.preprocess(subjects.images)
    at = jv.microscope(network.model, x[1:2], int(subjects.classes[1]), rule=jv.GUIDED)
    rows = found[1]["guided"]
    assert [row.name for row in rows] == list(at)[::-1]
    for row in rows:
        seen = at[row.name]
        g, h = (np.asarray(a[0], np.float64) for a in (seen.arrives, seen.passed))
        assert row.shape == h.shape
        assert row.by_energy.passes == pytest.approx((h**2).sum() / (g**2).sum(), rel=1e-3)
        assert row.by_count.passes == pytest.approx((h != 0).sum() / (g != 0).sum(), rel=1e-3)
        if len(row.shape) == 1:
            assert row.channels == []
            continue
        sums = np.abs(h).sum(axis=(0, 1))
        assert len(row.channels) == min(CHANNELS, len(sums))
        for channel, best in zip(row.channels, -np.sort(-sums), strict=False):
            assert sums[channel.number] == pytest.approx(best, rel=1e-3)
            np.testing.assert_allclose(
                channel.passed,
                halved(h[..., channel.number]),
                rtol=1e-2,
                atol=1e-3 * np.abs(h).max(),
            )
            np.testing.assert_allclose(
                channel.arrives,
                halved(g[..., channel.number]),
                rtol=1e-2,
                atol=1e-3 * np.abs(g).max(),
            )


def test_pictures_are_halved(rng):
    small = rng.normal(size=(SIDE, 3)).astype(np.float32)
    assert halved(small) is small
    large = rng.normal(size=(SIDE * 2 + 1, 7)).astype(np.float32)
    wanted = [
        [large[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean() for j in range(3)] for i in range(SIDE)
    ]
    np.testing.assert_allclose(halved(large), wanted, rtol=1e-5)
