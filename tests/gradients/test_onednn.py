"""When oneDNN is asked for, and that what it computes is right."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import relative_error

import jaxvis as jv
from jaxvis.gradients import onednn
from jaxvis.gradients.compiled import Compiled
from jaxvis.gradients.onednn import OPTIONS, bare, compiler_options, is_asked, units
from jaxvis.methods.catalogue import LAB, METHODS
from jaxvis.methods.one_pass import one_pass, ready
from jaxvis.methods.options import asked_for

USUAL = ("NHWC", "HWIO", "NHWC")
HERE = is_asked("float32")
needs_onednn = pytest.mark.skipif(not HERE, reason="JAX before 0.12, or a CPU without AVX-512")


class Asking:
    asks_onednn = True

    def __call__(self, x):
        return x


ARRAYS = {
    "float32": (jnp.zeros(2), "float32"),
    "bfloat16": (jnp.zeros(2, jnp.bfloat16), "bfloat16"),
    "NumPy's": (np.zeros(2, np.float32), "float32"),
}


@pytest.fixture
def everything(monkeypatch):
    """As if on a CPU that has all units, under a JAX that knows the options."""
    flags = frozenset({"avx512f", "avx512_bf16"})
    monkeypatch.setattr(onednn, "_flags", lambda: flags)
    monkeypatch.setattr(onednn, "SINCE", (0, 1))
    monkeypatch.setattr(onednn, "_known", lambda: True)
    monkeypatch.delenv(onednn.SWITCH, raising=False)
    return monkeypatch


@pytest.mark.parametrize(("array", "dtype"), ARRAYS.values(), ids=ARRAYS)
def test_asked_of_a_model_that_asks(everything, array, dtype):
    assert compiler_options([Asking()], [array]) == OPTIONS
    part = jax.tree_util.Partial(Asking())
    assert compiler_options([part, 1], [array]) == OPTIONS
    assert compiler_options([object(), 1], [array]) == ()
    assert is_asked(dtype)


def test_not_asked(everything):
    arrays = [jnp.zeros(2)]
    asking = [Asking()]
    everything.setenv("JAXVIS_ONEDNN", "0")
    assert compiler_options(asking, arrays) == ()
    everything.setenv("JAXVIS_ONEDNN", "1")
    assert compiler_options(asking, arrays) == OPTIONS
    found = []
    jax.jit(lambda x: found.append(compiler_options(asking, [x])))(arrays[0])
    jax.jit(lambda: found.append(compiler_options(asking, arrays)))()
    jax.grad(lambda x: found.append(compiler_options(asking, [x])) or x.sum())(arrays[0])
    assert found == [(), (), ()]
    everything.setattr(onednn, "_flags", lambda: frozenset({"avx512f"}))
    assert compiler_options(asking, [jnp.zeros(2, jnp.bfloat16)]) == ()
    everything.setattr(onednn, "_flags", lambda: frozenset({"avx2"}))
    assert compiler_options(asking, arrays) == ()
    everything.setattr(onednn, "_flags", lambda: frozenset({"avx512f"}))
    everything.setattr(onednn, "SINCE", (99, 0))
    assert compiler_options(asking, arrays) == ()


def test_options_that_a_compiler_does_not_know_are_not_set(monkeypatch):
    monkeypatch.setattr(onednn, "OPTIONS", (("xla_cpu_no_such_option", True),))
    assert not onednn._known.__wrapped__()


def test_units_are_read_from_linux(monkeypatch, tmp_path):
    monkeypatch.setattr(onednn, "_flags", lambda: frozenset({"avx512_bf16", "amx_bf16"}))
    assert units("bfloat16") == "amx_bf16"
    assert units("float32") is None
    assert units("float64") is None


@needs_onednn
def test_vgg16_is_computed_by_it_and_others_are_not(pixels):
    def hlo(model, layer):
        asked, rules = asked_for(METHODS, methods=LAB, layer=layer)
        *arguments, _, apart = ready(model, pixels, 3, asked, rules).arguments
        return one_pass.compile(*arguments, None, apart)._executable.as_text()

    model = jv.VGG16(width=1 / 16, classes=7, size=64)
    text = hlo(model, "block5_conv3")
    assert text.count("__onednn$convolution") == 2 * 13
    assert " convolution(" not in text
    text = hlo(jv.expose_relu(lambda x: model(x)), -1)
    assert "__onednn" not in text


@needs_onednn
def test_joined_to_silu_it_is_wrong_and_bare_it_is_right(rng):
    """The fault of JAX 0.12 for which products are bare; when it is mended, this test says so."""
    x = rng.normal(size=(2, 8, 8, 3)).astype(np.float32)
    kernel = rng.normal(size=(3, 3, 3, 4)).astype(np.float32)
    weights, bias = rng.normal(size=(4, 5)).astype(np.float32), np.ones((1, 1, 1, 4), np.float32)

    def gradient(around, options):
        def f(x):
            y = jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=USUAL)
            return (jax.nn.silu(around(y) + bias).mean((1, 2)) @ weights).sum()

        return jax.jit(jax.value_and_grad(f), compiler_options=options)(x)[1]

    wanted = gradient(lambda y: y, None)
    assert relative_error(gradient(bare, dict(OPTIONS)), wanted) < 1e-5
    if jax.__version__.startswith("0.12."):
        assert relative_error(gradient(lambda y: y, dict(OPTIONS)), wanted) > 0.1


ACTIVATIONS = {
    "relu": jax.nn.relu, "silu": jax.nn.silu, "sigmoid": jax.nn.sigmoid, "tanh": jnp.tanh,
    "gelu": jax.nn.gelu, "exact gelu": lambda y: jax.nn.gelu(y, approximate=False),
    "elu": jax.nn.elu, "leaky": jax.nn.leaky_relu, "relu6": jax.nn.relu6, "sine": jnp.sin,
    "softplus": jax.nn.softplus, "mish": jax.nn.mish, "none": lambda y: y,
    "hard swish": jax.nn.hard_swish, "guided": jv.guided_relu, "rectified": jv.rectified_relu,
    "residual": lambda y: jax.nn.relu(y) + y,
}  # fmt: skip


@needs_onednn
@pytest.mark.parametrize("activation", ACTIVATIONS.values(), ids=ACTIVATIONS)
def test_whatever_follows_a_product_of_vgg16(pixels, activation, monkeypatch):
    """With any function in the place of its ReLU: the same maps with and without oneDNN."""
    model = jv.VGG16(width=1 / 16, classes=7, size=64)
    maps = []
    for switch in ("1", "0"):
        monkeypatch.setenv("JAXVIS_ONEDNN", switch)
        maps.append(jv.explain(model, pixels, 3, rules={"one": activation}))
    for name, found in maps[0].items():
        assert relative_error(found, maps[1][name]) < 1e-4, name


@needs_onednn
def test_under_a_compiled_function_of_ones_own(pixels):
    """Options hold at the outermost function only; inside it, nothing is asked, nothing fails."""
    model = jv.VGG16(width=1 / 16, classes=7, size=64)
    wanted = jv.explain(model, pixels, 3)
    found = jax.jit(lambda x: jv.explain(model, x, 3))(pixels)
    assert relative_error(found.saliency["guided"], wanted.saliency["guided"]) < 1e-4


def test_a_compiled_function_keeps_one_program_for_each(everything):
    call = Compiled(lambda model, x: x + 1)
    model = jax.tree_util.Partial(Asking())
    for switch in ("0", "1", "0"):
        everything.setenv("JAXVIS_ONEDNN", switch)
        call(model, np.zeros(2, np.float32))
    assert call.traces == 2
