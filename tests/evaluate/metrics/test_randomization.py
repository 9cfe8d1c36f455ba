"""Random relatives of a network: what changes, what does not, and that nothing recompiles."""

import contextlib
import math

import jax
import jax.numpy as jnp
import layered
import numpy as np
import pytest
import scipy.stats
from conftest import with_biases

import jaxvis as jv
from jaxvis.evaluate.metrics.randomization import (
    CASCADE,
    cascading,
    independent,
    layer_order,
    randomized,
)
from jaxvis.models.layers import layer_shapes


def weights_of(model: jv.VGG16) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Copies, which nobody can change."""
    shapes = [layer.name for layer in layer_shapes(model.architecture) if layer.kernel_shape]
    layers = {name: getattr(model, name) for name in shapes}
    return {
        name: (np.array(layer.kernel[...]), np.array(layer.bias[...]))
        for name, layer in layers.items()
    }


def redrawn(before: dict, after: dict) -> list[str]:
    """Names of the layers whose kernel changed; bitwise equal layers are the others."""
    assert list(before) == list(after)
    names = []
    for name in before:
        same = [
            one.tobytes() == two.tobytes()
            for one, two in zip(before[name], after[name], strict=True)
        ]
        assert same[0] == same[1], name  # kernel and bias together
        if not same[0]:
            names.append(name)
    return names


def test_cascade_goes_from_the_logits_to_the_image():
    named = [layer.name for layer in jv.LAYERS if layer.kind in ("Conv2D", "Dense")]
    assert list(CASCADE) == named[::-1]
    assert (CASCADE[0], CASCADE[-1], len(CASCADE)) == ("predictions", "block1_conv1", 16)


def test_only_the_named_layers_change(narrow):
    before = weights_of(narrow)
    copy = randomized(narrow, ["fc1", "block3_conv2"])
    after = weights_of(copy)
    assert sorted(redrawn(before, after)) == ["block3_conv2", "fc1"]
    assert not after["fc1"][1].any()
    assert not after["block3_conv2"][1].any()
    assert redrawn(before, weights_of(narrow)) == []  # the original is as it was
    shared = copy.fc2.kernel[...].unsafe_buffer_pointer()
    assert shared == narrow.fc2.kernel[...].unsafe_buffer_pointer()  # no second copy in memory


def test_no_layer_gives_an_equal_model(narrow):
    assert redrawn(weights_of(narrow), weights_of(randomized(narrow, []))) == []


def test_kernels_are_he_normal(narrow):
    """Normal, of the deviation that He et al. give, and independent between layers and seeds."""
    copies = [weights_of(randomized(narrow, CASCADE, seed=seed)) for seed in (0, 1)]
    for name, (kernel, _) in copies[0].items():
        unit = kernel.astype(np.float64) / math.sqrt(2 / math.prod(kernel.shape[:-1]))
        # Five standard errors of the deviation, sigma / sqrt(2 n), and of the mean.
        assert abs(unit.std() - 1) < 5 / math.sqrt(2 * unit.size), name
        assert abs(unit.mean()) < 5 / math.sqrt(unit.size), name
        assert scipy.stats.kstest(unit.ravel(), "norm").pvalue > 1e-4, name
        other = copies[1][name][0]
        assert abs(np.corrcoef(kernel.ravel(), other.ravel())[0, 1]) < 5 / math.sqrt(unit.size)
    one, two = (copies[0][name][0].ravel() for name in ("block5_conv1", "block5_conv2"))
    assert abs(np.corrcoef(one, two)[0, 1]) < 5 / math.sqrt(one.size)


def test_seeds_repeat(narrow):
    one, same, other = (weights_of(randomized(narrow, CASCADE, seed=seed)) for seed in (3, 3, 4))
    assert redrawn(one, same) == []
    kernels = [(one[name][0] == other[name][0]).any() for name in CASCADE]
    assert not any(kernels)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_random_model_changes_too(seed):
    """Its weights came from a seed as well, and that must not give the same ones again."""
    model = jv.VGG16(width=1 / 64, classes=7, size=32, seed=seed)
    after = weights_of(randomized(model, CASCADE, seed=seed))
    for name, (kernel, _) in weights_of(model).items():
        assert not (kernel == after[name][0]).any()


def test_cascading_accumulates_and_independent_does_not(narrow):
    before = weights_of(narrow)
    steps = [(name, weights_of(model)) for name, model in cascading(narrow, 2)]
    alone = [(name, weights_of(model)) for name, model in independent(narrow, 2)]
    assert [name for name, _ in steps] == [name for name, _ in alone] == list(CASCADE)
    for number, ((name, cascaded), (_, single)) in enumerate(zip(steps, alone, strict=True), 1):
        assert set(redrawn(before, cascaded)) == set(CASCADE[:number])
        assert redrawn(before, single) == [name]
        np.testing.assert_array_equal(cascaded[name][0], single[name][0])
    assert redrawn(steps[-1][1], weights_of(randomized(narrow, CASCADE, seed=2))) == []
    assert redrawn(before, weights_of(narrow)) == []


def test_all_but_the_weights_is_kept():
    labels = ["cat", "dog", "goose"]
    model = jv.VGG16(
        width=1 / 64, classes=3, fc=5, size=40, labels=labels, precision="highest",
        param_dtype=np.float16,
    )  # fmt: skip
    copy = randomized(model, ["predictions"])
    assert jax.tree.structure(copy) == jax.tree.structure(model)
    assert (copy.architecture, copy.labels) == (model.architecture, tuple(labels))
    assert {leaf.dtype for leaf in jax.tree.leaves(copy)} == {np.dtype(np.float16)}
    half = randomized(jv.VGG16(width=1 / 64, classes=3, size=32, precision="bfloat16"), CASCADE)
    assert {leaf.dtype for leaf in jax.tree.leaves(half)} == {np.dtype(jax.numpy.bfloat16)}


def test_without_a_classifier_there_are_thirteen_layers():
    model = with_biases(jv.VGG16(width=1 / 64, size=32, top=False))
    before = weights_of(model)
    steps = [(name, weights_of(one)) for name, one in cascading(model)]
    assert [name for name, _ in steps] == list(CASCADE[3:])
    assert [redrawn(before, after) for _, after in steps[:1]] == [["block5_conv3"]]
    with pytest.raises(ValueError, match="'predictions'; wanted some of block5_conv3, .*block1_c"):
        randomized(model, ["predictions"])


@pytest.mark.parametrize("layers", [["fc3"], ["fc1", "block1_pool"], ["flatten"], ["__call__"]])
def test_unknown_layers(narrow, layers):
    with pytest.raises(ValueError, match=f"'{layers[-1]}'; wanted some of predictions, fc2, .*v1$"):
        randomized(narrow, layers)


def test_a_name_is_no_sequence_of_names(narrow):
    with pytest.raises(ValueError, match=r"layers is 'fc1'; .* such as \['fc1'\]"):
        randomized(narrow, "fc1")


@pytest.mark.parametrize("placed", [False, True])
def test_one_compilation_serves_all_networks(placed, rng, compilations):
    """`placed`: the weights were put on a device by name, as one does with several."""

    def with_images(size: int) -> tuple[jv.VGG16, jax.Array]:
        model = with_biases(jv.VGG16(width=1 / 64, classes=7, size=size))
        if placed:
            model = jax.device_put(model, jax.devices()[0])
        return model, jax.device_put(rng.normal(0, 60, (2, size, size, 3)).astype(np.float32))

    def maps(network: jv.VGG16, x: jax.Array) -> np.ndarray:
        return np.asarray(jv.explain(network, x, 5).logits)

    maps(*with_images(32))  # compiles what other networks share, such as the rules' arrays
    model, x = with_images(33 + placed)
    compilations.clear()
    plain = maps(model, x)
    assert len(compilations) == 1
    for networks in (cascading(model), independent(model)):
        for _, network in networks:
            assert np.abs(maps(network, x) - plain).max() > 0
    assert len(compilations) == 1


# ---- any network ---------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=layered.CASES)
def case(request):
    return layered.CASES[request.param]()


@pytest.fixture(scope="module")
def order(case):
    with as_keras_wants():
        return layer_order(case.model, case.x)


@contextlib.contextmanager
def as_keras_wants():
    """Its own code does not hold to strict promotion."""
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield


def arrays_of(model) -> dict[str, np.ndarray]:
    """Copies of all arrays, by their paths."""
    leaves = jax.tree_util.tree_leaves_with_path(model)
    return {
        jax.tree_util.keystr(path): np.array(leaf, np.float64)
        for path, leaf in leaves
        if hasattr(leaf, "dtype")
    }


def changed(before, after) -> set[str]:
    assert list(before) == list(after)
    return {path for path in before if before[path].tobytes() != after[path].tobytes()}


def named(case, arrays, name) -> set[str]:
    return {path for path in arrays if case.layers[name] in path and "counter" not in path}


def filled(model):
    """Every float another number above 0, so that none of them is 0 or 1 by chance."""
    rng = np.random.Generator(np.random.PCG64(5))
    return jax.tree.map(
        lambda leaf: jnp.asarray(rng.uniform(0.2, 0.8, leaf.shape), leaf.dtype)
        if hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jnp.floating) else leaf,
        model,
    )  # fmt: skip


def test_the_order_is_that_of_the_code_from_the_logits_down(case, order):
    assert order == tuple(reversed(case.layers))


@pytest.mark.parametrize("how", ["he_normal", "permuted"])
def test_only_the_arrays_of_the_named_layer_change(case, order, how):
    model = filled(case.model)
    before = arrays_of(model)
    for name in case.layers:
        copy = randomized(model, [name], order=order, how=how)
        wanted = named(case, before, name)
        found = changed(before, arrays_of(copy))
        if how == "permuted":  # which may leave a few numbers where they are
            found |= {path for path in wanted if before[path].size < 10}
        assert found == wanted
        assert jax.tree.structure(copy) == jax.tree.structure(model)
        for one, two in zip(jax.tree.leaves(copy), jax.tree.leaves(model), strict=True):
            assert getattr(one, "dtype", None) == getattr(two, "dtype", None)
    assert changed(before, arrays_of(model)) == set()


def test_biases_become_0_scales_1_and_kernels_he_normal(case, order):
    """Of 40 draws; a deviation within five standard errors, which no other layout's would be."""
    model = filled(case.model)
    draws = [arrays_of(randomized(model, order, order=order, seed=seed)) for seed in range(40)]
    kernels = 0
    for name in case.layers:
        for path in named(case, draws[0], name):
            values = np.stack([draw[path] for draw in draws])
            kernel = any(text in path for text in ("kernel", "weight", "'w'"))
            if kernel and name in case.fan_in:
                kernels += 1
                unit = values / math.sqrt(2 / case.fan_in[name])
                assert abs(unit.std() - 1) < 5 / math.sqrt(2 * unit.size), path
                assert abs(unit.mean()) < 5 / math.sqrt(unit.size), path
            elif any(text in path for text in ("scale", "gamma", "var", "weight")):
                assert (values == 1).all(), path  # Equinox's "weight" of a normalisation too
            elif not kernel:
                assert not values.any(), path
    assert kernels == len(case.fan_in) > 0


