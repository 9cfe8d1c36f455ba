import os
import stat
import subprocess
import sys

import jaxlib.version
import pytest

from jaxvis.gradients import compile_cache

CODE = """
import jax
from jax import monitoring
from jaxvis.gradients.compile_cache import use_compile_cache_if_asked
hits = []
monitoring.register_event_listener(lambda name, **_: hits.append(name))
print(use_compile_cache_if_asked())
jax.jit(lambda x: jax.numpy.sin(x) * 3 + 2)(1.0).block_until_ready()
print(hits.count("/jax/compilation_cache/cache_hits"))
"""


def run(**environment):
    done = subprocess.run(
        [sys.executable, "-c", CODE], env=os.environ | environment,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    folder, hits = done.stdout.splitlines()
    return folder, int(hits)


def test_a_second_process_compiles_nothing(tmp_path):
    chosen = {"JAXVIS_COMPILE_CACHE": str(tmp_path / "compiled")}
    folder, hits = run(**chosen)
    assert folder == str(tmp_path / "compiled" / f"jaxlib-{jaxlib.version.__version__}")
    assert hits == 0
    assert stat.S_IMODE(os.stat(tmp_path / "compiled").st_mode) == 0o700
    assert run(**chosen)[1] >= 1


def test_it_is_off_unless_asked_for_and_1_means_the_usual_place(tmp_path):
    for value in ("", "0"):
        assert run(JAXVIS_COMPILE_CACHE=value) == ("None", 0)
    folder, _ = run(JAXVIS_COMPILE_CACHE="1", JAXVIS_CACHE=str(tmp_path))
    assert folder.startswith(str(tmp_path / "compiled"))


def test_a_folder_that_others_can_enter_is_refused(tmp_path):
    tmp_path.chmod(0o755)
    with pytest.raises(PermissionError, match=r"mode 0755; JAX runs what lies there, so wanted"):
        compile_cache.use_compile_cache(tmp_path)
