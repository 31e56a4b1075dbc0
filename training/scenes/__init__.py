"""The world that the tiny checkpoint is trained on: pictures, instructions, and the exact answer to each."""
