"""Makes the modules of `tools/` importable, so this module is imported before them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
