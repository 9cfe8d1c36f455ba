"""The same program on every device of this process: each explains a batch of its own.

With one device this is `explain`. With several, images are spread over a mesh of one axis, weights
are on every device, and no device asks another for anything: `jax.shard_map` gives each the program
that one device alone would have. So a batch's maps are the same bits, however many devices there
are, and wherever it is computed.

A mesh holds the devices of one process. Several processes (`processes`) share out the batches, and
have nothing to wait for either.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple, Unpack

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Int

from jaxvis.any_model.adapters import as_model
from jaxvis.gradients.compiled import Compiled
from jaxvis.gradients.groups import group_of
from jaxvis.gradients.relu import Relu, Rule
from jaxvis.gradients.target import check_logits
from jaxvis.methods.explain import asked_of, explain
from jaxvis.methods.forward import whole
from jaxvis.methods.maps import Maps
from jaxvis.methods.one_pass import Called, Ready, one_pass, ready, run
from jaxvis.methods.options import Asked, Options
from jaxvis.types import AnyArray

AXIS = "images"
EVERYWHERE, BY_IMAGE = PartitionSpec(), PartitionSpec(AXIS)


class Explained(NamedTuple):
    """What was asked of the devices; they may be at it still, and whoever reads an array waits.

    Attributes:
        maps: of all images.
        classes: the indices that were explained, (n,), or (n, k); None with a score.
    """

    maps: Maps
    classes: Any


class Devices:
    """`explain` on several devices at once, one batch on each.

    Attributes:
        batch: images on each device.
        count: devices.
        in_order: whether one call is computed after the other; a CPU computes all that it is given
            at the same time, and two calls by turns take longer than one after the other.
    """

    def __init__(
        self,
        model: Any,
        batch: int,
        *,
        best: int = 1,
        devices: Sequence[jax.Device] | None = None,
        **options: Unpack[Options],
    ) -> None:
        """Put the model on the devices, those of this process unless others are named.

        Args:
            model: as in `explain`.
            batch: images on each device in a call.
            best: where no classes are given, how many of the most probable ones are explained; with
                more than one, maps are (n, best, *space).
            options: as in `explain`.
        """
        self._where = list(jax.local_devices() if devices is None else devices)
        self.batch, self.count, self._best, self._options = batch, len(self._where), best, options
        self.in_order = self._where[0].platform != "cpu"
        self._asked, self._rules = asked_of(options)
        self._one_call = all(method.kind == "one pass" for method in self._asked.methods)
        self._mesh, self._model = None, as_model(model)
        self._each = [self._model]  # for each device, where each is called by itself
        if devices is not None or self.count > 1:
            self._mesh = Mesh(np.array(self._where), (AXIS,))
            if not self._one_call:
                self._each = [_placed(self._model, device) for device in self._where]
            self._model = _placed(self._model, NamedSharding(self._mesh, EVERYWHERE))

    def __call__(self, x: Any, classes: Int[np.ndarray, "n *k"] | None) -> Explained:
        """Begin to explain as many batches as there are devices, one after the other in x.

        Errors are those of `explain`.
        """
        x, targets = self._spread(x), self._spread(classes)
        first = self._best > 1 or not self._one_call  # then classes have to be known before
        if targets is None and first and self._asked.score is None:
            targets = _most_probable(self._model, x, self._best, self._mesh)
        if self._one_call:
            compiled, given = self._ready(x, targets)
            maps = Maps(*run(compiled, self._asked, given))
        else:
            maps = self._device_by_device(x, targets)
        if targets is None and self._asked.score is None:
            targets = jnp.argmax(maps.logits, axis=1)
        return Explained(maps, targets)

    def compile(self, x: Any, classes: Int[np.ndarray, "n *k"] | None) -> None:
        """Compile what a call with such arguments takes, where that is one call."""
        if self._one_call:
            compiled, given = self._ready(self._spread(x), self._spread(classes))
            compiled.compile(*given.arguments)

    def _spread(self, arrays: Any) -> Any:
        """Return arrays with a batch on each device."""
        if self._mesh is None:
            return jax.tree.map(jnp.asarray, arrays)
        spread = NamedSharding(self._mesh, BY_IMAGE)
        return jax.tree.map(lambda leaf: jax.device_put(leaf, spread), arrays)

    def _ready(self, x: Any, targets: Any) -> tuple[Any, Ready]:
        """Return the compiled function, and what it is called with."""
        given = ready(self._model, x, targets, self._asked, self._rules)
        if self._mesh is None:
            return one_pass, given
        model, x, targets, stacked, functions, asked, group, _ = given.arguments
        if group is not None:  # of all images; now of those on one device
            group = group_of(self.batch, cpu=self._where[0].platform == "cpu")
        arguments = (model, x, targets, stacked, functions, asked, group, self._mesh)
        return _one_pass_each, given._replace(arguments=arguments)

    def _device_by_device(self, x: Any, targets: Any) -> Maps:
        """What is no single call: `explain` in a thread for each device."""
        if self._mesh is None:
            return explain(self._model, x, targets, **self._options)
        x, targets = jax.tree.map(np.asarray, (x, targets))

        def one(number: int) -> Maps:
            rows = slice(number * self.batch, (number + 1) * self.batch)
            there = jax.tree.map(lambda leaf: jax.device_put(leaf[rows], self._where[number]), x)
            classes = None if targets is None else targets[rows]
            return explain(self._each[number], there, classes, **self._options)

        with ThreadPoolExecutor(self.count) as pool:
            parts = list(pool.map(one, range(self.count)))
        return jax.tree.map(lambda *arrays: np.concatenate([*map(np.asarray, arrays)]), *parts)


def _placed(model: Any, where: Any) -> Any:
    """Return a model whose arrays are there; what is no array stays."""
    return jax.tree.map(
        lambda leaf: jax.device_put(leaf, where) if isinstance(leaf, AnyArray) else leaf, model
    )


@Compiled
def _most_probable(model: Any, x: Any, best: int, mesh: Mesh | None) -> Int[Array, "..."]:
    """Return the indices of the largest logits, (n,), or (n, best) of several."""

    def here(model: Any, x: Any) -> Any:
        logits = whole(model, x)
        check_logits(logits, jax.tree.leaves(x)[0].shape[0])
        if best == 1:
            return jnp.argmax(logits, axis=1).astype(jnp.int32)
        return jax.lax.top_k(logits, min(best, logits.shape[1]))[1]

    return here(model, x) if mesh is None else on_each(here, mesh)(model, x)


@Compiled
def _one_pass_each(
    model: Any, x: Any, targets: Any, rules: Rule | None, functions: tuple[Relu, ...],
    asked: Asked, group: int | None, mesh: Mesh,
) -> tuple[Any, list, list, Called]:  # fmt: skip
    """Return what `one_pass` does, each device of its own images."""
    noted: list[Called] = []

    def here(model_and_rules: Any, x: Any, targets: Any) -> Any:
        model, rules = model_and_rules
        *found, called = one_pass(model, x, targets, rules, functions, asked, group, False)
        noted.append(called)
        return found

    logits, by_data, by_function = on_each(here, mesh)((model, rules), x, targets)
    return logits, by_data, by_function, noted[0]


def on_each(function: Any, mesh: Mesh) -> Any:
    """Return a function that every device of a mesh runs on its part of the images.

    The first argument, such as a model, is the same for all devices; of what is no array in it they
    have it as it is. All others, and what the function returns, are arrays by image.
    """

    def spread(same: Any, *by_image: Any) -> Any:
        leaves, structure = jax.tree.flatten(same)
        arrays = [leaf for leaf in leaves if isinstance(leaf, AnyArray)]

        def here(arrays: list, *by_image: Any) -> Any:
            left = iter(arrays)
            own = [next(left) if isinstance(leaf, AnyArray) else leaf for leaf in leaves]
            return function(jax.tree.unflatten(structure, own), *by_image)

        mapped = partial(jax.shard_map, mesh=mesh, out_specs=BY_IMAGE, check_vma=False)
        specs = (EVERYWHERE, *(BY_IMAGE for _ in by_image))
        return mapped(here, in_specs=specs)(arrays, *by_image)

    return spread
