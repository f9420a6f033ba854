"""Property tests draw up to 100,000 samples an example: no deadline, the machine may be busy."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("core", deadline=None)
settings.load_profile("core")
