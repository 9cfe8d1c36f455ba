"""Names for what functions take and return."""

import numpy as np
from jaxtyping import Array

AnyArray = Array | np.ndarray  # what every function takes; all return JAX arrays
