import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import av
import numpy as np
import pytest
import soundfile


@pytest.fixture
def write_noise():
    """Write a short recording of noise and return its path."""

    def write(path, *, seed=0, seconds=0.3, rate=8_000, channels=1, gain=0.1):
        noise = np.random.default_rng(seed).standard_normal((int(seconds * rate), channels))
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.clip(gain * noise, -1, 1), rate)
        return path

    return write


@pytest.fixture
def write_opus():
    """Write a short recording of noise as a browser's recorder does: Opus in WebM."""

    def write(path, *, seed=0, seconds=0.4, gains=(0.1,)):
        rate = 48_000
        noise = np.random.default_rng(seed).standard_normal((1, int(seconds * rate)))
        samples = np.clip(np.array(gains)[:, None] * noise, -1, 1).astype(np.float32)
        layout = "mono" if len(gains) == 1 else "stereo"
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), "w", format="webm") as container:
            stream = container.add_stream("libopus", rate=rate, layout=layout)
            frame = av.AudioFrame.from_ndarray(
                samples.T.reshape(1, -1), format="flt", layout=layout
            )
            frame.sample_rate = rate
            for packet in [*stream.encode(frame), *stream.encode(None)]:
                container.mux(packet)
        return path

    return write


@pytest.fixture
def covid19_cough_folder(tmp_path, write_noise):
    """Make a miniature of covid19-cough: WAV under the MP3s' names, which decodes all the same."""
    folder = tmp_path / "covid19-cough"
    entries = []
    for index in range(6):
        wav = write_noise(folder / "raw" / f"r{index}.wav", seed=index)
        wav.rename(wav.with_suffix(".mp3"))
        source = "telegram" if index < 3 else "call-center"
        entries.append({"filename": f"r{index}.mp3", "covid19": index % 2 == 0, "source": source})
    (folder / "metadata.json").write_text(json.dumps(entries))
    return folder


@pytest.fixture
def serve():
    """Start servers whose every GET a given site answers, and name their addresses."""
    running = []

    def start(site):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                site.answer(self)

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server, thread in running:
        server.shutdown()
        server.server_close()
        thread.join()
