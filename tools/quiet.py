"""Silences diffusers and transformers: they warn about parts that Retouch has no use for, and draw progress bars.

The variables must be set before either is imported, so this module is imported first.
"""

import os

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")

import diffusers  # noqa: E402
import transformers  # noqa: E402

diffusers.utils.logging.disable_progress_bar()
transformers.utils.logging.disable_progress_bar()
