"""What goes into a bundle as it stands here: scripts that need NumPy and LiteRT only.

They import nothing of this project, since nothing of it is there where they run.
"""
