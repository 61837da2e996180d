"""The accelerator's benchmark: what it packs comes back, and solving needs torch, numpy, scipy and gpytorch alone."""

import subprocess
import sys
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

from benchmarks.gpu import packed, packed_graph, unpacked, unpacked_graph
from stages.posteriors.engines.base import PairProblem
from stages.posteriors.graph.field import GraphProblem

ROOT = Path(__file__).parent.parent.parent
MISSING = ("beartype", "dask", "jaxtyping", "numba", "open3d", "pydantic", "rich", "yaml", "zarr")
BLOCKED = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
sys.modules.update(dict.fromkeys({MISSING!r}))
sys.argv = ["gpu.py", *sys.argv[1:]]
import runpy
runpy.run_path({str(ROOT / "benchmarks" / "gpu.py")!r}, run_name="__main__")
"""


def problem(seed: int, determined: int, contested: int) -> PairProblem:
    generator = np.random.default_rng(seed)
    values = generator.normal(0.0, 0.5, (determined + contested, 3)).astype(np.float32)
    odds = generator.normal(0.0, 1.0, contested).astype(np.float32)
    first = np.arange(determined) % 2 == 0
    return PairProblem(values[:determined], first, values[determined:], np.zeros(determined, np.float32), odds)


def graph() -> GraphProblem:
    affinity = csr_array(np.array([[0, 1.0, 0], [1.0, 0, 0.5], [0, 0.5, 0]]))
    return GraphProblem(affinity, np.array([1.0, 0.1, 2.0]), np.array([[1.0, 0.5, 0.0], [0.0, 0.5, 1.0]]))


def test_packed_problems_come_back() -> None:
    problems = [problem(0, 4, 2), problem(1, 7, 1), problem(2, 3, 5)]
    arrays = packed([problems[:2], [], problems[2:]])
    assert arrays["scene"].tolist() == [0, 0, 2]
    for before, after in zip(problems, unpacked(arrays), strict=True):
        for name, values in vars(before).items():
            np.testing.assert_array_equal(getattr(after, name), values)


def test_packed_graphs_come_back() -> None:
    before = graph()
    after = unpacked_graph(packed_graph(before, "graph/0"), "graph/0")
    np.testing.assert_array_equal(after.affinity.toarray(), before.affinity.toarray())
    np.testing.assert_array_equal(after.precision, before.precision)
    np.testing.assert_array_equal(after.observation, before.observation)


def test_solves_where_only_torch_is_installed(tmp_path: Path) -> None:
    arrays = packed([[problem(0, 12, 4)], [problem(1, 20, 6)]])
    stored = {f"{name}/{key}": values for name in ("paper", "folder") for key, values in arrays.items()}
    np.savez(tmp_path / "problems.npz", allow_pickle=False, **stored, **packed_graph(graph(), "graph/0"))
    command = [sys.executable, "-c", BLOCKED, "solve", str(tmp_path / "problems.npz"), "--device", "cpu"]
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    rows = [line.split("|") for line in done.stdout.splitlines() if line.startswith("| ")]
    assert len(rows) == 2 * 7 + 1
    for row in rows:
        if row[1].strip() != "engine":
            assert float(row[5]) < 0.02
