"""Write generated coughs and a list of them, for whoever has no recordings at hand.

python make_coughs.py FOLDER NUMBER
"""

import csv
import sys
from pathlib import Path

import soundfile

from edac_core.audio import SAMPLE_RATE
from edac_core.datasets.synthetic import synthesize


def main(folder: Path, number: int) -> None:
    """Write as many recordings, half of them wet coughs, of a participant each."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "recordings.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label", "participant", "group"])
        for seed in range(number):
            group = "studio" if seed // 2 % 2 else "telephone"
            name = f"cough-{seed:03}.wav"
            soundfile.write(
                folder / name, synthesize(seed % 2, seed=seed, source=group), SAMPLE_RATE
            )
            rows.writerow([name, seed % 2, f"P{seed:03}", group])


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
