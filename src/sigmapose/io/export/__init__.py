"""Writers of other programs' files: one module a format, with `write(frames, path)`; `formats` lists them."""
