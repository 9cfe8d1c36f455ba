"""What `explain` returns: logits, and raw maps by method and rule."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax

from jaxvis.methods.catalogue import LAB, METHODS
from jaxvis.methods.method import ANY
from jaxvis.pictures.figures import MapRow


class MapName(NamedTuple):
    """Which map: the name of a method in `METHODS`, and of a rule, or `ANY`."""

    method: str
    rule: str


@jax.tree_util.register_pytree_with_keys_class
class Maps(Mapping[MapName, Any]):
    """A mapping from (method, rule) to raw maps (n, *space), and the logits (n, classes).

    With a score of one's own, `logits` is whatever the model returned.

    `maps["grad_cam", "guided"]` is one of them; `maps["grad_cam"]`, or `maps.grad_cam`, all of a
    method, by rule. A pytree, whose maps stay in their order.
    """

    def __init__(self, logits: Any, maps: Mapping[str, Mapping[str, Any]]) -> None:
        self.logits = logits
        self._maps = {method: dict(by_rule) for method, by_rule in maps.items()}

    def __getitem__(self, name: Any) -> Any:
        """Return one map by (method, rule), or all of a method by rule."""
        match name:
            case str():
                return self._of(name)
            case (method, rule):
                return self._of(method)[rule]
        raise KeyError(f"{name!r}: wanted a method's name, or (method, rule)")

    def __getattr__(self, name: str) -> dict[str, Any]:
        maps = self.__dict__.get("_maps", {})
        if name in maps:
            return maps[name]
        raise AttributeError(f"there are no maps {name!r}, only {', '.join(maps)}: see methods=")

    def __iter__(self) -> Iterator[MapName]:
        """Run through the names, methods and rules in the order asked for."""
        for method, by_rule in self._maps.items():
            for rule in by_rule:
                yield MapName(method, rule)

    def __len__(self) -> int:
        """The number of maps."""
        return sum(map(len, self._maps.values()))

    def __repr__(self) -> str:
        """What there is, not its numbers."""
        shapes = [f"{m}[{r!r}]: {_shapes(value)}" for (m, r), value in self.items()]
        logits = "?[]" if self.logits is None else _shapes(self.logits)
        return f"Maps(logits: {logits}, {', '.join(shapes)})"

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of the methods, in the order asked for."""
        return tuple(self._maps)

    def shown(self) -> "Maps":
        """Return the maps that are shown, of those made with `signed=True`: of |.|, say.

        Of methods in `METHODS`, whose maps these are.
        """
        maps: dict[str, dict[str, Any]] = {}
        for (method, rule), value in self.items():
            maps.setdefault(method, {})[rule] = jax.tree.map(METHODS[method].shown, value)
        return Maps(self.logits, maps)

    def rows(self) -> list[MapRow]:
        """Return the maps as rows of `figure_comparison`; those below 0 anywhere show signs."""
        rows = []
        for (name, rule), value in self.items():
            method = METHODS.get(name)  # None for one of the user's own
            title = name if method is None else method.title
            laid_over = method is None or method.at == "layer"
            by_layer = value if isinstance(value, dict) else {None: value}
            for layer, array in by_layer.items():
                of = "" if layer is None else f" of {layer}"
                under = "" if rule == ANY else f": {rule}"
                signed = any(bool((leaf < 0).any()) for leaf in jax.tree.leaves(array))
                rows.append(
                    MapRow(f"{title}{of}{under}", array, laid_over, signed, lab=name in LAB)
                )
        return rows

    def _of(self, method: str) -> dict[str, Any]:
        if method not in self._maps:
            raise KeyError(f"{method}: not among the maps, which are {', '.join(self._maps)}")
        return self._maps[method]

    def tree_flatten_with_keys(self) -> tuple[list, tuple[MapName, ...]]:
        """Return logits and maps, each with its key, and the names."""
        key = jax.tree_util.DictKey
        children = [(jax.tree_util.GetAttrKey("logits"), self.logits)]
        return children + [(key(name), value) for name, value in self.items()], tuple(self)

    @classmethod
    def tree_unflatten(cls, names: tuple[MapName, ...], children: Any) -> "Maps":
        """Return what `tree_flatten_with_keys` took apart."""
        logits, *values = children
        maps: dict[str, dict[str, Any]] = {}
        for (method, rule), value in zip(names, values, strict=True):
            maps.setdefault(method, {})[rule] = value
        return cls(logits, maps)


def _shapes(maps: Any) -> Any:
    shapes = jax.tree.map(_shape, maps)
    return dict(shapes) if isinstance(shapes, dict) else shapes  # by layer, or by input


def _shape(array: Any) -> str:
    return f"{getattr(array, 'dtype', '?')}{list(getattr(array, 'shape', ()))}"
