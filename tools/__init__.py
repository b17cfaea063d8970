"""What a person runs around the pipeline, under the stages' settings of the processor."""

import stages  # noqa: F401  (before numpy is imported)