def test_permuted_arrays_keep_their_values(case, order):
    model = filled(case.model)
    before = arrays_of(model)
    after = arrays_of(randomized(model, order, order=order, how="permuted"))
    for path in before:
        np.testing.assert_array_equal(np.sort(before[path], None), np.sort(after[path], None))


def test_a_layer_is_the_same_for_a_seed_whatever_else_is_random(case, order):
    model = filled(case.model)
    all_layers, same, other = (
        arrays_of(randomized(model, order, order=order, seed=seed)) for seed in (3, 3, 4)
    )
    assert changed(all_layers, same) == set()
    for name in case.layers:
        alone = arrays_of(randomized(model, [name], order=order, seed=3))
        assert not changed(all_layers, alone) & named(case, alone, name)
    kernels = {path for path in all_layers if len(np.unique(all_layers[path])) > 1}
    assert changed(all_layers, other) >= kernels & set().union(
        *(named(case, all_layers, name) for name in case.fan_in)
    )


def test_stages_go_down_from_the_logits(case, order):
    model = filled(case.model)
    before = arrays_of(model)
    steps = [(name, arrays_of(one)) for name, one in cascading(model, 2, order=order)]
    alone = [(name, arrays_of(one)) for name, one in independent(model, 2, order=order)]
    assert [name for name, _ in steps] == [name for name, _ in alone] == list(order)
    done: set[str] = set()
    for (name, cascaded), (_, single) in zip(steps, alone, strict=True):
        done |= named(case, before, name)
        assert changed(before, cascaded) == done
        assert changed(before, single) == named(case, before, name)


