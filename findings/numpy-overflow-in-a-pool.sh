#!/usr/bin/env bash
#
# Expected: numpy's errstate (reference of 2.4, "numpy.errstate"): with over="raise" an overflow raises
# FloatingPointError, and matmul is a ufunc that reports it. Which of the result's elements has overflowed is not said
# to matter.
#
# What happens: the exceptions of floating point are kept for each thread, and numpy asks those of the calling one.
# A product of two large matrices is computed by OpenBLAS's threads together, each some of the columns. So an overflow
# in the caller's columns raises, and one in those of a thread of the pool leaves an infinity and is silent. With one
# thread all raise. So does a small product, which is the caller's alone.
#
# Seen with: numpy 2.4.6 from PyPI (with its OpenBLAS), two threads; CPython 3.11, x86-64.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install numpy==2.4.6
cat >"$folder/product.py" <<'PYTHON'
import sys
import numpy

said = {}
for n in 512, 8:
    for column in 0, n - 1:
        left, right = numpy.full((n, n), 1e-200), numpy.ones((n, n))
        # One element of the product overflows, in this column.
        left[n // 2], right[:, column] = 1e200, 1e200
        with numpy.errstate(over="raise"):
            try:
                product = left @ right
                assert numpy.isinf(product).sum() == 1
                said[n, column] = "silent"
            except FloatingPointError:
                said[n, column] = "raises"
        print(f"  {n} x {n}, an overflow in column {column}: {said[n, column]}")
wanted = "silent" if sys.argv[1] == "2" else "raises"
sys.exit(list(said.values()) != ["raises", wanted, "raises", "raises"])
PYTHON
seen=as-stated
for threads in 1 2; do
    echo "OpenBLAS with $threads threads:"
    OPENBLAS_NUM_THREADS=$threads "$folder/venv/bin/python" "$folder/product.py" "$threads" || seen=different
done
echo "$seen"
[ "$seen" = as-stated ]
