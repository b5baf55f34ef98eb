"""Makes the suite that every cluster passes importable from here."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
