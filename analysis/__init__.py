"""ASSESS: what a post says, how it says it, and why somebody should look."""

import os

# NumPy's linear algebra would start a thread a core for products of a few hundred rows; having
# done so, each spins for a while, which costs more than all the products. It reads this when it
# is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