def test_every_layer_matters_to_the_logits_and_stays_finite(case, order):
    """Nothing negative has become a variance."""
    with as_keras_wants():
        plain = np.asarray(case.model(case.x))
        for name, model in independent(case.model, order=order):
            logits = np.asarray(model(case.x))
            assert np.isfinite(logits).all(), name
            if name in case.fan_in:
                assert (logits != plain).any(), name


def test_one_compilation_serves_all_relatives_of_any_network(compilations):
    case = layered.nnx_module()
    order = layer_order(case.model, case.x)
    plain = np.asarray(jv.explain(case.model, case.x, 1, methods=["saliency"]).logits)
    compilations.clear()
    for _, model in cascading(case.model, order=order):
        found = jv.explain(model, case.x, 1, methods=["saliency"]).logits
        assert (np.asarray(found) != plain).any()
    assert compilations == []


def test_a_pair_is_cut_already(rng):
    """Arrays that a half holds but does not use are no layers of it."""
    weights = {"low": {"w": jnp.ones((3, 4))}, "top": {"w": jnp.ones((4, 2))}}
    body = jax.tree_util.Partial(lambda w, x: x @ w["low"]["w"], weights)
    head = jax.tree_util.Partial(lambda w, x: x @ w["top"]["w"], weights)
    assert layer_order((body, head), jnp.ones((1, 3))) == ("1/top", "0/low")


