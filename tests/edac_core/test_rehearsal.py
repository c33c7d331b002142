import subprocess
import sys

PROGRAM = """
import sys
from edac_core.rehearsal import rehearse
wanted = {"soxr", "librosa.feature.spectral", "scipy.signal", "audiomentations"}
assert not wanted & set(sys.modules), wanted & set(sys.modules)
rehearse()
print(sorted(wanted - set(sys.modules)), "tensorflow" in sys.modules)
"""


def test_what_most_calls_need_is_imported_by_it_and_not_with_it():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.returncode) == ("[] False", 0), done.stderr
