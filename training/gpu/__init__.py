"""What a training on a borrowed GPU machine needs beside the training: wheels to carry, a plan, parts to bring home."""
