"""What the pages share: frame, charts, cached reading of studies."""