def test_networks_whose_layers_nobody_can_tell():
    x = jnp.ones((2, 6))
    closed = jv.expose_relu(lambda x: x @ jnp.ones((6, 3)))
    for call in (
        lambda: layer_order(closed, x),
        lambda: randomized(closed, ["a"], order=["a"]),
        lambda: list(independent(closed, order=["a"])),
    ):
        with pytest.raises(ValueError, match="holds no weights: .*closes over.* wanted .*Partial"):
            call()
    unused = jax.tree_util.Partial(lambda w, x: x, {"a": jnp.ones(3)})
    with pytest.raises(ValueError, match="holds weights, but its logits use none"):
        layer_order(unused, x)
    model = layered.plain().model
    for call in (
        lambda: layer_order(model),
        lambda: randomized(model, ["a"]),
        lambda: next(cascading(model)),
        lambda: next(independent(model)),
    ):
        with pytest.raises(ValueError, match=r"wanted layer_order\(model, x\), .* as order="):
            call()
    with pytest.raises(ValueError, match=r"no layer with weights named 'c'; wanted some of a, b$"):
        randomized(model, ["c"], order=("a", "b"))
    with pytest.raises(ValueError, match="how is 'zeros'; wanted 'he_normal' or 'permuted'"):
        randomized(model, ["a"], order=("a", "b"), how="zeros")
