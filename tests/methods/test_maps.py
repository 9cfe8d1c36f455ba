"""`Maps`: a mapping, a pytree, and a plain object that can be pickled."""

import copy
import pickle
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxvis as jv
from jaxvis.methods.maps import MapName

ORDER = [("grad_cam", "z"), ("grad_cam", "a"), ("saliency", "z"), ("saliency", "a")]


@pytest.fixture
def maps():
    """Methods and rules in an order that no sorting gives."""
    arrays = iter(np.arange(4.0)[:, None] + np.zeros(3))
    by_method = {m: {r: next(arrays) for r in ("z", "a")} for m in ("grad_cam", "saliency")}
    return jv.Maps(np.array([[-1.0, -2.0]]), by_method)


def values(maps):
    return [float(array[0]) for array in maps.values()]


def test_it_is_a_mapping(maps):
    assert isinstance(maps, Mapping)
    assert list(maps) == list(maps.keys()) == ORDER
    assert all(isinstance(name, MapName) for name in maps)
    assert [name.rule for name in maps] == ["z", "a", "z", "a"]
    assert len(maps) == 4
    assert values(maps) == [0, 1, 2, 3]
    assert [(name, float(array[0])) for name, array in maps.items()] == [
        *zip(ORDER, range(4), strict=True)
    ]
    assert ("grad_cam", "a") in maps
    assert MapName("saliency", "z") in maps
    assert maps.get(("grad_cam", "a"))[0] == 1
    assert dict(maps)["saliency", "a"][0] == 3
    assert maps.methods == ("grad_cam", "saliency")


def test_one_map_and_all_of_a_method(maps):
    assert maps["saliency", "z"][0] == 2
    assert list(maps["saliency"]) == list(maps.saliency) == ["z", "a"]
    assert maps.saliency["a"] is maps["saliency"]["a"] is maps["saliency", "a"]
    assert maps.logits.shape == (1, 2)


def test_what_is_not_there(maps):
    for name in ("smooth_grad", ("smooth_grad", "z"), ("saliency", "guided")):
        with pytest.raises(KeyError):
            maps[name]
    for name in (("smooth_grad", "z"), ("saliency", "guided"), "smooth_grad"):
        assert name not in maps
        assert maps.get(name, "else") == "else"
    with pytest.raises(AttributeError, match="no maps 'smooth_grad', only grad_cam, saliency"):
        maps.smooth_grad  # noqa: B018
    assert getattr(maps, "smooth_grad", None) is None
    assert not hasattr(maps, "_repr_html_")


@pytest.mark.parametrize("thing", [3, None, "saliency z", (), ("a", "b", "c")], ids=str)
def test_whatever_is_asked_the_answer_is_no_crash(maps, thing):
    assert thing not in maps
    assert maps.get(thing) is None


def same(one, other):
    assert list(one) == list(other)
    for found, wanted in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_order_and_values_survive_what_pytrees_go_through(maps):
    for other in (
        jax.tree.map(lambda a: a, maps),
        jax.tree.unflatten(*reversed(jax.tree.flatten(maps))),
        jax.jit(lambda maps: maps)(maps),
        jax.tree.map(
            lambda a: a[0],
            jax.vmap(lambda zero: jax.tree.map(lambda a: a + zero, maps))(np.zeros(1)),
        ),
    ):
        assert type(other) is jv.Maps
        same(other, maps)
        np.testing.assert_array_equal(other.logits, maps.logits)
    doubled = jax.jit(lambda maps: jax.tree.map(lambda a: 2 * a, maps))(maps)
    assert list(doubled) == ORDER
    assert values(doubled) == [0, 2, 4, 6]
    np.testing.assert_array_equal(doubled.logits, 2 * maps.logits)


def test_another_order_is_another_structure(maps):
    """Or `jax.tree.map` would put one method's maps beside another's."""
    turned = jv.Maps(maps.logits, {m: maps[m] for m in reversed(maps.methods)})
    assert jax.tree.structure(turned) != jax.tree.structure(maps)
    with pytest.raises(ValueError, match="(?i)mismatch|differ|not match"):
        jax.tree.map(jnp.add, maps, turned)


