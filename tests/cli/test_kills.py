"""Real processes, killed: see `kills`."""

import os

import pytest
from kills import moments

MOMENTS = int(os.environ.get("JAXVIS_KILLS", "10"))


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs Linux's /proc")
def test_a_run_that_is_killed_leaves_the_old_results_or_the_new_ones():
    counted = moments(MOMENTS)
    assert sum(times for what, times in counted.items() if what.startswith("at once")) == MOMENTS
