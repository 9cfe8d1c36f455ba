"""The NumPy twin against finite differences and brute force, so that it may serve as an oracle."""

import numpy as np
import pytest

import jaxvis as jv
from jaxvis.models import reference
from jaxvis.models.heads import HeadLayer, dense


@pytest.fixture(scope="module")
def weights(narrow):
    return reference.weights_of(narrow)


def test_convolution_is_the_sum_over_a_window(rng):
    x, kernel = rng.normal(size=(2, 5, 4, 3)), rng.normal(size=(3, 3, 3, 2))
    bias = rng.normal(size=2)
    y = reference.convolve(x, kernel, bias)
    for n, i, j, k in np.ndindex(y.shape):
        total = bias[k]
        for r, c, channel in np.ndindex(3, 3, 3):
            if 0 <= i + r - 1 < 5 and 0 <= j + c - 1 < 4:
                total += x[n, i + r - 1, j + c - 1, channel] * kernel[r, c, channel, k]
        assert y[n, i, j, k] == pytest.approx(total, rel=1e-12)


def test_backward_of_the_convolution_is_its_adjoint(rng):
    """<conv(x), g> = <x, conv_backward(g)> for the linear part."""
    x, kernel = rng.normal(size=(2, 5, 4, 3)), rng.normal(size=(3, 3, 3, 2))
    g = rng.normal(size=(2, 5, 4, 2))
    forward = np.vdot(reference.convolve(x, kernel, np.zeros(2)), g)
    assert forward == pytest.approx(np.vdot(x, reference.convolve_backward(g, kernel)), rel=1e-12)


def test_vanilla_gradient_is_that_of_finite_differences(weights, pixels, rng):
    """Along random directions; a step of 1e-5 stays within one linear piece of the network."""
    x = pixels[:1].astype(np.float64)
    gradient = reference.input_gradient(weights, x, 3, jv.VANILLA)
    for _ in range(5):
        step = 1e-5 * rng.normal(size=x.shape)
        up, down = (reference.forward(weights, x + s * step)[0][0, 3] for s in (1, -1))
        assert (up - down) / 2 == pytest.approx(np.vdot(gradient, step), rel=1e-5)


def test_gates_open_and_shut():
    x, g = np.array([2.0, 2.0, -1.0, 0.0]), np.array([3.0, -3.0, 3.0, 3.0])
    wanted = {
        (True, False): [3, -3, 0, 0],
        (False, True): [3, 0, 3, 3],
        (True, True): [3, 0, 0, 0],
        (False, False): [3, -3, 3, 3],
    }
    for rule, result in wanted.items():
        np.testing.assert_array_equal(reference.relu_backward(x, g, rule), result)


def test_pooling_takes_the_first_of_equal_maxima():
    x = np.array([[[[1.0], [5.0], [9.0]], [[5.0], [5.0], [9.0]]]])
    assert reference.max_pool(x).tolist() == [[[[5.0]]]]
    back = reference.max_pool_backward(x, np.array([[[[7.0]]]]))
    assert back[0, :, :, 0].tolist() == [[0, 7, 0], [0, 0, 0]]


def test_another_head_is_refused():
    """Its table has Keras's own alone, and would compute that without a word."""
    head = [HeadLayer("flatten", "Flatten"), dense("fc1", 8), dense("fc2", 8, "relu"),
            dense("predictions", 3)]  # fmt: skip
    with pytest.raises(ValueError, match="has a head or a front of its own; wanted Keras's VGG16"):
        reference.weights_of(jv.VGG16(width=1 / 64, size=32, head=head))
