"""Helpers of these tests stand beside them; importlib mode does not find them by itself."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
