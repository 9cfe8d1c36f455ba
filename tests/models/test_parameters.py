"""Weights as layers: every library's pytree, under the names that its author gave."""

import jax
import jax.numpy as jnp
import layered
import numpy as np
import pytest

import jaxvis as jv
from jaxvis.models.parameters import layers, parameter_table, parameters


@pytest.fixture(scope="module", params=layered.CASES)
def case(request):
    return layered.CASES[request.param]()


def test_layers_hold_the_arrays_whose_paths_bear_their_names(case):
    """And those of the pytree that are no floats, such as a generator's state, are in none."""
    leaves = jax.tree_util.tree_leaves_with_path(case.model)
    found = layers(case.model)
    assert set(case.layers) == set(found) - {"unused"}
    for name, text in case.layers.items():
        wanted = [
            place for place, (path, leaf) in enumerate(leaves)
            if text in jax.tree_util.keystr(path) and jnp.issubdtype(leaf.dtype, jnp.floating)
        ]  # fmt: skip
        assert [p.place for p in found[name]] == wanted
        assert all(p.array is leaves[p.place][1] for p in found[name])
        assert all(p.layer == name for p in found[name])
        assert len({p.name for p in found[name]}) == len(wanted) > 0


@pytest.mark.parametrize(
    ("builder", "layer", "names"),
    [
        (layered.linen_with_statistics, "BatchNorm_0", {"scale", "bias", "mean", "var"}),
        (layered.nnx_module, "norm", {"scale", "bias", "mean", "var"}),
        (layered.equinox, "layers/layers/7/layers/0", {"weight", "bias"}),
        (layered.haiku, "mlp/~/linear_0", {"w", "b"}),
    ],
)
def test_arrays_have_the_names_of_their_library(builder, layer, names):
    assert {p.name for p in layers(builder().model)[layer]} == names


def test_an_array_by_itself_is_a_layer():
    assert [(p.layer, p.name) for p in parameters({"scale": jnp.ones(2), "shift": np.ones(3)})] == [
        ("scale", "scale"), ("shift", "shift"),
    ]  # fmt: skip
    (alone,) = parameters(jnp.ones(3))
    assert (alone.layer, alone.name) == ("weights", "weights")


def test_two_arguments_with_the_same_names_are_told_apart():
    weights = {"a": {"w": jnp.ones((2, 2))}}
    both = jax.tree_util.Partial(lambda one, two, x: x, weights, weights)
    assert list(layers(both)) == ["a", "1/a"]
    body, head = (jax.tree_util.Partial(lambda w, x: x, weights) for _ in range(2))
    assert list(layers((body, head))) == ["0/a", "1/a"]


@pytest.mark.parametrize("model", [lambda x: x, {"n": jnp.arange(3)}, {}, object()])
def test_without_weights(model):
    for function in (parameters, layers):
        with pytest.raises(ValueError, match=r"holds no weights: .* wanted .*Partial\(f, weights"):
            function(model)


def test_table_counts_every_number():
    table = parameter_table(layered.plain().model)
    assert table.splitlines() == [
        "Layer  Weights           Param #",
        "--------------------------------",
        "a      b (3,), w (4, 3)       15",
        "b      b (4,), w (6, 4)       28",
        "--------------------------------",
        "Total params: 43",
    ]
    model = jv.VGG16(width=1 / 64, classes=3, size=32)
    total = sum(leaf.size for leaf in jax.tree.leaves(model))
    assert f"Total params: {total:,}" in parameter_table(model)
    assert parameter_table(lambda x: x).startswith("no table of layers: ")
