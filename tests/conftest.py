"""What all tests share: no screen, nobody's own files, and an engine that keeps to one thread beside its neighbours.

Loaded by pytest before any test. The settings are made before Qt, torch or the studio are imported, which read them once.
"""

import os
import tempfile

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("LPM_HOME", tempfile.mkdtemp(prefix="lpm-test-home-"))