def test_key_paths(maps):
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(maps)]
    assert paths[0] == ".logits"
    assert jax.tree.leaves(maps)[0] is maps.logits
    for path, name in zip(paths[1:], ORDER, strict=True):
        assert all(repr(part) in path for part in name)


@pytest.mark.parametrize(
    "copied",
    [lambda m: pickle.loads(pickle.dumps(m)), copy.deepcopy, copy.copy],
    ids=["pickle", "deepcopy", "copy"],
)
def test_copies(maps, copied):
    """`__getattr__` is asked for much before an object has its maps."""
    other = copied(maps)
    assert type(other) is jv.Maps
    same(other, maps)
    assert other.methods == maps.methods
    if copied is not copy.copy:
        other.saliency["z"][:] = 7
        assert values(maps) == [0, 1, 2, 3]


def test_a_half_built_one_has_no_maps():
    empty = jv.Maps.__new__(jv.Maps)
    with pytest.raises(AttributeError, match="there are no maps 'saliency'"):
        empty.saliency  # noqa: B018


def test_repr_tells_shapes_and_no_numbers(maps):
    assert repr(maps) == (
        "Maps(logits: float64[1, 2], grad_cam['z']: float64[3], grad_cam['a']: float64[3], "
        "saliency['z']: float64[3], saliency['a']: float64[3])"
    )
    assert repr(jax.tree.map(lambda _: None, maps)).startswith("Maps(logits: ?[]")


def test_rows_for_a_figure():
    """One for every map, in order; layer-sized ones are marked, and named by layer."""
    small, large = np.ones((2, 4, 4)), np.ones((2, 8, 8))
    maps = jv.Maps(
        np.zeros((2, 3)),
        {
            "saliency": {"guided": large},
            "grad_cam": {"guided": {"block4_pool": small, -1: 2 * small}},
            "one_of_my_own": {"vanilla": 3 * small},
        },
    )
    assert [(row.label, row.laid_over) for row in maps.rows()] == [
        ("saliency: guided", False),
        ("Grad-CAM of block4_pool: guided", True),
        ("Grad-CAM of -1: guided", True),
        ("one_of_my_own: vanilla", True),
    ]
    assert [row.maps.max() for row in maps.rows()] == [1, 1, 2, 3]


def test_rows_say_whose_maps_they_are_and_whether_signs_show():
    plain, signed = np.ones((2, 8, 8)), np.ones((2, 8, 8))
    signed[1, 3, 4] = -1e-3
    maps = jv.Maps(
        None,
        {
            "saliency": {"vanilla": plain, "guided": jnp.asarray(signed)},
            "smoothgrad": {"vanilla": signed, "guided": jnp.asarray(plain)},
            "grad_cam": {"vanilla": {"a": plain, "b": signed}},
            "one_of_my_own": {"vanilla": signed},
        },
    )
    rows = maps.rows()
    assert [row.signed for row in rows] == [False, True, True, False, False, True, True]
    assert all(type(row.signed) is bool for row in rows)
    assert [row.lab for row in rows] == [True, True, False, False, True, True, False]


@pytest.mark.parametrize("signed", [False, True])
def test_rows_of_every_method_show_signs_if_they_were_asked_for(narrow, pixels, signed):
    methods = [name for name, method in jv.METHODS.items() if method.kind == "one pass"]
    maps = jv.explain(narrow, pixels[:1], 3, methods=methods, rules=["vanilla"], signed=signed)
    found = {name: row.signed for (name, _), row in zip(maps, maps.rows(), strict=True)}
    assert any(found.values()) == signed
    assert found["saliency"] == found["input_x_gradient"] == signed


def test_maps_of_a_real_call(narrow, pixels):
    maps = jv.explain(narrow, pixels[:1], 3, methods=["grad_cam", "saliency"], rules=["guided"])
    assert list(maps) == [("grad_cam", "guided"), ("saliency", "guided")]
    assert maps["grad_cam", "guided"].shape == (1, 4, 4)
    assert maps["saliency", "guided"].shape == (1, 64, 64)
    same(pickle.loads(pickle.dumps(maps)), maps)
