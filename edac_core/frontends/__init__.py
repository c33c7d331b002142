"""Front-ends: waveforms to what a network sees, computed once and cached."""
