"""What all tests share: no screen, nobody's own files, and an engine that keeps to one thread beside its neighbours.

Loaded by pytest before any test. The settings are made before Qt, torch or the studio are imported, which read them once.
"""

import atexit
import os
import shutil
import tempfile

from hypothesis import HealthCheck, settings

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("OMP_NUM_THREADS", "1")

_home = tempfile.mkdtemp(prefix="lpm-test-home-")  # of this process alone: others test beside it
os.environ["LPM_HOME"] = _home
atexit.register(shutil.rmtree, _home, ignore_errors=True)

# How long an example takes is the machine's affair, and that of who else works on it.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
