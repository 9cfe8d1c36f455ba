"""jaxvis: one call."""

import time
from pathlib import Path

import numpy as np
import worker

SIZE = 4096  # of the matrices whose product is the roof


def prepare(weights: Path, images: np.ndarray, precision: str | None = None) -> tuple:
    import jaxvis as jv

    return jv, jv.load_vgg16(weights, precision=precision), jv.preprocess(images)


def run(state: tuple) -> worker.Maps:
    jv, model, x = state
    maps = jv.explain(model, x, worker.CLASS)
    named = {f"saliency_{rule}": np.asarray(maps.saliency[rule]) for rule in worker.RULES}
    return named | {f"grad_cam_{rule}": np.asarray(maps.grad_cam[rule]) for rule in worker.RULES}


def draw(images: np.ndarray, maps: worker.Maps, folder: Path) -> None:
    from jaxvis.pictures import figures, render

    titles = [f"image {number}" for number in range(len(images))]
    for name, values in maps.items():
        kind = figures.figure_saliency if name.startswith("saliency") else figures.figure_grad_cam
        render.save(kind(images, values, titles, title=name), folder / f"{name}.png")


def roof(_: tuple) -> float:
    """GFLOP/s of a large float32 matrix product."""
    import jax
    import jax.numpy as jnp

    if not matrices:
        key = jax.random.key(0)
        matrices.append(jax.random.normal(key, (SIZE, SIZE), jnp.float32))
        matrices.append(jax.jit(lambda a: jnp.matmul(a, a, precision="highest")))
        matrices[1](matrices[0]).block_until_ready()
    a, product = matrices
    start = time.perf_counter()
    product(a).block_until_ready()
    return 2 * SIZE**3 / (time.perf_counter() - start) / 1e9


def compilation(state: tuple) -> dict[str, float]:
    """Seconds to trace and compile `explain`, and the temporary memory it plans."""
    import jax

    jv, model, x = state
    jax.clear_caches()
    start = time.perf_counter()
    run = jv.compile_explain(model, x, worker.CLASS)
    seconds = time.perf_counter() - start
    return {"compile_seconds": seconds, "temporary_mb": run.planned_bytes / 1e6}


matrices: list = []

if __name__ == "__main__":
    worker.serve(prepare, run, draw=draw, more={"roof": roof, "compilation": compilation})
