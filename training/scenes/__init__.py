"""The world that the tiny checkpoint is trained on: images, instructions, and the exact answer to each."""
